"""Raw images and labels of the MNIST family, checked against each other."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from approxmm.data.idx import read_idx
from approxmm.data.location import find_files, set_folder
from approxmm.data.sources import Source
from approxmm.errors import DataError

__all__ = ["RawSplit", "load_raw"]


@dataclass(frozen=True, eq=False)
class RawSplit:
    """Pixels (uint8, shape (n, features), row by row) and labels (int64 from 0, shape (n,))."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


def load_raw(source: Source, data_dir: str | os.PathLike[str] | None = None) -> tuple[RawSplit, RawSplit]:
    """Read the official training and test parts of a set.

    Parameters
    ----------
    source : Source
        The set's entry in the table.
    data_dir : path-like, optional
        Folder that holds `<name>/`; see `approxmm.data.location.data_folder`.

    Returns
    -------
    train, test : RawSplit
        As distributed, in the files' order.

    Raises
    ------
    MissingError
        If one of the four files is not there.
    DataError
        If a file is damaged, images and labels differ in number, images are not
        of the set's shape, or a label is none of the set's classes.
    """
    train_images, train_labels, test_images, test_labels = find_files(source, set_folder(source, data_dir))
    train = RawSplit(_read_images(train_images, source), _read_labels(train_labels, source))
    test = RawSplit(_read_images(test_images, source), _read_labels(test_labels, source))
    _require_equal_counts(train, train_images, train_labels)
    _require_equal_counts(test, test_images, test_labels)
    return train, test


def _read_images(path: Path, source: Source) -> NDArray[np.uint8]:
    images = _read_bytes(path)
    if images.shape[1:] != source.image_shape:
        expected = ("n", *source.image_shape)
        raise DataError(
            f"'{path}' has shape {images.shape}, images of '{source.name}' have {expected}; fetch or copy it again"
        )
    if source.transposed:
        images = np.ascontiguousarray(images.transpose(0, 2, 1))
    return images.reshape(len(images), math.prod(source.image_shape))


def _read_labels(path: Path, source: Source) -> NDArray[np.int64]:
    stored = _read_bytes(path)
    if stored.ndim != 1:
        raise DataError(f"'{path}' has {stored.ndim} dimensions, labels have 1; fetch or copy it again")
    labels = stored.astype(np.int64) - source.first_label
    bad = np.flatnonzero((labels < 0) | (labels >= len(source.classes)))
    if bad.size:
        first, last = source.first_label, source.first_label + len(source.classes) - 1
        raise DataError(
            f"'{path}' has label {stored[bad[0]]} at index {bad[0]}, labels of '{source.name}' are {first} to {last}; "
            "fetch or copy it again"
        )
    return labels


def _read_bytes(path: Path) -> NDArray[Any]:
    array = read_idx(path)
    if array.dtype != np.uint8:
        raise DataError(f"'{path}' holds {array.dtype}, the MNIST family holds uint8; fetch or copy it again")
    return array


def _require_equal_counts(split: RawSplit, images: Path, labels: Path) -> None:
    if len(split.pixels) != len(split.labels):
        raise DataError(
            f"'{images}' has {len(split.pixels)} images, '{labels}' has {len(split.labels)} labels, "
            "and they must be equally many; fetch or copy both again"
        )
    if not len(split.pixels):
        raise DataError(f"'{images}' has 0 images, at least 1 is needed; fetch or copy it again")
