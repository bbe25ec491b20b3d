"""The hash index of a set of items: transform, hyperplanes, projections and tables in one state.

The raw projections (n × width) and squared norms of the items are kept beside
the tables: `approxmm.hashing.upkeep` lives on them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from approxmm.bits import words_for
from approxmm.errors import InputError
from approxmm.hashing._checks import Floats, check_matrix, check_vector
from approxmm.hashing.parallel import in_shards
from approxmm.hashing.pooling import pool_rows
from approxmm.hashing.projections import Projections
from approxmm.hashing.query import QueryWorkspace, query_workspace, retrieve
from approxmm.hashing.query_codes import HashWorkspace, hash_vector, hash_workspace
from approxmm.hashing.signatures import pack_items, project_items, squared_norms_into
from approxmm.hashing.tables import Tables, allocate_tables, rebuild_tables
from approxmm.hashing.transforms import Transform, fit_scale

__all__ = ["HashIndex", "build_index", "find", "index_bytes", "project_all", "repack"]


class HashIndex(NamedTuple):
    """State of an index over n items; every field can be handed to compiled code.

    Attributes
    ----------
    transform : Transform
    projections : Projections
    scale : float64 array (1,)
        U / max‖w‖ at the last build or rescaling; one entry.
    raw : float array (n, width)
        Projections of the unscaled items, K·L of them and zeros, as many as `by_coordinate` has columns.
    squared_norms : float64 array (n,)
        Of the (pooled) items.
    signs : int64 array (n, words)
        The signs of each item's projections, as bits, from which its codes were packed.
    tables : Tables
    """

    transform: Transform
    projections: Projections
    scale: npt.NDArray[np.float64]
    raw: Floats
    squared_norms: npt.NDArray[np.float64]
    signs: npt.NDArray[np.int64]
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
    raw, squared = project_all(projections, pooled, np.arange(rows.shape[0]), threads)
    tables = allocate_tables(rows.shape[0], projections.bits, projections.tables)
    signs = np.zeros((rows.shape[0], words_for(projections.query_shift.size)), np.int64)
    index = HashIndex(transform, projections, np.ones(1), raw, squared, signs, tables)
    repack(index, threads)
    return index


def index_bytes(index: HashIndex) -> int:
    """Memory of the index in bytes, hyperplanes included."""
    arrays = [index.scale, index.raw, index.squared_norms, index.signs, *index.projections, *index.tables]
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
        query_workspace(index.raw.shape[0]),
    )
    codes = np.empty((index.projections.tables, 1), np.int64)
    hash_vector(index.projections, index.transform, vector, hashing, codes[:, 0])
    count = retrieve(index.tables, codes, querying)
    return np.sort(querying.found[:count]).astype(np.int64)


def project_all(
    projections: Projections, source: Floats, rows: npt.NDArray[np.int64], threads: int
) -> tuple[Floats, npt.NDArray[np.float64]]:
    """Return projections (c, width) and squared norms (c,) of the pooled items `source[rows]`, in threads.

    Raises InputError if any entry, or its square, is not finite: found out from the norms, at no cost.
    """
    raw = np.zeros((rows.size, projections.by_coordinate.shape[1]), projections.query_shift.dtype)
    squared = np.empty(rows.size)

    def shard(first: int, last: int) -> None:
        project_items(projections, source, rows, first, last, raw)
        squared_norms_into(source, rows, first, last, squared)

    in_shards(shard, rows.size, threads, align=4, least=128)
    if not (np.isfinite(raw).all() and np.isfinite(squared).all()):
        worst = np.abs(source[rows]).max()
        raise InputError(f"items has entries up to {worst}: must be finite, and so must their squares; scale them")
    return raw, squared


def repack(index: HashIndex, threads: int) -> None:
    """Fit the scale to the stored norms, and compute signs, codes and tables from the stored projections."""
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
            index.signs[shard],
        )

    in_shards(pack, index.raw.shape[0], threads, least=4096)
    rebuild = 1 if codes.size < 65536 else threads
    in_shards(lambda first, last: rebuild_tables(index.tables, first, last), codes.shape[0], rebuild)
