"""Products with a block of a weight matrix: some of its lines, some of its columns.

A line is what lies contiguously in memory: a node's weights, or an input's. Where many columns of a line are wanted
the whole line is read, in vectors; otherwise single elements, for four lines side by side.
"""

from __future__ import annotations

import numpy as np

from approxmm._tiles import dot_add_tile, dot_tile, multiply_tile
from approxmm.compile import compiled
from approxmm.engine._listed_tiles import listed_add_tile, listed_dot_tile, listed_sum_tile

__all__ = [
    "add_block",
    "columns_read",
    "columns_summed",
    "dot_and_add",
    "dot_lines",
    "is_wide",
    "sum_lines",
    "sum_whole_lines",
]

_GATHER_COST = 10  # elements of a line that are read in vectors in the time of a gathered one
_BLOCK = 8  # lines whose sum is formed together: as many streams as the memory's prefetcher follows
_SUM_8, _SUM_1 = multiply_tile(1, 8, False), multiply_tile(1, 1, True)
_DOT_4, _DOT_1 = dot_tile(1, 4, ahead=True), dot_tile(1, 1)
_DOT_ADD_4, _DOT_ADD_1 = dot_add_tile(4), dot_add_tile(1)
_LISTED_DOT_4, _LISTED_DOT_1 = listed_dot_tile(4), listed_dot_tile(1)
_LISTED_SUM_4, _LISTED_SUM_1 = listed_sum_tile(4), listed_sum_tile(1)
_LISTED_ADD_4, _LISTED_ADD_1 = listed_add_tile(4), listed_add_tile(1)
_LISTED_ADD_SHARED = listed_add_tile(4, ahead=True)


@compiled
def is_wide(size: int, width: int) -> bool:
    """Return whether so many of a line's elements are reached sooner by reading the whole line."""
    return size * _GATHER_COST > width


@compiled
def columns_read(columns: np.ndarray, width: int) -> int:
    """Return how many of a line's columns `dot_lines` and `add_block` multiply, where these (increasing) are wanted."""
    count: int = columns.size
    if is_wide(count, width):
        count = columns[count - 1] + 1 - columns[0]
    return count


@compiled
def columns_summed(size: int, width: int) -> int:
    """Return how many of a line's columns `sum_lines` multiplies, where so many are wanted."""
    return width if is_wide(size, width) else size


@compiled
def dot_lines(
    W: np.ndarray, lines: np.ndarray, columns: np.ndarray, v: np.ndarray, whole: np.ndarray, out: np.ndarray
) -> None:
    """Write Σ_q W[lines[l], columns[q]] v[q] to out[l].

    Parameters
    ----------
    W : (lines, width) float array
    lines, columns : int64 arrays
        Increasing.
    v : float array
        As long as `columns`.
    whole : (width,) float array
        `v` at its places, zeros elsewhere.
    out : float array
        As long as `lines`; written.
    """
    fours = lines.size - lines.size % 4
    if is_wide(columns.size, W.shape[1]):
        low, high = columns[0], columns[columns.size - 1] + 1
        for first in range(0, fours, 4):
            _DOT_4(out, whole, W, lines, 0, first, lines.size, low, high)
        for first in range(fours, lines.size):
            _DOT_1(out, whole, W, lines, 0, first, lines.size, low, high)
        return
    for first in range(0, fours, 4):
        _LISTED_DOT_4(W, lines, columns, v, out, first)
    for first in range(fours, lines.size):
        _LISTED_DOT_1(W, lines, columns, v, out, first)


@compiled
def sum_whole_lines(W: np.ndarray, lines: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    """Add Σ_l u[l] W[lines[l]] to `out` (width,)."""
    width, lanes = W.shape[1], 64 // W.itemsize
    for first in range(0, lines.size, _BLOCK):
        count, column = min(_BLOCK, lines.size - first), 0
        while column + 8 * lanes <= width:
            _SUM_8(out, u, W, lines, 0, first, count, column, 0)
            column += 8 * lanes
        while column < width:
            _SUM_1(out, u, W, lines, 0, first, count, column, min(lanes, width - column))
            column += lanes


@compiled
def sum_lines(
    W: np.ndarray, lines: np.ndarray, u: np.ndarray, columns: np.ndarray, scratch: np.ndarray, out: np.ndarray
) -> None:
    """Write Σ_l u[l] W[lines[l], columns[q]] to out[q].

    Parameters
    ----------
    W : (lines, width) float array
    lines, columns : int64 arrays
        Increasing.
    u : float array
        As long as `lines`.
    scratch : (width,) float array
    out : float array
        As long as `columns`; written.
    """
    width = W.shape[1]
    if is_wide(columns.size, width):
        scratch[:] = 0.0
        sum_whole_lines(W, lines, u, scratch)
        for q in range(columns.size):
            out[q] = scratch[columns[q]]
        return
    out[:] = 0.0
    fours = lines.size - lines.size % 4
    for first in range(0, fours, 4):
        _LISTED_SUM_4(W, lines, columns, u, out, first)
    for first in range(fours, lines.size):
        _LISTED_SUM_1(W, lines, columns, u, out, first)


@compiled
def dot_and_add(
    W: np.ndarray, lines: np.ndarray, columns: np.ndarray, whole: np.ndarray, u: np.ndarray, out: np.ndarray
) -> None:
    """Write W[lines] · whole to `out`, and add u[l] · whole to W[lines[l]] in the same pass.

    `columns` are where `whole` is not zero, increasing, one at least: what lies before and behind is not touched.
    """
    fours, low, high = lines.size - lines.size % 4, columns[0], columns[columns.size - 1] + 1
    for first in range(0, fours, 4):
        _DOT_ADD_4(W, whole, lines, u, out, first, low, high)
    for first in range(fours, lines.size):
        _DOT_ADD_1(W, whole, lines, u, out, first, low, high)


@compiled
def add_block(
    W: np.ndarray,
    lines: np.ndarray,
    u: np.ndarray,
    columns: np.ndarray,
    v: np.ndarray,
    whole: np.ndarray,
    shared: bool,
    scratch: np.ndarray,
) -> None:
    """Add u[l] v[q] to W[lines[l], columns[q]].

    Parameters are those of `dot_lines` and `sum_lines`, but that `scratch` is as long as `lines`; `shared` says whether
    other threads have read these weights: then they are asked for some lines ahead, to write.
    """
    if is_wide(columns.size, W.shape[1]):
        dot_and_add(W, lines, columns, whole, u, scratch)
        return
    fours = lines.size - lines.size % 4
    if shared:
        for first in range(0, fours, 4):
            _LISTED_ADD_SHARED(W, lines, columns, u, v, first)
    else:
        for first in range(0, fours, 4):
            _LISTED_ADD_4(W, lines, columns, u, v, first)
    for first in range(fours, lines.size):
        _LISTED_ADD_1(W, lines, columns, u, v, first)
