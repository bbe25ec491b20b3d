"""The hash indexes of all layers in one state, and what the LSH methods do with them.

`approxmm.hashing` knows one index at a time. Here the arrays of all layers' indexes are packed, and compiled code
gets a layer's index back as views.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from approxmm.compile import borrowed, compiled, inlined, keep_alive
from approxmm.hashing import (
    HashIndex,
    Projections,
    QueryWorkspace,
    Tables,
    Transform,
    build_index,
    check_fresh,
    draw_dense,
    draw_sparse,
    hash_listed,
    pool_listed,
    probe_codes,
    retrieve,
)
from approxmm.methods._packed import Packed, matrix_of, pack, vector_of
from approxmm.random import Key, generator

__all__ = [
    "HashShape",
    "LayerIndexes",
    "Retrieved",
    "build_indexes",
    "check_layer",
    "index_of",
    "refitting_of",
    "search",
]


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
_LONG = ("starts", "codes", "keys", "locks", "refitting", "signs")
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
    # In plain Python the index's arrays share the ownership of their memory.
    check_fresh(cast(Any, index_of).py_func(indexes, layer), np.ascontiguousarray(weights.T))


@compiled
def index_of(indexes: LayerIndexes, layer: int) -> HashIndex:
    """Return a layer's index: views, so that what is written there is kept; for compiled code (see `vector_of`)."""
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
    raw, signs = matrix_of(real, at[4]), matrix_of(long, at_long[5])
    return HashIndex(indexes.transform, projections, scale, raw, squared_norms, signs, tables)


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
    size : int
        Of the set.
    tables : Tables
        Only what a search reads.
    codes : (L, probes) int64
        The buckets that were probed.
    items, values : 1-D arrays
        The query as it was hashed: its non-zeros, after pooling.
    """

    work: QueryWorkspace
    size: int
    tables: Tables
    codes: np.ndarray
    items: np.ndarray
    values: np.ndarray


@inlined
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
    hash_listed(projections, indexes.transform, items, values, borrowed(projected), borrowed(codes)[:, 0])
    found = QueryWorkspace(np.empty(nodes + 1, np.int32), np.empty((nodes + 63) // 64, np.uint64))
    if probes > 1:
        probed = np.empty((projections.tables, probes), np.int64)
        probe_codes(projected, projections.bits, codes[:, 0].copy(), probed)
        codes = probed
    count = retrieve(tables, borrowed(codes), borrowed(found))
    keep_alive(projected)
    return Retrieved(found, count, tables, codes, items, values)


@compiled
def refitting_of(indexes: LayerIndexes, layer: int) -> np.ndarray:
    """Return the lock of a layer's scale, (1,) int64."""
    return vector_of(indexes.long.flat, indexes.long.layout[layer, 4])
