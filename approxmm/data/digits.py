"""The handwritten digits that come with scikit-learn: 1,797 images of 8 × 8 pixels from 0 to 16."""

from __future__ import annotations

import os
import string
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from approxmm.data.arrays import check_finite
from approxmm.data.source import Parts, RawSplit, Source
from approxmm.data.splits import stratified_split

__all__ = ["DIGITS", "SIZES", "load_raw_digits"]

SIZES = (1259, 179, 359)


def load_raw_digits() -> RawSplit:
    """Return the pixels (uint8, shape (1797, 64)) and labels (int64, shape (1797,)) that scikit-learn embeds."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    check_finite(pixels, "data set 'digits'")
    return RawSplit(pixels.astype(np.uint8), labels.astype(np.int64))


@dataclass(frozen=True, kw_only=True)
class _Digits(Source):
    @property
    def origin(self) -> str:
        return "embedded"

    def sizes(self, options: Mapping[str, int]) -> tuple[int, int, int]:
        return SIZES

    def image_shape(self, options: Mapping[str, int]) -> tuple[int, ...]:
        return 8, 8

    def read(self, data_dir: str | os.PathLike[str] | None, seed: int, options: Mapping[str, int]) -> Parts:
        raw = load_raw_digits()
        train, validation, test = (raw.take(rows) for rows in stratified_split(raw.labels, seed))
        return Parts(train, validation, test, "70 / 10 / 20 within every class")


DIGITS = _Digits(
    name="digits",
    title="optical recognition of handwritten digits",
    classes=tuple(string.digits),
    homepage="scikit-learn, sklearn.datasets.load_digits (test part of the UCI set)",
    citation="E. Alpaydin and C. Kaynak, Optical recognition of handwritten digits, UCI Machine Learning Repository, "
    "1998",
    licence="CC BY 4.0",
    pixel_max=16,
)
"""The embedded set."""
