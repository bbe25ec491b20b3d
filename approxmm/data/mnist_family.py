"""The MNIST family: four IDX files, checked against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from approxmm.data.idx import read_idx
from approxmm.data.source import DataFile, FileSource, RawSplit
from approxmm.errors import DataError

__all__ = ["IdxSource", "check_labels", "require_equal_counts"]


@dataclass(frozen=True, kw_only=True)
class IdxSource(FileSource):
    """A set in four IDX files.

    Attributes
    ----------
    train_images, train_labels, test_images, test_labels : DataFile
        The four files.
    first_label : int
        The label of the first class.
    transposed : bool
        Whether images are stored by columns.
    shape : tuple of int
        Rows and columns of an image.
    """

    train_images: DataFile
    train_labels: DataFile
    test_images: DataFile
    test_labels: DataFile
    first_label: int = 0
    transposed: bool = False
    shape: tuple[int, int] = (28, 28)

    @property
    def files(self) -> tuple[DataFile, ...]:
        """The four files."""
        return self.train_images, self.train_labels, self.test_images, self.test_labels

    def image_shape(self, options: Mapping[str, int]) -> tuple[int, ...]:
        """Return rows and columns."""
        return self.shape

    def check_file(self, path: Path) -> None:
        """Raise DataError if the file is not a sound IDX file."""
        read_idx(path)

    def load_raw(self, folder: Path, options: Mapping[str, int]) -> tuple[RawSplit, RawSplit]:
        """Read the official training and test parts.

        Raises
        ------
        MissingError
            If one of the four files is not there.
        DataError
            If a file is damaged, images and labels differ in number, images are
            not of the set's shape, or a label is none of the set's classes.
        """
        train_images, train_labels, test_images, test_labels = self.find(folder)
        return self._part(train_images, train_labels), self._part(test_images, test_labels)

    def _part(self, images: Path, labels: Path) -> RawSplit:
        part = RawSplit(self._read_images(images), self._read_labels(labels))
        require_equal_counts(part, images, labels)
        return part

    def _read_images(self, path: Path) -> NDArray[np.uint8]:
        images = _read_bytes(path)
        if images.shape[1:] != self.shape:
            raise DataError(
                f"'{path}' has shape {images.shape}, images of '{self.name}' have {('n', *self.shape)}; "
                "fetch or copy it again"
            )
        if self.transposed:
            images = np.ascontiguousarray(images.transpose(0, 2, 1))
        return images.reshape(len(images), math.prod(self.shape))

    def _read_labels(self, path: Path) -> NDArray[np.int64]:
        stored = _read_bytes(path)
        if stored.ndim != 1:
            raise DataError(f"'{path}' has {stored.ndim} dimensions, labels have 1; fetch or copy it again")
        return check_labels(stored, path, self.name, len(self.classes), self.first_label)


def check_labels(stored: NDArray[Any], path: Path, name: str, classes: int, first: int = 0) -> NDArray[np.int64]:
    """Return labels from 0, or raise DataError that names the first one that is none of the set's classes."""
    labels = stored.astype(np.int64) - first
    bad = np.flatnonzero((labels < 0) | (labels >= classes))
    if bad.size:
        raise DataError(
            f"'{path}' has label {stored[bad[0]]} at index {bad[0]}, labels of '{name}' are {first} to "
            f"{first + classes - 1}; fetch or copy it again"
        )
    return labels


def require_equal_counts(split: RawSplit, images: Path, labels: Path) -> None:
    """Raise DataError if there are no images, or not as many as labels."""
    if len(split.pixels) != len(split.labels):
        raise DataError(
            f"'{images}' has {len(split.pixels)} images, '{labels}' has {len(split.labels)} labels, "
            "and they must be equally many; fetch or copy both again"
        )
    if not len(split.pixels):
        raise DataError(f"'{images}' has 0 images, at least 1 is needed; fetch or copy it again")


def _read_bytes(path: Path) -> NDArray[Any]:
    array = read_idx(path)
    if array.dtype != np.uint8:
        raise DataError(f"'{path}' holds {array.dtype}, the MNIST family holds uint8; fetch or copy it again")
    return array
