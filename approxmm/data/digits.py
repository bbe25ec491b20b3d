"""The handwritten digits that come with scikit-learn: 1,797 images of 8 × 8 pixels from 0 to 16."""

from __future__ import annotations

import numpy as np

from approxmm.data.arrays import check_finite
from approxmm.data.mnist_family import RawSplit

__all__ = ["CITATION", "IMAGE_SHAPE", "LICENCE", "PIXEL_MAX", "SIZES", "SOURCE", "TITLE", "load_raw_digits"]

TITLE = "optical recognition of handwritten digits"
SOURCE = "scikit-learn, sklearn.datasets.load_digits (test part of the UCI set)"
CITATION = "E. Alpaydin and C. Kaynak, Optical recognition of handwritten digits, UCI Machine Learning Repository, 1998"
LICENCE = "CC BY 4.0"
IMAGE_SHAPE = (8, 8)
PIXEL_MAX = 16
SIZES = (1259, 179, 359)


def load_raw_digits() -> RawSplit:
    """Return the pixels (uint8, shape (1797, 64)) and labels (int64, shape (1797,)) that scikit-learn embeds."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    check_finite(pixels, "data set 'digits'")
    return RawSplit(pixels.astype(np.uint8), labels.astype(np.int64))
