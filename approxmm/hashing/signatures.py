"""Compiled signed projections: from vectors to K-bit codes.

A bit is 1 where the projection is > 0; a projection of 0 (or −0, or NaN) gives
bit 0. Every projection is summed in an order that depends on nothing but the
vector's length, so a code does not depend on which other items are hashed with
it, nor on the number of threads: that is why there is no BLAS product here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from approxmm._compile import compiled, compiled_fast
from approxmm.hashing._checks import Floats, Ints
from approxmm.hashing.pooling import group_size
from approxmm.hashing.projections import Projections
from approxmm.hashing.transforms import Transform, item_extra

__all__ = [
    "HashWorkspace",
    "hash_sparse",
    "hash_vector",
    "hash_workspace",
    "pack_items",
    "pack_signs",
    "project_items",
    "squared_norms_into",
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
        The last query's non-zeros.
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


@compiled_fast
def _project_block(items: Floats, rows: Ints, planes: Floats, i: int, out: Floats) -> None:
    """Project four items on all planes, 4 × 4 at a time; past the end the last item or plane is repeated."""
    last, top = rows.shape[0] - 1, planes.shape[0] - 1
    i1, i2, i3 = min(i + 1, last), min(i + 2, last), min(i + 3, last)
    x0, x1, x2, x3 = items[rows[i]], items[rows[i1]], items[rows[i2]], items[rows[i3]]
    for j in range(0, planes.shape[0], 4):
        j1, j2, j3 = min(j + 1, top), min(j + 2, top), min(j + 3, top)
        p0, p1, p2, p3 = planes[j], planes[j1], planes[j2], planes[j3]
        a00 = a01 = a02 = a03 = a10 = a11 = a12 = a13 = out.dtype.type(0)
        a20 = a21 = a22 = a23 = a30 = a31 = a32 = a33 = out.dtype.type(0)
        for k in range(planes.shape[1]):
            u0, u1, u2, u3 = x0[k], x1[k], x2[k], x3[k]
            v0, v1, v2, v3 = p0[k], p1[k], p2[k], p3[k]
            a00, a01, a02, a03 = a00 + u0 * v0, a01 + u0 * v1, a02 + u0 * v2, a03 + u0 * v3
            a10, a11, a12, a13 = a10 + u1 * v0, a11 + u1 * v1, a12 + u1 * v2, a13 + u1 * v3
            a20, a21, a22, a23 = a20 + u2 * v0, a21 + u2 * v1, a22 + u2 * v2, a23 + u2 * v3
            a30, a31, a32, a33 = a30 + u3 * v0, a31 + u3 * v1, a32 + u3 * v2, a33 + u3 * v3
        out[i, j], out[i, j1], out[i, j2], out[i, j3] = a00, a01, a02, a03
        out[i1, j], out[i1, j1], out[i1, j2], out[i1, j3] = a10, a11, a12, a13
        out[i2, j], out[i2, j1], out[i2, j2], out[i2, j3] = a20, a21, a22, a23
        out[i3, j], out[i3, j1], out[i3, j2], out[i3, j3] = a30, a31, a32, a33


@compiled_fast
def _add_dense(by_coordinate: Floats, index: Ints, value: Floats, count: int, out: Floats) -> None:
    """Add `value[t]` times the planes' entries at coordinate `index[t]`, eight coordinates a pass."""
    whole = count - count % 8
    for t in range(0, whole, 8):
        x0, x1, x2, x3 = value[t], value[t + 1], value[t + 2], value[t + 3]
        x4, x5, x6, x7 = value[t + 4], value[t + 5], value[t + 6], value[t + 7]
        p0, p1 = by_coordinate[index[t]], by_coordinate[index[t + 1]]
        p2, p3 = by_coordinate[index[t + 2]], by_coordinate[index[t + 3]]
        p4, p5 = by_coordinate[index[t + 4]], by_coordinate[index[t + 5]]
        p6, p7 = by_coordinate[index[t + 6]], by_coordinate[index[t + 7]]
        for p in range(out.shape[0]):
            first = (x0 * p0[p] + x1 * p1[p]) + (x2 * p2[p] + x3 * p3[p])
            out[p] += first + ((x4 * p4[p] + x5 * p5[p]) + (x6 * p6[p] + x7 * p7[p]))
    for t in range(whole, count):
        x0, p0 = value[t], by_coordinate[index[t]]
        for p in range(out.shape[0]):
            out[p] += x0 * p0[p]


@compiled
def _add_signs(
    starts: npt.NDArray[np.int64],
    plane: npt.NDArray[np.int32],
    sign: npt.NDArray[np.int8],
    index: Ints,
    value: Floats,
    count: int,
    out: Floats,
) -> None:
    for t in range(count):
        x = value[t]
        for entry in range(starts[index[t]], starts[index[t] + 1]):
            out[plane[entry]] += x if sign[entry] > 0 else -x


