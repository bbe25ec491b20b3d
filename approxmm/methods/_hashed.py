"""The hash indexes of all layers in one state, and what the LSH methods do with them.

`approxmm.hashing` knows one index at a time. Here the arrays of all layers' indexes are packed, and compiled code
gets a layer's index back as views.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from approxmm.compile import compiled, copy_into
from approxmm.hashing import (
    HashIndex,
    Projections,
    QueryWorkspace,
    Tables,
    Transform,
    add_projections,
    build_index,
    check_fresh,
    draw_dense,
    draw_sparse,
    hash_listed,
    pool_listed,
    probe_codes,
    project_items,
    recode_item,
    recode_items,
    retrieve,
    squared_norms_into,
    step_items,
)
from approxmm.hashing.pooling import pool_into
from approxmm.locks import release, try_acquire
from approxmm.methods._packed import Packed, matrix_of, pack, vector_of
from approxmm.methods.operations import SparseVector
from approxmm.random import Key, generator

__all__ = [
    "SCALE_TURN",
    "HashShape",
    "LayerIndexes",
    "Retrieved",
    "build_indexes",
    "check_layer",
    "follow_changes",
    "follow_step",
    "index_of",
    "rehash",
    "search",
    "shrink_scale",
]

SCALE_TURN = 1024  # refreshes between looks at the norms
_TILE = 16  # columns copied together: reads share cache lines


class HashShape(NamedTuple):
    """K, L, groups of pooled inputs, and the density of the planes (1.0: dense Gaussian ones)."""

    bits: int
    tables: int
    pool: int
    density: float


class LayerIndexes(NamedTuple):
    """`HashIndex` of every layer: the settings they share, and their arrays, stacked by dtype.

    Attributes
    ----------
    transform : Transform
    shape : HashShape
    sizes : (L, 2) int64
        Each layer's numbers of inputs and of nodes.
    real : Packed
        Of the weights' dtype: the parts `_REAL`.
    double, long, short : Packed
        float64, int64 and int32: the parts `_DOUBLE`, `_LONG` and `_SHORT`.
    """

    transform: Transform
    shape: HashShape
    sizes: np.ndarray
    real: Packed
    double: Packed
    long: Packed
    short: Packed


_REAL = ("by_plane", "by_coordinate", "extra_planes", "query_shift", "raw")
_DOUBLE = ("scale", "squared_norms")
_LONG = ("starts", "codes", "keys", "locks", "refitting")
_SHORT = ("plane", "items", "offsets")


def build_indexes(weights: Sequence[np.ndarray], transform: Transform, shape: HashShape, key: Key) -> LayerIndexes:
    """Hash the columns of each layer's weights (n, m); layer l draws its hyperplanes with the key's layer + l."""
    indexes = [_build(W, transform, shape, key._replace(layer=key.layer + k)) for k, W in enumerate(weights)]
    refitting = {"refitting": np.zeros(1, np.int64)}  # 1 while a thread fits the scale
    fields = [index._asdict() | index.projections._asdict() | index.tables._asdict() | refitting for index in indexes]

    def stacked(names: tuple[str, ...], dtype: type | np.dtype) -> Packed:
        return pack([[arrays[name] for arrays in fields] for name in names], dtype)

    return LayerIndexes(
        transform,
        shape,
        np.array([W.shape for W in weights], dtype=np.int64).reshape(-1, 2),
        stacked(_REAL, indexes[0].raw.dtype if indexes else np.float64),
        stacked(_DOUBLE, np.float64),
        stacked(_LONG, np.int64),
        stacked(_SHORT, np.int32),
    )


def _build(weights: np.ndarray, transform: Transform, shape: HashShape, key: Key) -> HashIndex:
    items = np.ascontiguousarray(weights.T, dtype=weights.dtype if weights.dtype.kind == "f" else np.float64)
    size = (items.shape[1], shape.bits, shape.tables, transform)
    if shape.density == 1.0:
        planes = draw_dense(generator(key), *size, pool=shape.pool, dtype=items.dtype)
    else:
        planes = draw_sparse(generator(key), *size, density=shape.density, pool=shape.pool, dtype=items.dtype)
    return build_index(items, planes, transform)


def check_layer(indexes: LayerIndexes, layer: int, weights: np.ndarray) -> None:
    """Raise InputError if the index of this layer is not that of these weights (n, m)."""
    check_fresh(index_of(indexes, layer), np.ascontiguousarray(weights.T))


@compiled
def index_of(indexes: LayerIndexes, layer: int) -> HashIndex:
    """Return a layer's index: views, so that what is written there is kept."""
    shape = indexes.shape
    real, at = indexes.real.flat, indexes.real.layout[layer]
    double, at_double = indexes.double.flat, indexes.double.layout[layer]
    long, at_long = indexes.long.flat, indexes.long.layout[layer]
    short, at_short = indexes.short.flat, indexes.short.layout[layer]
    projections = Projections(
        shape.bits,
        shape.tables,
        indexes.sizes[layer, 0],
        shape.pool,
        matrix_of(real, at[0]),
        matrix_of(real, at[1]),
        vector_of(long, at_long[0]),
        vector_of(short, at_short[0]),
        matrix_of(real, at[2]),
        vector_of(real, at[3]),
    )
    tables = Tables(
        shape.bits,
        matrix_of(long, at_long[1]),
        matrix_of(short, at_short[1]),
        matrix_of(short, at_short[2]),
        matrix_of(long, at_long[2]),
        vector_of(long, at_long[3]),
    )
    scale, squared_norms = vector_of(double, at_double[0]), vector_of(double, at_double[1])
    return HashIndex(indexes.transform, projections, scale, matrix_of(real, at[4]), squared_norms, tables)


