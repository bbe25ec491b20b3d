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
    HashWorkspace,
    Projections,
    QueryWorkspace,
    Tables,
    Transform,
    build_index,
    check_fresh,
    draw_dense,
    draw_sparse,
    hash_vector,
    probe_codes,
    project_items,
    recode_items,
    retrieve,
    squared_norms_into,
)
from approxmm.hashing.pooling import pool_into
from approxmm.methods._packed import Packed, matrix_of, pack, vector_of
from approxmm.random import Key, generator

__all__ = ["HashShape", "LayerIndexes", "build_indexes", "check_layer", "index_of", "list_in_order", "rehash", "search"]

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
_LONG = ("starts", "codes", "keys")
_SHORT = ("plane", "items", "offsets")


def build_indexes(weights: Sequence[np.ndarray], transform: Transform, shape: HashShape, key: Key) -> LayerIndexes:
    """Hash the columns of each layer's weights (n, m); layer l draws its hyperplanes with the key's layer + l."""
    indexes = [_build(W, transform, shape, key._replace(layer=key.layer + k)) for k, W in enumerate(weights)]
    fields = [index._asdict() | index.projections._asdict() | index.tables._asdict() for index in indexes]

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
    projections = Projections(
        shape.bits,
        shape.tables,
        indexes.sizes[layer, 0],
        shape.pool,
        planes,
        planes,
        vector_of(long, at_long[0]),
        vector_of(short, at_short[0]),
        planes,
        vector_of(real, at[3]),
    )
    return projections, Tables(shape.bits, keys, matrix_of(short, at_short[1]), matrix_of(short, at_short[2]), keys)


@compiled
def search(indexes: LayerIndexes, layer: int, query: np.ndarray, probes: int) -> tuple[QueryWorkspace, int]:
    """Retrieve the union of the probed buckets; the memory is this call's own, so any thread may search."""
    projections, tables = _to_search(indexes, layer)
    planes, nodes = projections.query_shift.size, indexes.sizes[layer, 1]
    groups = -(-projections.dimension // projections.pool)
    dtype = projections.query_shift.dtype
    work = HashWorkspace(
        np.empty(max(planes, projections.by_coordinate.shape[1]), dtype),
        np.zeros(groups if projections.pool > 1 else 0, dtype),
        np.empty(groups, np.uint32),
        np.empty(groups, dtype),
    )
    codes = np.empty((projections.tables, 1), np.int64)
    hash_vector(projections, indexes.transform, query, work, codes[:, 0])
    found = QueryWorkspace(np.empty(nodes + 1, np.int32), np.empty(nodes, np.int32))
    if probes == 1:
        return found, retrieve(tables, codes, found)
    probed = np.empty((projections.tables, probes), np.int64)
    probe_codes(work.projected, projections.bits, codes[:, 0].copy(), probed)
    return found, retrieve(tables, probed, found)


@compiled
def list_in_order(work: QueryWorkspace, index: np.ndarray) -> None:
    """Write the items found to `index`, increasing, in one pass over all items instead of a sort."""
    last, position = work.frequency.size - 1, 0
    for j in range(last):
        # Written always and kept only if found: a branch would be guessed wrong.
        index[position] = j
        position += work.frequency[j] != 0
    if work.frequency[last] != 0:
        index[position] = last


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
    raw, squared = np.empty((changed.size, index.raw.shape[1]), index.raw.dtype), np.empty(changed.size)
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
