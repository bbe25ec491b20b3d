"""Inputs of any size, from denormals to the largest floats, for kernels that square and add."""

from __future__ import annotations

import math

import numpy as np

from approxmm.compile import compiled, compiled_fast

__all__ = ["unit_query"]

_SMALL = 1e-12


@compiled_fast
def _absolute_sum(x: np.ndarray) -> float:
    total = 0.0
    for i in range(x.size):
        total += abs(x[i])
    return total


@compiled
def unit_query(x: np.ndarray) -> tuple[np.ndarray, float]:
    """Return ``x / size`` and the size: squares of what is returned neither overflow nor vanish.

    An input of ordinary size, or of zeros, is returned itself, with size 1. If `x` is not finite, neither is the size.
    """
    total = _absolute_sum(x)
    if total == 0.0 or _SMALL < total < 1.0 / _SMALL:
        return x, 1.0
    largest = 0.0
    for i in range(x.size):
        if math.isnan(x[i]):
            return x, np.nan
        largest = max(largest, abs(x[i]))
    query = np.empty_like(x)
    for i in range(x.size):
        query[i] = x[i] / largest
    return query, largest
