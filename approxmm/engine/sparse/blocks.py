"""Products with some lines of a weight matrix and some of its columns, read in blocks of neighbouring columns.

Vectors of numbers most of which are multiplied by 0 are read sooner than single numbers are gathered: side by side for
several lines, with fewer instructions, so that the processor looks farther ahead to what memory has to bring. Where
many columns are wanted whole lines are read, as in `approxmm.engine.sparse.products`.
"""

from __future__ import annotations

import numpy as np

from approxmm.compile import compiled
from approxmm.engine._block_tiles import BLOCK_BYTES, block_add_tile, block_dot_tile, block_sum_tile
from approxmm.engine.sparse.products import add_block, columns_read, dot_lines, sum_lines

__all__ = ["add_blocks", "dot_blocks", "sum_blocks"]

_DOT_4, _DOT_1 = block_dot_tile(4), block_dot_tile(1)
_SUM_4, _SUM_1 = block_sum_tile(4), block_sum_tile(1)
_ADD_4, _ADD_1 = block_add_tile(4), block_add_tile(1)
_DENSE = 4  # if of so many columns one is wanted, hardly a block is left out


@compiled
def _list_blocks(columns: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Return the first columns of the whole blocks that hold any of `columns`, which increase.

    None if these blocks are most of a line: then it is read as a whole, in longer vectors.
    """
    lanes, count, last = BLOCK_BYTES // W.itemsize, 0, -1
    blocks = np.empty(W.shape[1] // lanes + 1, np.int64)
    if columns.size * _DENSE > W.shape[1]:
        return blocks[:0]
    for q in range(columns.size):
        block = columns[q] & -lanes
        count += block != last
        blocks[count - 1] = last = block
    if 4 * count * lanes > 3 * W.shape[1]:
        return blocks[:0]
    count -= count > 0 and last + lanes > W.shape[1]
    return blocks[:count]


@compiled
def _reached(blocks: np.ndarray, W: np.ndarray) -> int:
    """Return how many columns the tiles read: the blocks' and those after the last whole block."""
    lanes = BLOCK_BYTES // W.itemsize
    count: int = blocks.size * lanes + W.shape[1] % lanes
    return count


@compiled
def dot_blocks(
    W: np.ndarray, lines: np.ndarray, columns: np.ndarray, v: np.ndarray, whole: np.ndarray, out: np.ndarray
) -> int:
    """Write W[lines[l]] · whole to out[l].

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

    Returns
    -------
    int
        How many columns of each line were read.
    """
    blocks, fours = _list_blocks(columns, W), lines.size - lines.size % 4
    if blocks.size == 0:
        dot_lines(W, lines, columns, v, whole, out)
        return columns_read(columns.size, W.shape[1])
    for first in range(0, fours, 4):
        _DOT_4(W, lines, blocks, whole, out, blocks.size, first)
    for first in range(fours, lines.size):
        _DOT_1(W, lines, blocks, whole, out, blocks.size, first)
    return _reached(blocks, W)


@compiled
def sum_blocks(
    W: np.ndarray, lines: np.ndarray, u: np.ndarray, columns: np.ndarray, scratch: np.ndarray, out: np.ndarray
) -> int:
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

    Returns
    -------
    int
        How many columns of each line were read.
    """
    blocks, fours = _list_blocks(columns, W), lines.size - lines.size % 4
    if blocks.size == 0:
        sum_lines(W, lines, u, columns, scratch, out)
        return columns_read(columns.size, W.shape[1])
    scratch[:] = 0.0
    for first in range(0, fours, 4):
        _SUM_4(W, lines, blocks, u, scratch, blocks.size, first)
    for first in range(fours, lines.size):
        _SUM_1(W, lines, blocks, u, scratch, blocks.size, first)
    for q in range(columns.size):
        out[q] = scratch[columns[q]]
    return _reached(blocks, W)


@compiled
def add_blocks(
    W: np.ndarray,
    lines: np.ndarray,
    u: np.ndarray,
    columns: np.ndarray,
    v: np.ndarray,
    whole: np.ndarray,
    scratch: np.ndarray,
) -> int:
    """Add u[l] · whole to W[lines[l]]; parameters and result as above, but that `scratch` is as long as `lines`."""
    blocks, fours = _list_blocks(columns, W), lines.size - lines.size % 4
    if blocks.size == 0:
        add_block(W, lines, u, columns, v, whole, scratch)
        return columns_read(columns.size, W.shape[1])
    for first in range(0, fours, 4):
        _ADD_4(W, lines, blocks, u, whole, blocks.size, first)
    for first in range(fours, lines.size):
        _ADD_1(W, lines, blocks, u, whole, blocks.size, first)
    return _reached(blocks, W)
