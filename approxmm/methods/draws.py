"""Scales of many examples at once, as a dense array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from approxmm.compile import compiled
from approxmm.methods.operations import select
from approxmm.random import Key

__all__ = ["column_norms", "fill_scales"]

# Below the square root of this, columns 2**-52 times the largest would lose bits to denormal squares.
_SMALLEST_SQUARE = 2.0**-900


@compiled
def column_norms(batch: np.ndarray, out: np.ndarray) -> None:
    """Write the Euclidean norm of each column of `batch` (B, n) to `out` (n,); for B = 1 that is |a_i|."""
    if len(batch) == 1:
        for i in range(out.size):
            out[i] = abs(batch[0, i])
        return
    squares = np.zeros(out.size)
    for r in range(batch.shape[0]):  # by index: a loop over row views is not vectorised
        for i in range(out.size):
            value = np.float64(batch[r, i])
            squares[i] += value * value
    largest = 0.0
    for square in squares:
        if not square <= largest:
            largest = square
    if _SMALLEST_SQUARE < largest < math.inf:
        for i in range(out.size):
            out[i] = math.sqrt(squares[i])
    else:
        _scaled_column_norms(batch, out)


@compiled
def _scaled_column_norms(batch: np.ndarray, out: np.ndarray) -> None:
    """Do the same where squares overflow or vanish, by squaring numbers relative to the largest."""
    out[:] = 0.0
    for row in batch:
        for i in range(row.size):
            if not abs(row[i]) <= out[i]:
                out[i] = abs(row[i])
    largest = out.max()
    if not (largest > 0.0 and math.isfinite(largest)):
        return  # all zero, or not finite: the largest magnitude shows it as well as the norm
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
