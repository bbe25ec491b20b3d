"""Arrays that threads write to, so far from everything else that they do not wait for each other.

What one thread writes takes the whole cache line from all others, and processors fetch lines in pairs. Rows that touch
made two threads slower than one, or not, by where the memory happened to lie.
"""

from __future__ import annotations

import numpy as np

__all__ = ["rows_apart", "zeros_apart"]

_PAIR = 128  # bytes of two cache lines


def rows_apart(shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
    """Return zeros of a shape whose last side is longer by what keeps rows from sharing a pair of cache lines."""
    return np.zeros((*shape[:-1], shape[-1] + _PAIR // np.dtype(dtype).itemsize), dtype=dtype)


def zeros_apart(size: int, dtype: np.dtype | type) -> np.ndarray:
    """Return so many zeros, which share no pair of cache lines with other arrays."""
    room = _PAIR // np.dtype(dtype).itemsize
    return np.zeros(size + 2 * room, dtype=dtype)[room : room + size]
