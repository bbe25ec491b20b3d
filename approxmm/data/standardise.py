"""Standardisation of pixels, with statistics from the training split only.

Pixels are integers, so their sums and sums of squares are exact in 64 bits:
the statistics, and with them every standardised value, are the same on every
machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from approxmm.errors import InputError

__all__ = ["KINDS", "Standardisation", "check_dtype", "check_kind", "fit_standardisation"]

Kind = Literal["scalar", "feature", "unit"]
KINDS: tuple[str, ...] = get_args(Kind)

_BLOCK = 1024  # rows that are converted at a time, to bound the memory

_WORDS = {
    "scalar": "(x - mean) / deviation; both are single numbers over all pixels of the training split",
    "feature": "(x - mean) / deviation, per feature over the training split; a constant feature is divided by 1",
    "unit": "x / {scale:g}, the largest pixel value of the format, so that all values lie in [0, 1]",
}


@dataclass(frozen=True, eq=False)
class Standardisation:
    """The map x → (x - mean) / scale.

    Attributes
    ----------
    kind : str
        "scalar", "feature" or "unit".
    mean, scale : ndarray of float64
        Shape () for "scalar" and "unit", (features,) for "feature". The scale
        is the population's standard deviation (division by n), or 1 where that
        is 0.
    description : str
        One line in words.
    """

    kind: str
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    description: str

    def apply(self, pixels: NDArray[Any], dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """Return the standardised pixels, computed in float64 and rounded once to `dtype`.

        Parameters
        ----------
        pixels : ndarray, shape (n, features)
            Raw values.
        dtype : dtype
            float32 or float64.

        Returns
        -------
        ndarray, shape (n, features)
            C-contiguous.
        """
        out = np.empty(pixels.shape, dtype=dtype)
        for rows in _blocks(len(pixels)):
            out[rows] = (pixels[rows] - self.mean) / self.scale
        return out

    def __repr__(self) -> str:
        return f"Standardisation({self.kind!r}: {self.description})"


def check_kind(standardise: str) -> str:
    """Return the name of the standardisation, or raise InputError that lists the names."""
    if standardise not in KINDS:
        raise InputError(f"standardise is {standardise!r} and must be one of {', '.join(KINDS)}; the default is scalar")
    return standardise


def check_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return float32 or float64 as a dtype, or raise InputError."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise InputError(f"dtype is {dtype!r} and must be float32 or float64; the default is float32")
    return found


def fit_standardisation(kind: str, pixels: NDArray[Any], pixel_max: int) -> Standardisation:
    """Compute the standardisation of a training split.

    Parameters
    ----------
    kind : {"scalar", "feature", "unit"}
        See `Standardisation`.
    pixels : ndarray of uint8, shape (n, features)
        The training split, n ≥ 1.
    pixel_max : int
        The largest pixel value of the format.

    Raises
    ------
    InputError
        If `kind` is unknown.
    """
    if check_kind(kind) == "unit":
        mean, scale = np.zeros(()), np.asarray(float(pixel_max))
    else:
        total, squares = _moments(pixels)
        if kind == "scalar":
            mean, scale = _mean_and_deviation(pixels.size, total.sum(keepdims=True), squares.sum(keepdims=True))
            mean, scale = mean.reshape(()), scale.reshape(())
        else:
            mean, scale = _mean_and_deviation(len(pixels), total, squares)
    return Standardisation(kind, mean, scale, _WORDS[kind].format(scale=float(scale.flat[0])))


def _moments(pixels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the exact sum and sum of squares of each feature, as Python integers."""
    total = np.zeros(pixels.shape[1], dtype=np.int64)
    squares = np.zeros(pixels.shape[1], dtype=np.int64)
    for rows in _blocks(len(pixels)):
        block = pixels[rows].astype(np.int64)
        total += block.sum(axis=0)
        squares += np.square(block).sum(axis=0)
    return total.astype(object), squares.astype(object)


def _mean_and_deviation(
    count: int, total: NDArray[Any], squares: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and population deviation (1 where it is 0); count² × variance is exact, beyond 64 bits."""
    spread = (count * squares - total**2).astype(np.float64)
    deviation = np.sqrt(spread) / count
    return (total / count).astype(np.float64), np.where(deviation > 0, deviation, 1.0)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))
