"""Compiled hashing of queries, dense or given by their non-zeros.

The query's non-zeros are listed first; then each costs K·L multiplications (dense
planes) or a handful of additions (sparse planes). Both forms of query end in the
same code. Bits follow the conventions of `approxmm.hashing.signatures`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from approxmm.compile import compiled, compiled_fast, inlined
from approxmm.hashing._checks import Floats, Ints
from approxmm.hashing._vector_code import sum_rows
from approxmm.hashing.pooling import group_size
from approxmm.hashing.projections import Projections
from approxmm.hashing.signatures import pack_signs
from approxmm.hashing.transforms import Transform

__all__ = [
    "HashWorkspace",
    "add_projections",
    "add_rows",
    "hash_listed",
    "hash_rows",
    "hash_sparse",
    "hash_vector",
    "hash_workspace",
    "list_nonzeros",
    "pool_listed",
    "squared_norm",
]


class HashWorkspace(NamedTuple):
    """Scratch of one thread for hashing queries.

    Attributes
    ----------
    projected : float array (width,)
        The projections of the last query, K·L of them and padding: multiprobe reads its confidences here.
    pooled : float array (groups,)
        All zero between calls.
    listed : int64 array (groups,)
    value : float array (groups,)
        Non-zeros of a query that was dense or is pooled.
    """

    projected: Floats
    pooled: Floats
    listed: npt.NDArray[np.int64]
    value: Floats


def hash_workspace(projections: Projections) -> HashWorkspace:
    """Allocate the scratch that `hash_vector` and `hash_sparse` need; one per thread."""
    dtype = projections.query_shift.dtype
    groups = projections.by_plane.shape[1]
    return HashWorkspace(
        np.zeros(projections.by_coordinate.shape[1], dtype),
        np.zeros(groups, dtype),
        np.zeros(groups, np.int64),
        np.zeros(groups, dtype),
    )


@compiled
def add_rows(matrix: Floats, index: npt.NDArray[np.int64], value: Floats, out: Floats) -> None:
    """Add Σ_t value[t]·matrix[index[t]] to `out`; `out` is as long as the matrix is wide, all of one dtype."""
    sum_rows(matrix, index, value, out)


@compiled
def _add_signs(
    starts: npt.NDArray[np.int64], plane: npt.NDArray[np.int32], index: Ints, value: Floats, out: Floats
) -> None:
    """Add the sparse planes' projections of the coordinates `index` with values `value` to `out`."""
    for t in range(index.shape[0]):
        x, c = value[t], np.int64(index[t])
        for entry in range(starts[c], starts[c + 1]):
            p = plane[entry]
            out[max(p, ~p)] += x if p >= 0 else -x


@inlined
def add_projections(projections: Projections, index: npt.NDArray[np.int64], value: Floats, out: Floats) -> None:
    """Add the projections of a (pooled) vector, given by its non-zeros, to `out` (width,)."""
    if projections.by_coordinate.shape[0] > 0:
        add_rows(projections.by_coordinate, index, value, out)
    else:
        _add_signs(projections.starts, projections.plane, index, value, out)


@compiled_fast
def squared_norm(value: Floats) -> float:
    """Return Σ value², summed in float64."""
    total = 0.0
    for t in range(value.shape[0]):
        total += np.float64(value[t]) * np.float64(value[t])
    return total


@inlined
def hash_listed(
    projections: Projections,
    transform: Transform,
    index: npt.NDArray[np.int64],
    value: Floats,
    out: Floats,
    codes: npt.NDArray[np.int64],
) -> None:
    """Hash a query that is pooled already, given by its non-zeros; its projections go to `out` (width,)."""
    out[:] = 0
    add_projections(projections, index, value, out)
    # Instead of dividing the query by its norm, its constant coordinates are multiplied by it: the signs agree.
    if transform.query_value != 0.0:
        norm = np.sqrt(squared_norm(value))
        for p in range(projections.query_shift.shape[0]):
            out[p] += norm * projections.query_shift[p]
    pack_signs(projections.bits, out, codes)


