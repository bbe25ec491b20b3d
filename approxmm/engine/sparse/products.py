"""Products with a block of a weight matrix: some of its lines, some of its columns.

A line is what lies contiguously in memory: a node's weights, or an input's. Where many columns of a line are wanted
the whole line is read, otherwise the blocks of neighbours that hold a wanted one: vectors of numbers most of which are
multiplied by 0 are read sooner than single numbers are gathered.
"""

from __future__ import annotations

import numpy as np

from approxmm.compile import compiled
from approxmm.engine._block_tiles import BLOCK_BYTES, block_add_tile, block_dot_tile, block_sum_tile
from approxmm.engine._tiles import dot_add_tile, dot_tile, multiply_tile

__all__ = ["add_block", "dot_and_add", "dot_lines", "is_wide", "sum_lines", "sum_whole_lines"]

_MANY = 10  # of so many columns one is wanted, at random: then 57 % of the blocks of float32 are read
_BLOCK = 8  # lines whose sum is formed together: as many streams as the memory's prefetcher follows
_SUM_8, _SUM_1 = multiply_tile(1, 8, False), multiply_tile(1, 1, True)
_DOT_4, _DOT_1 = dot_tile(1, 4, ahead=True), dot_tile(1, 1)
_DOT_ADD_4, _DOT_ADD_1 = dot_add_tile(4), dot_add_tile(1)
_SOME_DOT_4, _SOME_DOT_1 = block_dot_tile(4), block_dot_tile(1)
_SOME_SUM_4, _SOME_SUM_1 = block_sum_tile(4), block_sum_tile(1)
_SOME_ADD_4, _SOME_ADD_1 = block_add_tile(4), block_add_tile(1)


@compiled
def is_wide(size: int, width: int) -> bool:
    """Return whether so many columns leave few blocks of a line out."""
    return size * _MANY > width


@compiled
def _list_blocks(columns: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Return the first columns of the whole blocks that hold any of `columns`, which increase."""
    lanes, count, last = BLOCK_BYTES // W.itemsize, 0, -1
    blocks = np.empty(W.shape[1] // lanes + 1, np.int64)
    for q in range(columns.size):
        block = columns[q] & -lanes
        count += block != last
        blocks[count - 1] = last = block
    count -= count > 0 and last + lanes > W.shape[1]
    return blocks[:count]


@compiled
def _reached(blocks: np.ndarray, W: np.ndarray) -> int:
    """Return how many columns the tiles read: the blocks' and those after the last whole block."""
    lanes = BLOCK_BYTES // W.itemsize
    count: int = blocks.size * lanes + W.shape[1] % lanes
    return count


@compiled
def dot_lines(W: np.ndarray, lines: np.ndarray, columns: np.ndarray, whole: np.ndarray, out: np.ndarray) -> int:
    """Write W[lines[l]] · whole to out[l]; return how many columns of each line were read.

    Parameters
    ----------
    W : (lines, width) float array
    lines, columns : int64 arrays
        Increasing.
    whole : (width,) float array
        Zeros but at `columns`.
    out : float array
        As long as `lines`; written.
    """
    fours = lines.size - lines.size % 4
    if is_wide(columns.size, W.shape[1]):
        for first in range(0, fours, 4):
            _DOT_4(out, whole, W, lines, 0, first, lines.size)
        for first in range(fours, lines.size):
            _DOT_1(out, whole, W, lines, 0, first, lines.size)
        return W.shape[1]
    blocks = _list_blocks(columns, W)
    for first in range(0, fours, 4):
        _SOME_DOT_4(W, lines, blocks, whole, out, blocks.size, first)
    for first in range(fours, lines.size):
        _SOME_DOT_1(W, lines, blocks, whole, out, blocks.size, first)
    return _reached(blocks, W)


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
) -> int:
    """Write Σ_l u[l] W[lines[l], columns[q]] to out[q]; return how many columns of each line were read.

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
    scratch[:] = 0.0
    read = W.shape[1]
    if is_wide(columns.size, read):
        sum_whole_lines(W, lines, u, scratch)
    else:
        blocks, fours = _list_blocks(columns, W), lines.size - lines.size % 4
        for first in range(0, fours, 4):
            _SOME_SUM_4(W, lines, blocks, u, scratch, blocks.size, first)
        for first in range(fours, lines.size):
            _SOME_SUM_1(W, lines, blocks, u, scratch, blocks.size, first)
        read = _reached(blocks, W)
    for q in range(columns.size):
        out[q] = scratch[columns[q]]
    return read


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
    whole: np.ndarray,
    scratch: np.ndarray,
) -> int:
    """Add u[l] · whole to W[lines[l]]; return how many columns of each line were read.

    Parameters are those of `dot_lines` and `sum_lines`, but that `scratch` is as long as `lines`.
    """
    if is_wide(columns.size, W.shape[1]):
        dot_and_add(W, lines, whole, u, scratch)
        return W.shape[1]
    blocks, fours = _list_blocks(columns, W), lines.size - lines.size % 4
    for first in range(0, fours, 4):
        _SOME_ADD_4(W, lines, blocks, u, whole, blocks.size, first)
    for first in range(fours, lines.size):
        _SOME_ADD_1(W, lines, blocks, u, whole, blocks.size, first)
    return _reached(blocks, W)
