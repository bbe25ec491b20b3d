"""Small NORB: photographs of toys by two cameras, averaged over blocks while they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from approxmm.data.binary_matrix import matrix_shape, read_rows
from approxmm.data.mnist_family import check_labels, require_equal_counts
from approxmm.data.packed import open_packed
from approxmm.data.source import DataFile, FileSource, Option, RawSplit

__all__ = ["SMALL_NORB", "NorbSource", "block_means"]

_WHAT = "a NORB matrix file"
_SIDE, _CAMERAS = 96, 2
_BLOCK = 128  # image pairs in memory at full resolution: 2.4 MB


@dataclass(frozen=True, kw_only=True)
class NorbSource(FileSource):
    """A set in two pairs of matrix files: images (n, 2, 96, 96) of bytes, categories (n,) of 32-bit integers.

    The files "-info" with the pose of each toy are not needed and not looked at. The pictures that validate show toys
    that are in the training split too; those of the test are other toys.
    """

    train_images: DataFile
    train_labels: DataFile
    test_images: DataFile
    test_labels: DataFile

    @property
    def files(self) -> tuple[DataFile, ...]:
        """The four files."""
        return self.train_images, self.train_labels, self.test_images, self.test_labels

    def image_shape(self, options: Mapping[str, int]) -> tuple[int, ...]:
        """Return cameras, rows and columns; rows and columns for one camera."""
        side, cameras = options["side"], options["cameras"]
        return (side, side) if cameras == 1 else (cameras, side, side)

    def check_file(self, path: Path) -> None:
        """Raise DataError if the file is not a sound matrix of images or categories."""
        if "-cat" in path.name:
            _read_categories(path)
        else:
            _read_images(path, 8, 1)

    def load_raw(self, folder: Path, options: Mapping[str, int]) -> tuple[RawSplit, RawSplit]:
        """Read the official training and test parts, never more than 128 image pairs at full resolution.

        Raises
        ------
        MissingError
            If one of the four files is not there.
        DataError
            If a file is damaged, images and categories differ in number, or a
            category is none of the set's.
        """
        train_images, train_labels, test_images, test_labels = self.find(folder)
        return self._part(train_images, train_labels, options), self._part(test_images, test_labels, options)

    def _part(self, images: Path, labels: Path, options: Mapping[str, int]) -> RawSplit:
        categories = check_labels(_read_categories(labels), labels, self.name, len(self.classes))
        part = RawSplit(_read_images(images, options["side"], options["cameras"]), categories)
        require_equal_counts(part, images, labels)
        return part


def _read_images(path: Path, side: int, cameras: int) -> NDArray[np.uint8]:
    """Return the block means of the first `cameras` images of every pair, shape (n, cameras · side²)."""
    with open_packed(path, _WHAT) as packed:
        shape = matrix_shape(packed, "uint8", (_CAMERAS, _SIDE, _SIDE))
        pixels = np.empty((shape[0], cameras, side, side), dtype=np.uint8)
        for start in range(0, shape[0], _BLOCK):
            stop = min(start + _BLOCK, shape[0])
            pairs: NDArray[np.uint8] = read_rows(packed, shape, "uint8", start, stop)
            pixels[start:stop] = block_means(pairs[:, :cameras], side)
    return pixels.reshape(shape[0], -1)


def _read_categories(path: Path) -> NDArray[np.int32]:
    with open_packed(path, _WHAT) as packed:
        shape = matrix_shape(packed, "int32", ())
        categories: NDArray[np.int32] = read_rows(packed, shape, "int32", 0, shape[0])
        return categories


def block_means(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the means over square blocks, rounded to the nearest integer (halves up).

    Parameters
    ----------
    images : ndarray of uint8, shape (..., s, s)
        Square images.
    side : int
        A divisor of s: rows and columns that remain.
    """
    block = images.shape[-1] // side
    if block == 1:
        return images
    rows = images.reshape(*images.shape[:-2], side, block, -1).sum(axis=-2, dtype=np.uint32)
    sums = rows[..., ::block].copy()
    for column in range(1, block):
        sums += rows[..., column::block]
    return np.asarray((sums + block * block // 2) // (block * block), dtype=np.uint8)


SMALL_NORB = NorbSource(
    name="small_norb",
    title="small NORB, toys under two cameras",
    mirrors=("https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/", "https://cs.nyu.edu/~yann/data/norb-v1.0-small/"),
    train_images=DataFile(
        "smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat",
        131896188,
        "sha256:5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873",
    ),
    train_labels=DataFile(
        "smallnorb-5x46789x9x18x6x2x96x96-training-cat.mat",
        348,
        "sha256:2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa",
    ),
    test_images=DataFile(
        "smallnorb-5x01235x9x18x6x2x96x96-testing-dat.mat",
        130799817,
        "sha256:cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474",
    ),
    test_labels=DataFile(
        "smallnorb-5x01235x9x18x6x2x96x96-testing-cat.mat",
        347,
        "sha256:ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff",
    ),
    counts=(24_300, 24_300),
    classes=("animal", "human", "airplane", "truck", "car"),
    homepage="https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/",
    citation="Y. LeCun, F. J. Huang and L. Bottou, Learning methods for generic object recognition with invariance to "
    "pose and lighting, CVPR 2004",
    licence="for research only, may not be sold",
    options={
        "side": Option(32, (96, 48, 32, 24, 16, 12, 8), "rows of an image; more pixels are averaged over blocks"),
        "cameras": Option(2, (1, 2), "images of a pair that are used"),
    },
)
"""The set; sizes and checksums are those of TensorFlow Datasets."""