@compiled
def _to_search(indexes: LayerIndexes, layer: int) -> tuple[Projections, Tables]:
    """Return what a query reads. Planes for items and items' codes, which it does not read, are something else here."""
    shape = indexes.shape
    real, at = indexes.real.flat, indexes.real.layout[layer]
    long, at_long = indexes.long.flat, indexes.long.layout[layer]
    short, at_short = indexes.short.flat, indexes.short.layout[layer]
    planes, keys = matrix_of(real, at[1]), matrix_of(long, at_long[2])
    starts, items = vector_of(long, at_long[0]), matrix_of(short, at_short[1])
    projections = Projections(
        shape.bits,
        shape.tables,
        indexes.sizes[layer, 0],
        shape.pool,
        planes,
        planes,
        starts,
        vector_of(short, at_short[0]),
        planes,
        vector_of(real, at[3]),
    )
    return projections, Tables(shape.bits, keys, items, matrix_of(short, at_short[2]), keys, starts)


class Retrieved(NamedTuple):
    """What a search found, and by what.

    Attributes
    ----------
    work : QueryWorkspace
        Holds the set.
    count : int
        Its size.
    tables : Tables
        Only what a search reads.
    codes : (L, probes) int64
        The buckets that were probed.
    items, values : 1-D arrays
        The query as it was hashed: its non-zeros, after pooling.
    """

    work: QueryWorkspace
    count: int
    tables: Tables
    codes: np.ndarray
    items: np.ndarray
    values: np.ndarray