@compiled
def list_nonzeros(vector: Floats, index: npt.NDArray[np.int64], value: Floats) -> int:
    """Write positions and values of the entries that are not 0; return how many there are."""
    count = 0
    for i in range(vector.shape[0]):
        # Written always and kept only if not zero: a branch would be guessed wrong half of the time after a ReLU.
        index[count] = i
        value[count] = vector[i]
        count += vector[i] != 0
    return count


@compiled
def _pool_vector(projections: Projections, vector: Floats, out: Floats) -> None:
    for i in range(vector.shape[0]):
        out[i // projections.pool] += vector[i]
    for group in range(out.shape[0]):
        out[group] /= group_size(projections.dimension, projections.pool, group)


@compiled
def hash_vector(
    projections: Projections,
    transform: Transform,
    vector: Floats,
    work: HashWorkspace,
    codes: npt.NDArray[np.int64],
) -> None:
    """Hash a dense query into L codes.

    Parameters
    ----------
    projections : Projections
    transform : Transform
    vector : float array (d,)
        Not modified. Exact zeros are skipped, so the cost is (non-zeros)·K·L multiplications.
    work : HashWorkspace
        `work.projected` keeps the projections.
    codes : int64 array (L,)
        Written. A zero query gets the code 0 in every table.
    """
    if projections.pool > 1:
        _pool_vector(projections, vector, work.pooled)
        count = list_nonzeros(work.pooled, work.listed, work.value)
        work.pooled[:] = 0
    else:
        count = list_nonzeros(vector, work.listed, work.value)
    hash_listed(projections, transform, work.listed[:count], work.value[:count], work.projected, codes)


@compiled
def hash_sparse(
    projections: Projections,
    transform: Transform,
    indices: Ints,
    values: Floats,
    work: HashWorkspace,
    codes: npt.NDArray[np.int64],
) -> None:
    """Hash a sparse query, given as indices (c,) without repetition and their values (c,), into L codes.

    Cost c·K·L multiplications; the other arguments are those of `hash_vector`.
    The indices may be in any order (ascending non-zeros give the bits of `hash_vector`, if nothing is pooled).
    """
    count = indices.shape[0]
    if projections.pool == 1:
        for t in range(count):
            work.listed[t], work.value[t] = indices[t], values[t]
    else:
        count = pool_listed(projections, indices, values, work.pooled, work.listed, work.value)
    hash_listed(projections, transform, work.listed[:count], work.value[:count], work.projected, codes)


@compiled
def pool_listed(
    projections: Projections,
    indices: Ints,
    values: Floats,
    pooled: Floats,
    listed: npt.NDArray[np.int64],
    value: Floats,
) -> int:
    """Pool a vector given by its non-zeros: write the non-zero groups to `listed` and `value`, return how many.

    `pooled` (groups,) is scratch, all zero before and after.
    """
    for t in range(indices.shape[0]):
        group = indices[t] // projections.pool
        pooled[group] += values[t] / group_size(projections.dimension, projections.pool, group)
    filled = 0
    for t in range(indices.shape[0]):
        group = indices[t] // projections.pool
        # The first visitor of a group takes its sum and leaves 0, which restores the scratch as well.
        if pooled[group] != 0:
            listed[filled] = group
            value[filled] = pooled[group]
            pooled[group] = 0
            filled += 1
    return filled


@compiled
def hash_rows(
    projections: Projections,
    transform: Transform,
    rows: Floats,
    work: HashWorkspace,
    codes: npt.NDArray[np.int64],
) -> None:
    """Hash a batch of dense queries (B, d) into `codes` (B, L), each with the code that `hash_vector` gives it.

    For queries only: items are hashed with other extra coordinates, by `build_index` and `update_index`.
    """
    for i in range(rows.shape[0]):
        hash_vector(projections, transform, rows[i], work, codes[i])
