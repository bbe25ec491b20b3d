"""Indexes for finding nodes of large pre-activation: signed-projection hash tables, and subspace screening."""

from __future__ import annotations

from approxmm.hashing.angles import mips_angles, pairwise_angles, query_angles
from approxmm.hashing.index import HashIndex, build_index, find, index_bytes
from approxmm.hashing.laws import (
    WeightedMask,
    bit_agreement,
    expected_recall,
    expected_size,
    mask_covariance,
    pair_retrieval,
    retrieval,
    weighted_mask,
)
from approxmm.hashing.pooling import pool_rows
from approxmm.hashing.projections import MAX_BITS, Projections, draw_dense, draw_sparse, projections_bytes
from approxmm.hashing.query import (
    QueryWorkspace,
    fill_random,
    keep_most_frequent,
    probe_codes,
    query_workspace,
    retrieve,
    subsample,
)
from approxmm.hashing.query_codes import HashWorkspace, hash_rows, hash_sparse, hash_vector, hash_workspace
from approxmm.hashing.selection import select_top
from approxmm.hashing.signatures import pack_items, project_items, squared_norms_into
from approxmm.hashing.subspace import (
    coordinates,
    coordinates_sparse,
    principal_basis,
    project_weights,
    refresh_columns,
    score_nodes,
    screening_bound,
    step_columns,
    subspace_bytes,
)
from approxmm.hashing.tables import Tables, allocate_tables, bucket, rebuild_tables, tables_bytes, update_tables
from approxmm.hashing.transforms import (
    TRANSFORM_NAMES,
    Transform,
    fit_scale,
    item_extra,
    make_transform,
    transform_items,
    transform_query,
)
from approxmm.hashing.upkeep import check_fresh, recode_items, rescale_index, step_index, step_items, update_index

__all__ = [
    "MAX_BITS",
    "TRANSFORM_NAMES",
    "HashIndex",
    "HashWorkspace",
    "Projections",
    "QueryWorkspace",
    "Tables",
    "Transform",
    "WeightedMask",
    "allocate_tables",
    "bit_agreement",
    "bucket",
    "build_index",
    "check_fresh",
    "coordinates",
    "coordinates_sparse",
    "draw_dense",
    "draw_sparse",
    "expected_recall",
    "expected_size",
    "fill_random",
    "find",
    "fit_scale",
    "hash_rows",
    "hash_sparse",
    "hash_vector",
    "hash_workspace",
    "index_bytes",
    "item_extra",
    "keep_most_frequent",
    "make_transform",
    "mask_covariance",
    "mips_angles",
    "pack_items",
    "pair_retrieval",
    "pairwise_angles",
    "pool_rows",
    "principal_basis",
    "probe_codes",
    "project_items",
    "project_weights",
    "projections_bytes",
    "query_angles",
    "query_workspace",
    "rebuild_tables",
    "recode_items",
    "refresh_columns",
    "rescale_index",
    "retrieval",
    "retrieve",
    "score_nodes",
    "screening_bound",
    "select_top",
    "squared_norms_into",
    "step_columns",
    "step_index",
    "step_items",
    "subsample",
    "subspace_bytes",
    "tables_bytes",
    "transform_items",
    "transform_query",
    "update_index",
    "update_tables",
    "weighted_mask",
]
