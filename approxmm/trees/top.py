"""The largest leaves of a max-tree, by best-first search."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from approxmm.compile import compiled
from approxmm.trees.maxtree import MaxTrees

__all__ = ["top_leaves"]

_Floats = npt.NDArray[np.floating[Any]]


@compiled
def _sooner(nodes: _Floats, starts: npt.NDArray[np.int64], a: int, b: int) -> bool:
    """Return whether packed node `a` comes before `b`: larger maximum, or equal and further left."""
    level_a, level_b = a & 63, b & 63
    value_a, value_b = nodes[starts[level_a] + (a >> 6)], nodes[starts[level_b] + (b >> 6)]
    if value_a != value_b:
        return bool(value_a > value_b)
    return ((a >> 6) << level_a) < ((b >> 6) << level_b)


@compiled
def _sift_up(nodes: _Floats, starts: npt.NDArray[np.int64], heap: npt.NDArray[np.int64], i: int) -> None:
    while i > 0 and _sooner(nodes, starts, heap[i], heap[(i - 1) // 2]):
        heap[i], heap[(i - 1) // 2] = heap[(i - 1) // 2], heap[i]
        i = (i - 1) // 2


@compiled
def _sift_down(nodes: _Floats, starts: npt.NDArray[np.int64], heap: npt.NDArray[np.int64], size: int) -> None:
    i = 0
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and _sooner(nodes, starts, heap[child + 1], heap[child]):
            child += 1
        if not _sooner(nodes, starts, heap[child], heap[i]):
            return
        heap[i], heap[child] = heap[child], heap[i]
        i = child


@compiled
def top_leaves(trees: MaxTrees, tree: int, k: int, heap: npt.NDArray[np.int64], out: npt.NDArray[np.int32]) -> int:
    """List the k largest leaves, largest first, equal ones by lower index.

    Parameters
    ----------
    trees : MaxTrees
    tree : int
    k : int
        At most m are listed.
    heap : int64 array (at least k·⌈log2 m⌉ + 1,)
        Scratch: the frontier of a best-first search, nodes packed as 64·j + level.
    out : int32 array (at least min(k, m),)
        Written.

    Returns
    -------
    int
        min(k, m). Cost O(k log m log(k log m)), independent of m otherwise.
    """
    nodes, starts = trees.nodes[tree], trees.starts
    goal = min(k, starts[1])
    heap[0] = starts.shape[0] - 2
    size, count = 1, 0
    while count < goal:
        best = heap[0]
        level, j = best & 63, best >> 6
        if level == 0:
            out[count] = j
            count += 1
            size -= 1
            heap[0] = heap[size]
            _sift_down(nodes, starts, heap, size)
            continue
        heap[0] = (2 * j) << 6 | (level - 1)
        _sift_down(nodes, starts, heap, size)
        if 2 * j + 1 < starts[level] - starts[level - 1]:
            heap[size] = (2 * j + 1) << 6 | (level - 1)
            _sift_up(nodes, starts, heap, size)
            size += 1
    return count
