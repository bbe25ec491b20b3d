"""Scales of many examples at once, as a dense array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from approxmm._compile import compiled
from approxmm.methods.contract import select
from approxmm.random import Key

__all__ = ["column_norms", "fill_scales"]


@compiled
def column_norms(batch: np.ndarray, out: np.ndarray) -> None:
    """Write the Euclidean norm of each column of `batch` (B, n) to `out` (n,); for B = 1 that is |a_i|."""
    out[:] = 0.0
    if len(batch) == 1:
        for i in range(out.size):
            out[i] = abs(batch[0, i])
        return
    for row in batch:
        for i in range(row.size):
            if not abs(row[i]) <= out[i]:
                out[i] = abs(row[i])
    largest = out.max()
    if not (largest > 0.0 and math.isfinite(largest)):
        return  # all zero, or not finite: the largest magnitude shows it as well as the norm
    # Squares of numbers relative to the largest neither overflow nor vanish in single precision.
    out[:] = 0.0
    for row in batch:
        for i in range(row.size):
            relative = row[i] / largest
            out[i] += relative * relative
    for i in range(out.size):
        out[i] = largest * math.sqrt(out[i])


@compiled
def fill_scales(state: Any, layer: int, read: np.ndarray, shared: bool, key: Key, out: np.ndarray) -> None:
    """Draw scales for the rows of `read` and write them to `out`, zeros where an item is not active.

    Parameters
    ----------
    state, layer
        As for `select`.
    read : (rows, size) float array
        What the law reads, one example a row.
    shared : bool
        One draw for all rows (from the column norms of `read`) instead of one a row.
    key : Key
        Of row 0; row r draws with item + r.
    out : (rows, size) float array, written
    """
    rows, size = read.shape
    index = np.empty(size, dtype=np.int64)
    scale = np.empty(size, dtype=out.dtype)
    out[:] = 0.0
    norms = np.empty(size, dtype=read.dtype)
    if shared:
        column_norms(read, norms)
    for r in range(1 if shared else rows):
        item = Key(key.seed, key.stream, key.step, key.layer, key.item + r)
        count = select(state, layer, norms if shared else read[r], item, index, scale)
        for i in range(count):
            out[r, index[i]] = scale[i]
    if shared:
        for r in range(1, rows):
            out[r] = out[0]