@compiled
def project_items(projections: Projections, items: Floats, rows: Ints, first: int, last: int, out: Floats) -> None:
    """Write the projections of the *pooled* items `rows[first:last]` into `out[first:last]`.

    Parameters
    ----------
    projections : Projections
    items : float array (n, groups), C order
        Already pooled; the same array if the index does not pool.
    rows : int64 array (c,)
    first, last : int
        The shard of `rows` to do; disjoint shards may run in different threads.
    out : float array (c, K·L)
        Cost (last − first)·groups·K·L multiplications (times the density for sparse planes).
    """
    if projections.by_plane.shape[0] > 0:
        for i in range(first, last, 4):
            _project_block(items, rows[:last], projections.by_plane, i, out)
        return
    every = np.arange(items.shape[1])
    for i in range(first, last):
        out[i, :] = 0
        row = items[rows[i]]
        _add_signs(projections.starts, projections.plane, projections.sign, every, row, row.shape[0], out[i])


@compiled_fast
def squared_norms_into(items: Floats, rows: Ints, first: int, last: int, out: npt.NDArray[np.float64]) -> None:
    """Write ‖items[rows[i]]‖² for first ≤ i < last into `out`, summed in float64."""
    for i in range(first, last):
        row = items[rows[i]]
        total = 0.0
        for k in range(row.shape[0]):
            total += np.float64(row[k]) * np.float64(row[k])
        out[i] = total


@compiled
def pack_signs(projections: Projections, projected: Floats, codes: npt.NDArray[np.int64]) -> None:
    """Pack the signs of a vector's K·L projections (padding is ignored) into `codes` (L,)."""
    for table in range(projections.tables):
        code = 0
        for bit in range(projections.bits):
            if projected[table * projections.bits + bit] > 0:
                code |= 1 << bit
        codes[table] = code


@compiled
def pack_items(
    projections: Projections,
    transform: Transform,
    scale: float,
    raw: Floats,
    squared_norms: npt.NDArray[np.float64],
    codes: npt.NDArray[np.int64],
) -> None:
    """Add the transform's coordinates and pack the signs.

    Parameters
    ----------
    projections : Projections
    transform : Transform
    scale : float
        U / max‖w‖ of the index.
    raw : float array (c, K·L)
        Projections of the unscaled items.
    squared_norms : float64 array (c,)
        Of the unscaled (pooled) items.
    codes : int64 array (L, c)
        Written. Bit b of table l is the sign of plane l·K + b.
    """
    value = np.empty(raw.shape[1], np.float64)
    for i in range(raw.shape[0]):
        for p in range(value.shape[0]):
            value[p] = scale * raw[i, p]
        for e in range(transform.extras):
            extra = item_extra(transform, squared_norms[i] * scale * scale, e)
            plane = projections.extra_planes[e]
            for p in range(value.shape[0]):
                value[p] += extra * plane[p]
        pack_signs(projections, value, codes[:, i])


@compiled
def _hash_listed(
    projections: Projections, transform: Transform, count: int, work: HashWorkspace, codes: npt.NDArray[np.int64]
) -> None:
    """Hash the query whose non-zeros are the first `count` entries of `work.listed` and `work.value`."""
    out = work.projected
    out[:] = 0
    if projections.by_coordinate.shape[0] > 0:
        _add_dense(projections.by_coordinate, work.listed, work.value, count, out)
    else:
        _add_signs(projections.starts, projections.plane, projections.sign, work.listed, work.value, count, out)
    # Instead of dividing the query by its norm, its constant coordinates are multiplied by it: the signs agree.
    if transform.query_value != 0.0:
        squared = 0.0
        for t in range(count):
            squared += np.float64(work.value[t]) * np.float64(work.value[t])
        norm = np.sqrt(squared)
        for p in range(projections.query_shift.shape[0]):
            out[p] += norm * projections.query_shift[p]
    pack_signs(projections, out, codes)


@compiled
def _list_nonzeros(vector: Floats, index: npt.NDArray[np.int64], value: Floats) -> int:
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
        count = _list_nonzeros(work.pooled, work.listed, work.value)
        work.pooled[:] = 0
    else:
        count = _list_nonzeros(vector, work.listed, work.value)
    _hash_listed(projections, transform, count, work, codes)


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
        work.listed[:count] = indices
        work.value[:count] = values
    else:
        for t in range(count):
            group = indices[t] // projections.pool
            work.pooled[group] += values[t] / group_size(projections.dimension, projections.pool, group)
        filled = 0
        for t in range(count):
            group = indices[t] // projections.pool
            # The first visitor of a group takes its sum and leaves 0, which restores the workspace as well.
            if work.pooled[group] != 0:
                work.listed[filled] = group
                work.value[filled] = work.pooled[group]
                work.pooled[group] = 0
                filled += 1
        count = filled
    _hash_listed(projections, transform, count, work, codes)