@compiled
def search(indexes: LayerIndexes, layer: int, items: np.ndarray, values: np.ndarray, probes: int) -> Retrieved:
    """Retrieve the union of the probed buckets for a query given by its non-zeros.

    The memory is this call's own, so any thread may search, also while others change the tables.
    """
    projections, tables = _to_search(indexes, layer)
    dtype, nodes = projections.query_shift.dtype, indexes.sizes[layer, 1]
    if projections.pool > 1:
        groups = -(-projections.dimension // projections.pool)
        listed, value = np.empty(groups, np.int64), np.empty(groups, dtype)
        count = pool_listed(projections, items, values, np.zeros(groups, dtype), listed, value)
        items, values = listed[:count], value[:count]
    projected, codes = np.empty(projections.by_coordinate.shape[1], dtype), np.empty((projections.tables, 1), np.int64)
    hash_listed(projections, indexes.transform, items, values, projected, codes[:, 0])
    found = QueryWorkspace(np.empty(nodes + 1, np.int32), np.empty((nodes + 63) // 64, np.uint64))
    if probes > 1:
        probed = np.empty((projections.tables, probes), np.int64)
        probe_codes(projected, projections.bits, codes[:, 0].copy(), probed)
        codes = probed
    return Retrieved(found, retrieve(tables, codes, found), tables, codes, items, values)


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
def rehash(indexes: LayerIndexes, layer: int, weights: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """Make a layer's index what a new build with the same hyperplanes would be, after `changed` columns moved.

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
    scale = _fitted_scale(index)
    if scale == index.scale[0]:
        recode_items(index, changed)
    else:
        # A new scale moves every item's added coordinates, so all codes are packed again; nothing is projected again.
        index.scale[0] = scale
        recode_items(index, np.arange(index.raw.shape[0]))
    return rows


_ROOM = 0.5  # of the way from U to 1: how far the longest node may grow, scaled, before the scale is fitted again
_SHRUNK = 0.5  # the same for the longest node's shrinking, as a multiple of U


@compiled
def _refit(index: HashIndex, refitting: np.ndarray) -> None:
    """Fit the scale and pack all codes again, unless another thread is at it; nothing is projected again."""
    if try_acquire(refitting, 0):
        index.scale[0] = _fitted_scale(index)
        recode_items(index, np.arange(index.raw.shape[0]))
        release(refitting, 0)


@compiled
def _outgrown(index: HashIndex, node: int) -> bool:
    """Return whether a node is too long for the stored scale (which moves no code without added coordinates)."""
    limit = index.transform.limit + _ROOM * (1.0 - index.transform.limit)
    return index.transform.extras > 0 and index.squared_norms[node] * index.scale[0] ** 2 > limit**2


@compiled
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
    projected, squared_norm = np.zeros(index.raw.shape[1], index.raw.dtype), 0.0
    add_projections(index.projections, x.items[: x.size], x.values[: x.size], projected)
    for t in range(x.size):
        squared_norm += np.float64(x.values[t]) * np.float64(x.values[t])
    step_items(index, nodes, coefficients, projected, squared_norm, products)
    for node in nodes:
        if _outgrown(index, node):
            _refit(index, vector_of(indexes.long.flat, indexes.long.layout[layer, 4]))
            break


@compiled
def follow_changes(
    indexes: LayerIndexes, layer: int, node: int, items: np.ndarray, changes: np.ndarray, weights: np.ndarray
) -> None:
    """Follow ``W[items[i], node] += changes[i]``; `weights` are the new ones, and the index does not pool."""
    index = index_of(indexes, layer)
    add_projections(index.projections, items, changes, index.raw[node])
    squared = index.squared_norms[node]
    for i in range(items.size):
        change = np.float64(changes[i])
        squared += change * (2.0 * weights[items[i], node] - change)
    index.squared_norms[node] = max(squared, 0.0)
    recode_item(index, node)
    if _outgrown(index, node):
        _refit(index, vector_of(indexes.long.flat, indexes.long.layout[layer, 4]))


@compiled
def shrink_scale(indexes: LayerIndexes, layer: int) -> None:
    """Fit the scale if all nodes have become much shorter than it allows for: O(m), to be done now and then."""
    index = index_of(indexes, layer)
    if index.transform.extras > 0 and _fitted_scale(index) * _SHRUNK > index.scale[0]:
        _refit(index, vector_of(indexes.long.flat, indexes.long.layout[layer, 4]))
