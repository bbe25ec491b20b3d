"""Compiled signed projections of items, and the packing of signs into K-bit codes.

A bit is 1 where the projection is > 0; a projection of 0 (or −0, or NaN) gives
bit 0. Every projection is summed in an order that depends on nothing but the
vector's length, so a code does not depend on which other items are hashed with
it, nor on the number of threads: that is why there is no BLAS product here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from approxmm.bits import words_for
from approxmm.compile import compiled, compiled_fast
from approxmm.hashing._checks import Floats, Ints
from approxmm.hashing._vector_code import eight_signs
from approxmm.hashing.projections import Projections
from approxmm.hashing.transforms import Transform, item_extra

__all__ = ["code_of", "item_signs", "pack_items", "pack_signs", "project_items", "squared_norms_into"]

# Items that share one pass over the sparse planes: a vector register of float32.
_TOGETHER = 8


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


@compiled
def _sign_block(projections: Projections, items: Floats, rows: Ints, i: int, sums: Floats, out: Floats) -> None:
    """Project a block of items on the sparse planes; each entry of the planes is read once for the block."""
    last = rows.shape[0] - 1
    x = np.empty(_TOGETHER, sums.dtype)
    starts, plane = projections.starts, projections.plane
    sums[:] = 0
    for coordinate in range(items.shape[1]):
        if starts[coordinate] == starts[coordinate + 1]:
            continue
        for r in range(_TOGETHER):
            x[r] = items[rows[min(i + r, last)], coordinate]
        for entry in range(starts[coordinate], starts[coordinate + 1]):
            p = plane[entry]
            total = sums[max(p, ~p)]
            for r in range(_TOGETHER):
                total[r] += x[r] if p >= 0 else -x[r]
    for r in range(min(_TOGETHER, last + 1 - i)):
        for p in range(sums.shape[0]):
            out[i + r, p] = sums[p, r]


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
    out : float array (c, width)
        Its first K·L columns are written. Cost (last − first)·groups·K·L multiplications (times the density for sparse
        planes).
    """
    if projections.by_plane.shape[0] > 0:
        for i in range(first, last, 4):
            _project_block(items, rows[:last], projections.by_plane, i, out)
        return
    sums = np.empty((projections.query_shift.size, _TOGETHER), out.dtype)
    for i in range(first, last, _TOGETHER):
        _sign_block(projections, items, rows[:last], i, sums, out)


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
def pack_signs(bits: int, projected: Floats, codes: npt.NDArray[np.int64]) -> None:
    """Pack the signs of a vector's K·L projections (padding is ignored) into `codes` (L,)."""
    for table in range(codes.shape[0]):
        code = 0
        for bit in range(bits):
            code |= int(projected[table * bits + bit] > 0) << bit
        codes[table] = code


@compiled
def item_signs(
    transform: Transform,
    extra_planes: Floats,
    scale: float,
    raw: Floats,
    item: int,
    squared_norm: float,
    extra: npt.NDArray[np.float64],
    signs: npt.NDArray[np.uint64],
) -> None:
    """Write the signs of an item's projections, the transform's coordinates included, as the bits of `signs`.

    Parameters
    ----------
    transform : Transform
    extra_planes : float array (extras, K·L)
    scale : float
        U / max‖w‖ of the index.
    raw : float array (n, width)
        Projections of the unscaled items.
    item : int
    squared_norm : float
        Of the unscaled (pooled) item.
    extra : float64 array (at least extras,)
        Scratch.
    signs : uint64 array (words,)
        Written: bit p of the words together is 1 where projection p is > 0.
    """
    for e in range(transform.extras):
        extra[e] = item_extra(transform, squared_norm * scale * scale, e)
    planes = extra_planes.shape[1]
    for w in range(signs.size):
        word = np.uint64(0)
        for first in range(64 * w, min(64 * w + 64, planes), 8):
            eight = eight_signs(raw, item, scale, extra_planes, extra, first, min(8, planes - first))
            word |= eight << np.uint64(first & 63)
        signs[w] = word


@compiled
def code_of(signs: npt.NDArray[np.uint64], table: int, bits: int) -> int:
    """Return the code of a table: its K bits of `signs`, from bit table·K on."""
    first = table * bits
    word, shift = first >> 6, first & 63
    code = signs[word] >> np.uint64(shift)
    if shift + bits > 64:
        code |= signs[word + 1] << np.uint64(64 - shift)
    return int(code & ((np.uint64(1) << np.uint64(bits)) - np.uint64(1)))


@compiled
def pack_items(
    projections: Projections,
    transform: Transform,
    scale: float,
    raw: Floats,
    squared_norms: npt.NDArray[np.float64],
    codes: npt.NDArray[np.int64],
    signs: npt.NDArray[np.int64],
) -> None:
    """Write the codes (L, c) of items with these projections `raw` (c, width) and squared norms (c,).

    Bit b of table l is the sign of plane l·K + b; all signs of an item, as bits, go to `signs` (c, words).
    """
    word = np.empty(words_for(projections.query_shift.size), np.uint64)
    extra = np.empty(max(1, transform.extras), np.float64)
    for i in range(raw.shape[0]):
        item_signs(transform, projections.extra_planes, scale, raw, i, squared_norms[i], extra, word)
        for w in range(word.size):
            signs[i, w] = np.int64(word[w])
        for table in range(codes.shape[0]):
            codes[table, i] = code_of(word, table, projections.bits)
