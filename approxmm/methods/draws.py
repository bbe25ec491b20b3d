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
def fill_scales(state: Any, layer: int, read: np.ndarray, group: int, key: Key, out: np.ndarray) -> None:
    """Draw scales for the rows of `read` and write them to `out`, zeros where an item is not active.

    Parameters
    ----------
    state, layer
        As for `select`.
    read : (rows, length) float array
        What the law reads, one example a row; `length` differs from `size` for an output-side law that reads the input.
    group : int
        How many consecutive rows share one draw. A draw for one row reads the row; a draw
        for several reads their column norms.
    key : Key
        Of the first group; group g draws with item + g.
    out : (rows, size) float array, written
    """
    rows, size = out.shape
    index = np.empty(size, dtype=np.int64)
    scale = np.empty(size, dtype=out.dtype)
    norms = np.empty(read.shape[1], dtype=read.dtype)
    out[:] = 0.0
    for g in range((rows + group - 1) // group):
        first, stop = g * group, min((g + 1) * group, rows)
        if group > 1:
            column_norms(read[first:stop], norms)
        item = Key(key.seed, key.stream, key.step, key.layer, key.item + g)
        count = select(state, layer, norms if group > 1 else read[first], item, index, scale)
        for r in range(first, stop):
            for i in range(count):
                out[r, index[i]] = scale[i]
