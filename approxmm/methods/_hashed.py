"""The hash indexes of all layers in one state, and what the LSH methods do with them.

`approxmm.hashing` knows one index at a time. Here the arrays of all layers' indexes are packed, and compiled code
gets a layer's index back as views.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from approxmm.compile import compiled
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
    pack_items,
    probe_codes,
    project_items,
    rebuild_tables,
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
    """`HashIndex` of every layer, field by field; `scale` is float64 (L,), `inputs` int64 (L,)."""

    transform: Transform
    shape: HashShape
    inputs: np.ndarray
    by_plane: Packed
    by_coordinate: Packed
    starts: Packed
    plane: Packed
    sign: Packed
    extra_planes: Packed
    query_shift: Packed
    scale: np.ndarray
    raw: Packed
    squared_norms: Packed
    codes: Packed
    items: Packed
    offsets: Packed
    keys: Packed


def build_indexes(weights: Sequence[np.ndarray], transform: Transform, shape: HashShape, key: Key) -> LayerIndexes:
    """Hash the columns of each layer's weights (n, m); layer l draws its hyperplanes with the key's layer + l."""
    indexes = [_build(W, transform, shape, key._replace(layer=key.layer + k)) for k, W in enumerate(weights)]
    real = indexes[0].raw.dtype if indexes else np.dtype(np.float64)
    kinds = {"starts": np.int64, "plane": np.int32, "sign": np.int8, "squared_norms": np.float64}
    kinds |= {"codes": np.int64, "items": np.int32, "offsets": np.int32, "keys": np.int64}

    def packed(name: str) -> Packed:
        arrays = [index._asdict() | index.projections._asdict() | index.tables._asdict() for index in indexes]
        return pack([fields[name] for fields in arrays], kinds.get(name, real))

    return LayerIndexes(
        transform=transform,
        shape=shape,
        inputs=np.array([W.shape[0] for W in weights], dtype=np.int64),
        scale=np.array([index.scale[0] for index in indexes]),
        **{name: packed(name) for name, kind in LayerIndexes.__annotations__.items() if "Packed" in str(kind)},
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
    projections = Projections(
        shape.bits,
        shape.tables,
        indexes.inputs[layer],
        shape.pool,
        matrix_of(indexes.by_plane, layer),
        matrix_of(indexes.by_coordinate, layer),
        vector_of(indexes.starts, layer),
        vector_of(indexes.plane, layer),
        vector_of(indexes.sign, layer),
        matrix_of(indexes.extra_planes, layer),
        vector_of(indexes.query_shift, layer),
    )
    tables = Tables(
        shape.bits,
        matrix_of(indexes.codes, layer),
        matrix_of(indexes.items, layer),
        matrix_of(indexes.offsets, layer),
        matrix_of(indexes.keys, layer),
    )
    scale = indexes.scale[layer : layer + 1]
    raw, squared_norms = matrix_of(indexes.raw, layer), vector_of(indexes.squared_norms, layer)
    return HashIndex(indexes.transform, projections, scale, raw, squared_norms, tables)


@compiled
def search(index: HashIndex, query: np.ndarray, probes: int) -> tuple[QueryWorkspace, int]:
    """Retrieve the union of the probed buckets; the memory is this call's own, so any thread may search.

    The workspace can rank by frequency; it has no room for `fill_random`.
    """
    projections, nodes = index.projections, index.raw.shape[0]
    planes = projections.query_shift.size
    groups = -(-projections.dimension // projections.pool)
    dtype = projections.query_shift.dtype
    work = HashWorkspace(
        np.zeros(max(planes, projections.by_coordinate.shape[1]), dtype),
        np.zeros(groups if projections.pool > 1 else 0, dtype),
        np.empty(groups, np.int64),
        np.empty(groups, dtype),
    )
    codes = np.empty((projections.tables, 1), np.int64)
    hash_vector(projections, index.transform, query, work, codes[:, 0])
    found = QueryWorkspace(
        np.empty(nodes, np.int32),
        np.empty(nodes, np.int32),
        np.zeros(nodes, np.int64),
        np.zeros(1, np.int64),
        np.empty(0, np.int32),
        np.empty(0, np.int32),
        np.empty(0, np.int32),
        np.empty(nodes, np.int32),
        np.zeros(projections.tables + 2, np.int64),
    )
    if probes == 1:
        return found, retrieve(index.tables, codes, found)
    probed = np.empty((projections.tables, probes), np.int64)
    probe_codes(work.projected, projections.bits, codes[:, 0].copy(), probed)
    return found, retrieve(index.tables, probed, found)


@compiled
def list_in_order(work: QueryWorkspace, count: int, index: np.ndarray) -> None:
    """Write the first `count` items found to `index`, increasing, in one pass over all items instead of a sort."""
    chosen = np.zeros(work.found.size, np.uint8)
    for i in range(count):
        chosen[work.found[i]] = 1
    last, position = work.found.size - 1, 0
    for j in range(last):
        # Written always and kept only if chosen: a branch would be guessed wrong.
        index[position] = j
        position += chosen[j]
    if chosen[last]:
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
        index.raw[changed[i]] = raw[i]
        index.squared_norms[changed[i]] = squared[i]
    scale = _fitted_scale(index)
    if scale == index.scale[0]:
        recode_items(index, changed)
        return rows
    # A new scale moves every item's added coordinates, so all codes are packed again; nothing is projected again.
    index.scale[0] = scale
    pack_items(index.projections, index.transform, scale, index.raw, index.squared_norms, index.tables.codes)
    rebuild_tables(index.tables, 0, index.tables.codes.shape[0])
    return rows
