"""Binary max-trees as implicit arrays, one tree a row.

Level 0 holds the m leaves in order, level h + 1 the maxima of pairs of level h
(a last, odd node is copied up), the top level the root. All levels of a tree lie
one behind the other in one row, so that the leaves are a contiguous slice and
no leaf is padded. Queries walk without recursion or stack.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from approxmm.compile import compiled
from approxmm.errors import InputError

__all__ = [
    "MaxTrees",
    "allocate_trees",
    "build_trees",
    "leaves_above",
    "rebuild_tree",
    "set_leaf",
    "trees_bytes",
]

_Floats = npt.NDArray[np.floating[Any]]


class MaxTrees(NamedTuple):
    """A batch of max-trees over m leaves each.

    Attributes
    ----------
    nodes : float array (trees, size)
        `nodes[t, starts[h] + j]` is node j of level h of tree t; `nodes[t, :m]` are its leaves.
    starts : int64 array (levels + 1,)
        Where each level begins, and `size` at the end; levels = ⌈log2 m⌉ + 1 and size < 2m + levels.
    """

    nodes: _Floats
    starts: npt.NDArray[np.int64]


def allocate_trees(trees: int, leaves: int, dtype: npt.DTypeLike = np.float64) -> MaxTrees:
    """Allocate `trees` max-trees over `leaves` leaves, all −inf.

    Raises
    ------
    InputError
        For a negative number of trees or no leaf.
    """
    if trees < 0:
        raise InputError(f"trees = {trees}: must be at least 0; pass one row of leaves per tree")
    starts = _level_starts(leaves)
    return MaxTrees(np.full((trees, int(starts[-1])), -np.inf, dtype), starts)


def build_trees(leaves: npt.ArrayLike) -> MaxTrees:
    """Build one tree per row.

    Parameters
    ----------
    leaves : float array (trees, m)
        −inf and +inf are allowed, NaN is not. Copied, not modified.

    Returns
    -------
    MaxTrees
        Of the leaves' dtype (integers become float64). Cost: fewer than m + log2 m comparisons a tree.

    Raises
    ------
    InputError
        If the leaves are not a two-dimensional array of float32 or float64 without NaN, or a row is empty.
    """
    values = np.asarray(leaves)
    if values.ndim != 2:
        raise InputError(f"leaves has {values.ndim} dimensions: must have 2; pass one row per tree")
    if values.dtype.kind in "iu":
        values = values.astype(np.float64)
    if values.dtype not in (np.float32, np.float64):
        raise InputError(f"leaves has dtype {values.dtype}: must be float32 or float64; convert it with astype first")
    if np.isnan(values).any():
        raise InputError("leaves contains nan: must be numbers or infinities; use -inf for leaves that never fire")
    made = allocate_trees(values.shape[0], values.shape[1], values.dtype)
    made.nodes[:, : values.shape[1]] = values
    for tree in range(values.shape[0]):
        rebuild_tree(made, tree)
    return made


def trees_bytes(trees: int, leaves: int, itemsize: int = 8) -> int:
    """Memory of such trees in bytes: itemsize · (fewer than 2m + log2 m + 1 nodes) a tree."""
    starts = _level_starts(leaves)
    return itemsize * trees * int(starts[-1]) + int(starts.nbytes)


def _level_starts(leaves: int) -> npt.NDArray[np.int64]:
    if leaves < 1:
        raise InputError(f"leaves = {leaves}: a tree must have at least 1; leave the tree out instead")
    sizes = [leaves]
    while sizes[-1] > 1:
        sizes.append((sizes[-1] + 1) // 2)
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


@compiled
def rebuild_tree(trees: MaxTrees, tree: int) -> None:
    """Recompute the inner nodes of one tree from its leaves. Cost O(m)."""
    nodes, starts = trees.nodes[tree], trees.starts
    for level in range(starts.shape[0] - 2):
        below, size = starts[level], starts[level + 1] - starts[level]
        above = starts[level + 1]
        for j in range(size // 2):
            left, right = nodes[below + 2 * j], nodes[below + 2 * j + 1]
            nodes[above + j] = left if left > right else right
        if size % 2 == 1:
            nodes[above + size // 2] = nodes[below + size - 1]


@compiled
def set_leaf(trees: MaxTrees, tree: int, leaf: int, value: float) -> None:
    """Change one leaf and the maxima above it. Cost O(log m), less where a maximum stays. NaN must not be passed."""
    nodes, starts = trees.nodes[tree], trees.starts
    nodes[leaf] = value
    j = leaf
    for level in range(starts.shape[0] - 2):
        below, size = starts[level], starts[level + 1] - starts[level]
        j //= 2
        best = nodes[below + 2 * j]
        if 2 * j + 1 < size and nodes[below + 2 * j + 1] > best:
            best = nodes[below + 2 * j + 1]
        if nodes[starts[level + 1] + j] == best:
            return
        nodes[starts[level + 1] + j] = best


@compiled
def leaves_above(trees: MaxTrees, tree: int, threshold: float, out: npt.NDArray[np.int32]) -> tuple[int, int]:
    """List the leaves strictly above a threshold.

    Parameters
    ----------
    trees : MaxTrees
    tree : int
    threshold : float
        Leaves equal to it are not listed. It is compared in double precision with the stored values.
    out : int32 array (m,)
        Written: the leaves' indices, ascending.

    Returns
    -------
    count : int
        k, the number of leaves found.
    visited : int
        Nodes looked at: at most 1 + 2·k·⌈log2 m⌉, since only the ancestors of found leaves are opened.
    """
    nodes, starts = trees.nodes[tree], trees.starts
    top = starts.shape[0] - 2
    level, j, count, visited = top, 0, 0, 0
    while True:
        visited += 1
        if nodes[starts[level] + j] > threshold:
            if level > 0:
                level -= 1
                j *= 2
                continue
            out[count] = j
            count += 1
        # On to the right sibling, from the nearest ancestor that has one.
        while level < top and (j % 2 == 1 or j + 1 == starts[level + 1] - starts[level]):
            level += 1
            j //= 2
        if level == top:
            return count, visited
        j += 1
