"""An array as a file stores it, and its values as float32 or float64."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["NARROW", "Stored"]

NARROW = ("float16", "bfloat16")
_REAL = ("float32", "float64", "longdouble", *NARROW)


@dataclass(frozen=True, eq=False)
class Stored:
    """An array of a file.

    Parameters
    ----------
    dtype : str
        What its numbers are: ``float32``, ``bfloat16``, ``int8`` …
    shape : tuple of int
    raw : ndarray
        The elements in their order; those of a bfloat16 as their 16 bits, or widened.
    """

    dtype: str
    shape: tuple[int, ...]
    raw: np.ndarray

    @classmethod
    def of(cls, array: np.ndarray) -> Stored:
        """Return a NumPy array as it is."""
        array = np.asarray(array)
        wide = array.dtype.kind == "f" and array.dtype.itemsize > 8
        return cls("longdouble" if wide else array.dtype.name, array.shape, array)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def real(self) -> bool:
        """Whether the numbers are what they stand for: floats, not codes of a quantisation."""
        return self.dtype in _REAL

    def values(self) -> np.ndarray:
        """Return the values: float32 where stored in 16 or 32 bits (exactly), float64 otherwise."""
        if self.dtype == "bfloat16" and self.raw.dtype == np.uint16:
            # A bfloat16 is the upper half of a float32.
            bits = self.raw.astype(np.uint32) << np.uint32(16)
            return bits.view(np.float32).reshape(self.shape)
        narrow = self.dtype in ("float32", *NARROW)
        return np.asarray(self.raw, dtype=np.float32 if narrow else np.float64).reshape(self.shape)
