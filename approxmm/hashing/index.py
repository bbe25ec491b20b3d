"""The hash index of a set of items: transform, hyperplanes, projections and tables in one state.

The raw projections (n × K·L) and squared norms of the items are kept beside
the tables. They make three kinds of upkeep cheap: changed items are projected
alone, a step of plain gradient descent updates projections without touching
the items at all, and a new scale repacks the codes without projecting again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from approxmm._compile import compiled
from approxmm.errors import InputError
from approxmm.hashing._checks import Floats, check_indices, check_matrix, check_vector
from approxmm.hashing.parallel import in_shards
from approxmm.hashing.pooling import pool_into, pool_rows
from approxmm.hashing.projections import Projections
from approxmm.hashing.query import QueryWorkspace, query_workspace, retrieve
from approxmm.hashing.signatures import (
    HashWorkspace,
    hash_vector,
    hash_workspace,
    pack_items,
    project_items,
    squared_norms_into,
)
from approxmm.hashing.tables import Tables, allocate_tables, rebuild_tables, update_tables
from approxmm.hashing.transforms import Transform, fit_scale

__all__ = [
    "HashIndex",
    "build_index",
    "find",
    "index_bytes",
    "recode_items",
    "rescale_index",
    "step_index",
    "update_index",
]


class HashIndex(NamedTuple):
    """State of an index over n items; every field can be handed to compiled code.

    Attributes
    ----------
    transform : Transform
    projections : Projections
    scale : float64 array (1,)
        U / max‖w‖ at the last build or rescaling; one entry.
    raw : float array (n, K·L)
        Projections of the unscaled items.
    squared_norms : float64 array (n,)
        Of the (pooled) items.
    tables : Tables
    """

    transform: Transform
    projections: Projections
    scale: npt.NDArray[np.float64]
    raw: Floats
    squared_norms: npt.NDArray[np.float64]
    tables: Tables


def build_index(items: npt.ArrayLike, projections: Projections, transform: Transform, *, threads: int = 1) -> HashIndex:
    """Hash all items and build the tables.

    Parameters
    ----------
    items : float array (n, d)
        One item per row, in C order (a network's n_in × n_out weights: pass `W.T`, which costs one copy). Not
        modified, not kept.
    projections : Projections
    transform : Transform
        The one the projections were drawn for.
    threads : int
        The result is the same, bit for bit, for any number.

    Returns
    -------
    HashIndex

    Raises
    ------
    InputError
        For items that are not finite, not two-dimensional or not of the projections' dimension.
    """
    rows = check_matrix("items", items, projections.dimension, finite=False)
    if projections.extra_planes.shape[0] != transform.extras:
        raise InputError(
            f"transform adds {transform.extras} coordinates: must be the {projections.extra_planes.shape[0]} that the "
            "projections were drawn with; draw them for this transform"
        )
    pooled = pool_rows(rows, projections.pool)
    raw, squared = _project(projections, pooled, np.arange(rows.shape[0]), threads)
    tables = allocate_tables(rows.shape[0], projections.bits, projections.tables)
    index = HashIndex(transform, projections, np.ones(1), raw, squared, tables)
    _repack(index, threads)
    return index


def update_index(index: HashIndex, items: npt.ArrayLike, changed: npt.ArrayLike, *, threads: int = 1) -> int:
    """Rehash changed items; the tables are then those of a full build at the same scale.

    Parameters
    ----------
    index : HashIndex
        Modified in place.
    items : float array (n, d)
        All items, of which only the changed rows are read.
    changed : int array (c,)
    threads : int

    Returns
    -------
    int
        How many (table, item) pairs changed their bucket. The stored scale stays: after items have outgrown it
        (norm above U / scale), or shrunk far below, call `rescale_index`.
    """
    rows = check_matrix("items", items, index.projections.dimension, finite=False)
    if rows.shape[0] != index.raw.shape[0]:
        raise InputError(
            f"items has {rows.shape[0]} rows: must have the index's {index.raw.shape[0]}; build a new index"
        )
    which = check_indices("changed", changed, rows.shape[0])
    source, local = rows, which
    if index.projections.pool > 1:
        source = np.empty((which.size, index.projections.by_plane.shape[1]), rows.dtype)
        pool_into(rows, which, index.projections.pool, source)
        local = np.arange(which.size)
    raw, squared = _project(index.projections, source, local, threads)
    index.raw[which], index.squared_norms[which] = raw, squared
    return recode_items(index, which)


def step_index(
    index: HashIndex,
    changed: npt.ArrayLike,
    coefficients: npt.ArrayLike,
    direction: npt.ArrayLike,
    products: npt.ArrayLike,
) -> int:
    """Follow the step `w_j ← w_j + c_j x` of plain gradient descent without reading the items.

    Parameters
    ----------
    index : HashIndex
        Modified in place; without pooling.
    changed : int array (c,)
        The items that move, each once.
    coefficients : float array (c,)
        c_j, for instance −(learning rate)·δ_j.
    direction : float array (d,)
        x, the layer's input.
    products : float array (c,)
        ⟨w_j, x⟩ before the step: the pre-activations (without bias), which are known anyway.

    Returns
    -------
    int
        How many (table, item) pairs changed their bucket.

    Notes
    -----
    Cost (non-zeros of x)·K·L + c·K·L, independent of the items' length. Equal to rehashing up to rounding, which
    adds up over steps: codes may differ where a projection is within that of 0.
    """
    if index.projections.pool > 1:
        raise InputError(
            f"index pools groups of {index.projections.pool}: must not pool to be stepped; use update_index"
        )
    which = check_indices("changed", changed, index.raw.shape[0])
    if np.unique(which).size != which.size:
        raise InputError(f"changed has {which.size} entries with repetitions: must be distinct; add up coefficients")
    c = check_vector("coefficients", coefficients, which.size).astype(np.float64)
    x = check_vector("direction", direction, index.projections.dimension)
    z = check_vector("products", products, which.size).astype(np.float64)
    work = hash_workspace(index.projections)
    # Without the transform: the step is projected as it is, norm and all.
    plain = index.transform._replace(query_value=0.0)
    hash_vector(index.projections, plain, x, work, np.empty(index.projections.tables, np.int64))
    index.raw[which] += np.outer(c, work.projected[: index.raw.shape[1]])
    squared = index.squared_norms[which] + 2.0 * c * z + c * c * float(np.sum(x.astype(np.float64) ** 2))
    index.squared_norms[which] = np.maximum(squared, 0.0)
    return recode_items(index, which)


@compiled
def recode_items(index: HashIndex, changed: npt.NDArray[np.int64]) -> int:
    """Recompute the codes of items whose `raw` and `squared_norms` were changed, and move them in the tables."""
    codes = np.empty((index.projections.tables, changed.shape[0]), np.int64)
    pack_items(
        index.projections, index.transform, index.scale[0], index.raw[changed], index.squared_norms[changed], codes
    )
    return update_tables(index.tables, changed, codes)


def rescale_index(index: HashIndex, *, threads: int = 1) -> None:
    """Fit the scale to the present norms and rebuild the tables from the stored projections. Cost O(n·K·L)."""
    _repack(index, threads)


def index_bytes(index: HashIndex) -> int:
    """Memory of the index in bytes, hyperplanes included."""
    arrays = [index.scale, index.raw, index.squared_norms, *index.projections, *index.tables]
    return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))


def find(
    index: HashIndex, query: npt.ArrayLike, work: tuple[HashWorkspace, QueryWorkspace] | None = None
) -> npt.NDArray[np.int64]:
    """Retrieve the union of the query's buckets, ascending: the plain use, which hot loops replace by kernels.

    Parameters
    ----------
    index : HashIndex
    query : float array (d,)
    work : pair of workspaces, optional
        To reuse over queries; by default allocated.

    Returns
    -------
    int64 array
        The items found.
    """
    vector = check_vector("query", query, index.projections.dimension)
    hashing, querying = work or (
        hash_workspace(index.projections),
        query_workspace(index.raw.shape[0], index.projections.tables),
    )
    codes = np.empty((index.projections.tables, 1), np.int64)
    hash_vector(index.projections, index.transform, vector, hashing, codes[:, 0])
    count = retrieve(index.tables, codes, querying)
    return np.sort(querying.found[:count]).astype(np.int64)


def _project(
    projections: Projections, source: Floats, rows: npt.NDArray[np.int64], threads: int
) -> tuple[Floats, npt.NDArray[np.float64]]:
    raw = np.empty((rows.size, projections.query_shift.size), projections.query_shift.dtype)
    squared = np.empty(rows.size)

    def shard(first: int, last: int) -> None:
        project_items(projections, source, rows, first, last, raw)
        squared_norms_into(source, rows, first, last, squared)

    in_shards(shard, rows.size, threads, align=4, least=128)
    if not (np.isfinite(raw).all() and np.isfinite(squared).all()):
        worst = np.abs(source[rows]).max()
        raise InputError(f"items has entries up to {worst}: must be finite, and so must their squares; scale them")
    return raw, squared


def _repack(index: HashIndex, threads: int) -> None:
    index.scale[0] = fit_scale(index.transform, index.squared_norms)
    codes = index.tables.codes

    def pack(first: int, last: int) -> None:
        shard = slice(first, last)
        pack_items(
            index.projections,
            index.transform,
            index.scale[0],
            index.raw[shard],
            index.squared_norms[shard],
            codes[:, shard],
        )

    in_shards(pack, index.raw.shape[0], threads, least=4096)
    rebuild = 1 if codes.size < 65536 else threads
    in_shards(lambda first, last: rebuild_tables(index.tables, first, last), codes.shape[0], rebuild)
