"""Products with a block of a weight matrix: some of its lines, some of its columns.

A line is what lies contiguously in memory: a node's weights, or an input's. Where many columns of a line are wanted
the whole line is read, in vectors; otherwise single elements are gathered.
"""

from __future__ import annotations

import numpy as np

from approxmm.compile import compiled, compiled_fast
from approxmm.engine.dense import add_outer, dot_rows, multiply

__all__ = ["add_block", "dot_lines", "is_wide", "sum_lines"]

_GATHER_COST = 10  # elements of a line that are read in vectors in the time of a gathered one


@compiled
def is_wide(size: int, width: int) -> bool:
    """Return whether so many of a line's elements are reached sooner by reading the whole line."""
    return size * _GATHER_COST > width


@compiled_fast
def _gathered_dot(line: np.ndarray, columns: np.ndarray, v: np.ndarray) -> float:
    total = line.dtype.type(0.0)
    for q in range(columns.size):
        total += v[q] * line[np.uint64(columns[q])]
    return total


@compiled
def dot_lines(W: np.ndarray, lines: np.ndarray, columns: np.ndarray, v: np.ndarray, whole: np.ndarray, out: np.ndarray) -> None:
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
        dot_rows(whole.reshape((1, whole.size)), W, lines, out.reshape((1, out.size)), 0, lines.size)
        return
    for l in range(lines.size):  # noqa: E741
        out[l] = _gathered_dot(W[lines[l]], columns, v)


@compiled
def sum_lines(W: np.ndarray, lines: np.ndarray, u: np.ndarray, columns: np.ndarray, scratch: np.ndarray, out: np.ndarray) -> None:
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
        multiply(u.reshape((1, u.size)), W, lines, scratch.reshape((1, width)), 0, width)
        for q in range(columns.size):
            out[q] = scratch[columns[q]]
        return
    out[:] = 0.0
    for l in range(lines.size):  # noqa: E741
        line, factor = W[lines[l]], u[l]
        for q in range(columns.size):
            out[q] += factor * line[np.uint64(columns[q])]


@compiled
def add_block(
    W: np.ndarray, lines: np.ndarray, u: np.ndarray, columns: np.ndarray, v: np.ndarray, whole: np.ndarray
) -> None:
    """Add u[l] v[q] to W[lines[l], columns[q]]; the parameters are those of `dot_lines` and `sum_lines`."""
    if is_wide(columns.size, W.shape[1]):
        one = W.dtype.type(1.0)
        add_outer(u.reshape((1, u.size)), whole.reshape((1, whole.size)), lines, W, one, 0, lines.size, 0)
        return
    for l in range(lines.size):  # noqa: E741
        line, factor = W[lines[l]], u[l]
        for q in range(columns.size):
            line[np.uint64(columns[q])] += factor * v[q]
