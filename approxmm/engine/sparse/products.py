"""Products with a block of a weight matrix: some of its lines, some of its columns.

A line is what lies contiguously in memory: a node's weights, or an input's. Where many columns of a line are wanted
the whole line is read, in vectors; otherwise single elements are gathered.
"""

from __future__ import annotations

import numpy as np

from approxmm.compile import compiled, compiled_fast
from approxmm.engine._tiles import dot_add_tile, dot_tile, multiply_tile

__all__ = ["add_block", "dot_and_add", "dot_lines", "is_wide", "sum_lines", "sum_whole_lines"]

_GATHER_COST = 10  # elements of a line that are read in vectors in the time of a gathered one
_BLOCK = 8  # lines whose sum is formed together: as many streams as the memory's prefetcher follows
_SUM_8, _SUM_1 = multiply_tile(1, 8, False), multiply_tile(1, 1, True)
_DOT_4, _DOT_1 = dot_tile(1, 4, ahead=True), dot_tile(1, 1)
_DOT_ADD_4, _DOT_ADD_1 = dot_add_tile(4), dot_add_tile(1)


@compiled
def is_wide(size: int, width: int) -> bool:
    """Return whether so many of a line's elements are reached sooner by reading the whole line."""
    return size * _GATHER_COST > width


@compiled_fast
def _gathered_dot(line: np.ndarray, columns: np.ndarray, v: np.ndarray) -> float:
    total: float = line.dtype.type(0.0)
    for q in range(columns.size):
        total += v[q] * line[np.uint64(columns[q])]
    return total


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
    if is_wide(columns.size, W.shape[1]):
        fours = lines.size - lines.size % 4
        for first in range(0, fours, 4):
            _DOT_4(out, whole, W, lines, 0, first, lines.size)
        for first in range(fours, lines.size):
            _DOT_1(out, whole, W, lines, 0, first, lines.size)
        return
    for l in range(lines.size):  # noqa: E741
        out[l] = _gathered_dot(W[lines[l]], columns, v)


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
    for l in range(lines.size):  # noqa: E741
        line, factor = W[lines[l]], u[l]
        for q in range(columns.size):
            out[q] += factor * line[np.uint64(columns[q])]


@compiled
def dot_and_add(W: np.ndarray, lines: np.ndarray, whole: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    """Write W[lines] · whole to `out`, and add u[l] · whole to W[lines[l]] in the same pass."""
    fours = lines.size - lines.size % 4
    for first in range(0, fours, 4):
        _DOT_ADD_4(W, whole, lines, u, out, first)
    for first in range(fours, lines.size):
        _DOT_ADD_1(W, whole, lines, u, out, first)


@compiled
def add_block(
    W: np.ndarray,
    lines: np.ndarray,
    u: np.ndarray,
    columns: np.ndarray,
    v: np.ndarray,
    whole: np.ndarray,
    scratch: np.ndarray,
) -> None:
    """Add u[l] v[q] to W[lines[l], columns[q]].

    Parameters are those of `dot_lines` and `sum_lines`, but that `scratch` is as long as `lines`.
    """
    if is_wide(columns.size, W.shape[1]):
        dot_and_add(W, lines, whole, u, scratch)
        return
    for l in range(lines.size):  # noqa: E741
        line, factor = W[lines[l]], u[l]
        for q in range(columns.size):
            line[np.uint64(columns[q])] += factor * v[q]
