"""Keeping the hash indexes of `approxmm.methods._hashed` true to weights that change."""

from __future__ import annotations

import numpy as np

from approxmm.compile import borrowed, compiled, copy_into, inlined, keep_alive
from approxmm.hashing import (
    HashIndex,
    Transform,
    add_projections,
    project_items,
    recode_items,
    squared_norm,
    squared_norms_into,
    step_items,
)
from approxmm.hashing.pooling import pool_into
from approxmm.locks import release, try_acquire
from approxmm.methods._hashed import LayerIndexes, index_of, refitting_of
from approxmm.methods.operations import SparseVector
from approxmm.prefetch import prefetch

__all__ = ["SCALE_TURN", "follow_changes", "follow_step", "rehash", "shrink_scale"]

SCALE_TURN = 1024  # refreshes between looks at the norms
_TILE = 16  # columns copied together: reads share cache lines


@compiled
def _columns(weights: np.ndarray, changed: np.ndarray, pool: int) -> np.ndarray:
    """Return the changed columns of `weights` (n, m) as rows, pooled."""
    n, count = weights.shape[0], changed.size
    rows = np.empty((count, n), weights.dtype)
    for first in range(0, count, _TILE):
        for k in range(n):
            for i in range(first, min(first + _TILE, count)):
                rows[i, k] = weights[k, changed[i]]
    if pool == 1:
        return rows
    pooled = np.empty((count, -(-n // pool)), weights.dtype)
    pool_into(rows, np.arange(count), pool, pooled)
    return pooled


@compiled
def _fitted_scale(index: HashIndex) -> float:
    largest = 0.0
    for squared in index.squared_norms:
        largest = max(largest, squared)
    return index.transform.limit / np.sqrt(largest) if largest > 0.0 else 1.0


@compiled
def _recode(index: HashIndex, changed: np.ndarray) -> None:
    """Do `recode_items`, where it is not for a step's few nodes: one copy of its code for all that need it rarely."""
    recode_items(index, changed)


_ROOM = 0.5  # of the way from U to 1: how far the longest node may grow, scaled, before the scale is fitted again
_SHRUNK = 0.5  # the same for the longest node's shrinking, as a multiple of U


@compiled
def _refit(index: HashIndex, refitting: np.ndarray) -> None:
    """Fit the scale and pack all codes again, unless another thread is at it; nothing is projected again."""
    if try_acquire(refitting, 0):
        index.scale[0] = _fitted_scale(index)
        _recode(index, np.arange(index.raw.shape[0]))
        release(refitting, 0)


@compiled
def _outgrown(transform: Transform, scale: float, squared_norms: np.ndarray, nodes: np.ndarray) -> bool:
    """Return whether a node is too long for the stored scale, which moves no code without added coordinates."""
    limit, longest = transform.limit + _ROOM * (1.0 - transform.limit), 0.0
    for node in nodes:
        longest = max(longest, squared_norms[node])
    return transform.extras > 0 and longest * scale**2 > limit**2


@compiled
def rehash(indexes: LayerIndexes, layer: int, weights: np.ndarray, changed: np.ndarray, fit: bool) -> np.ndarray:
    """Hash the `changed` columns of `weights` (n, m) anew, with the index's hyperplanes.

    Parameters
    ----------
    fit : bool
        At the scale of a new build, whose index it then is if nothing else has moved; otherwise at the stored scale,
        which moves where `follow_step` would move it.

    Returns
    -------
    (c, groups) array
        The changed columns as rows, pooled: what the index now holds for them.
    """
    index = index_of(indexes, layer)
    rows = _columns(weights, changed, index.projections.pool)
    local = np.arange(changed.size)
    raw, squared = np.zeros((changed.size, index.raw.shape[1]), index.raw.dtype), np.empty(changed.size)
    project_items(index.projections, rows, local, 0, changed.size, raw)
    squared_norms_into(rows, local, 0, changed.size, squared)
    for i in range(changed.size):
        copy_into(index.raw[changed[i]], raw[i])
        index.squared_norms[changed[i]] = squared[i]
    if fit:
        scale = _fitted_scale(index)
        # A new scale moves every item's added coordinates, so all codes are packed again; nothing is projected again.
        moved = changed if scale == index.scale[0] else np.arange(index.raw.shape[0])
        index.scale[0] = scale
        _recode(index, moved)
        return rows
    _recode(index, changed)
    if _outgrown(index.transform, index.scale[0], index.squared_norms, changed):
        _refit(index, refitting_of(indexes, layer))
    return rows


@compiled
def _fetch(raw: np.ndarray, squared_norms: np.ndarray, signs: np.ndarray, nodes: np.ndarray) -> None:
    """Ask for what is stored of the nodes."""
    width, line = raw.shape[1], 64 // raw.itemsize
    for node in nodes:
        prefetch(squared_norms, node)
        prefetch(signs, node * signs.shape[1])
        for p in range(0, width, line):
            prefetch(raw, node * width + p)


@inlined
def follow_step(
    indexes: LayerIndexes,
    layer: int,
    x: SparseVector,
    nodes: np.ndarray,
    coefficients: np.ndarray,
    products: np.ndarray,
) -> None:
    """Follow ``W[:, nodes[j]] += coefficients[j] · x`` without reading the weights; the index does not pool.

    The codes are those of a full build at the stored scale, which follows the longest node only when it has outgrown
    it by half of the room above U (or, see `shrink_scale`, has become much too long for it).
    """
    index = index_of(indexes, layer)
    _fetch(index.raw, index.squared_norms, index.signs, nodes)
    owned = np.zeros(index.raw.shape[1], index.raw.dtype)
    projected = borrowed(owned)
    add_projections(index.projections, x.items[: x.size], x.values[: x.size], projected)
    step_items(index, nodes, coefficients, projected, squared_norm(x.values[: x.size]), products)
    keep_alive(owned)
    if _outgrown(index.transform, index.scale[0], index.squared_norms, nodes):
        _refit(index, refitting_of(indexes, layer))


@compiled
def _squared_change(weights: np.ndarray, items: np.ndarray, node: int, changes: np.ndarray) -> float:
    """Return by how much a node's squared norm grew, from what changed and is now."""
    total = 0.0
    for i in range(items.size):
        change = np.float64(changes[i])
        total += change * (2.0 * weights[items[i], node] - change)
    return total


@inlined
def follow_changes(
    indexes: LayerIndexes, layer: int, nodes: np.ndarray, items: np.ndarray, changes: np.ndarray, weights: np.ndarray
) -> None:
    """Follow ``W[items[i], nodes[j]] += changes[j, i]``; `weights` are the new ones, and the index does not pool."""
    index = index_of(indexes, layer)
    raw, squared_norms = index.raw, index.squared_norms
    projections = index.projections
    for j in range(nodes.size):
        node = nodes[j]
        add_projections(projections, items, changes[j], raw[node])
        squared_norms[node] = max(squared_norms[node] + _squared_change(weights, items, node, changes[j]), 0.0)
    recode_items(index, nodes)
    if _outgrown(index.transform, index.scale[0], squared_norms, nodes):
        _refit(index, refitting_of(indexes, layer))


@inlined
def shrink_scale(indexes: LayerIndexes, layer: int) -> None:
    """Fit the scale if all nodes have become much shorter than it allows for: O(m), to be done now and then."""
    index = index_of(indexes, layer)
    if index.transform.extras > 0 and _fitted_scale(index) * _SHRUNK > index.scale[0]:
        _refit(index, refitting_of(indexes, layer))
