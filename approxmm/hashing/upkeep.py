"""Keeping a hash index true to items that change.

Three kinds of upkeep: changed items are projected alone, a step of plain
gradient descent updates projections without touching the items at all, and a
new scale repacks the codes without projecting again.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from approxmm.bits import words_for
from approxmm.compile import borrowed, compiled, copy_into, inlined, keep_alive
from approxmm.errors import InputError
from approxmm.hashing._checks import Floats, check_indices, check_matrix, check_vector
from approxmm.hashing.index import HashIndex, project_all, repack
from approxmm.hashing.pooling import pool_into, pool_rows
from approxmm.hashing.query_codes import hash_vector, hash_workspace
from approxmm.hashing.signatures import item_signs, pack_items
from approxmm.hashing.tables import update_tables
from approxmm.hashing.transforms import Transform
from approxmm.locks import acquire, release

__all__ = [
    "check_fresh",
    "recode_items",
    "rescale_index",
    "step_index",
    "step_items",
    "update_index",
]


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
    rows = _all_items(index, items)
    which = check_indices("changed", changed, rows.shape[0])
    source, local = rows, which
    if index.projections.pool > 1:
        source = np.empty((which.size, index.projections.by_plane.shape[1]), rows.dtype)
        pool_into(rows, which, index.projections.pool, source)
        local = np.arange(which.size)
    raw, squared = project_all(index.projections, source, local, threads)
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
    squared_norm = float(np.sum(x.astype(np.float64) ** 2))
    # Without the transform: the step is projected as it is, norm and all.
    plain = index.transform._replace(query_value=0.0)
    hash_vector(index.projections, plain, x, work, np.empty(index.projections.tables, np.int64))
    return step_items(index, which, c, work.projected, squared_norm, z)


@inlined
def step_items(
    index: HashIndex,
    changed: npt.NDArray[np.int64],
    coefficients: Floats,
    projected: Floats,
    squared_norm: float,
    products: Floats,
) -> int:
    """Do the work of `step_index` in compiled code, given the direction's projections (width,) and squared norm.

    Items whose codes stay, which are nearly all, cost their K·L projections and nothing else.
    """
    raw, squared_norms = index.raw, index.squared_norms
    for t in range(changed.shape[0]):
        c, row = coefficients[t], np.uint64(changed[t])
        for p in range(projected.shape[0]):
            raw[row, p] += c * projected[p]
        # A norm that vanishes may come out slightly negative.
        step = np.float64(c)
        squared = squared_norms[row] + step * (2.0 * products[t] + step * squared_norm)
        squared_norms[row] = max(squared, 0.0)
    return recode_items(index, changed)


@inlined
def recode_items(index: HashIndex, changed: npt.NDArray[np.int64]) -> int:
    """Recompute the codes of items whose `raw` and `squared_norms` were changed, and move them in the tables.

    Any thread may call it, while others do or search. Returns how many (table, item) pairs changed their bucket.
    """
    planes = index.projections.extra_planes
    words = words_for(planes.shape[1])
    extra = np.empty(max(1, index.transform.extras), np.float64)
    owned = np.empty(words, np.uint64), extra, np.empty(changed.shape[0], np.int64)
    signs, coordinates, moving = borrowed(owned)
    count = _list_moving(
        index.transform,
        planes,
        index.scale[0],
        index.raw,
        index.squared_norms,
        index.signs,
        changed,
        coordinates,
        signs,
        moving,
    )
    moves = _move_items(index, moving[:count]) if count > 0 else 0
    keep_alive(owned)
    return moves


@compiled
def _list_moving(
    transform: Transform,
    planes: Floats,
    scale: float,
    raw: Floats,
    squared_norms: npt.NDArray[np.float64],
    stored: npt.NDArray[np.int64],
    changed: npt.NDArray[np.int64],
    extra: npt.NDArray[np.float64],
    signs: npt.NDArray[np.uint64],
    moving: npt.NDArray[np.int64],
) -> int:
    """List the changed items whose stored signs are not those of their projections; `extra`, `signs` are scratch.

    It is handed single arrays, because to take one out of a tuple counts a reference for each array of the tuple.
    """
    count = 0
    for item in changed:
        item_signs(transform, planes, scale, raw, item, squared_norms[item], extra, signs)
        stays, row = True, np.uint64(item)
        for w in range(signs.size):
            stays &= np.int64(signs[w]) == stored[row, w]
        # Written always and kept only if a sign changed.
        moving[count] = item
        count += not stays
    return count


@inlined
def _move_items(index: HashIndex, moving: npt.NDArray[np.int64]) -> int:
    """Give items the codes of their projections as they are now, and move them in the tables.

    One thread at a time: of two that changed an item, the later one sees what both did.
    """
    locks, count = index.tables.locks, moving.shape[0]
    acquire(locks, locks.size - 1)
    codes, signs = (
        np.empty((index.tables.codes.shape[0], count), np.int64),
        np.empty((count, index.signs.shape[1]), np.int64),
    )
    raw, squared_norms = np.empty((count, index.raw.shape[1]), index.raw.dtype), np.empty(count)
    for i in range(count):
        copy_into(raw[i], index.raw[moving[i]])
        squared_norms[i] = index.squared_norms[moving[i]]
    pack_items(index.projections, index.transform, index.scale[0], raw, squared_norms, codes, signs)
    moves: int = update_tables(index.tables, moving, codes)
    for i in range(count):
        copy_into(index.signs[moving[i]], signs[i])
    release(locks, locks.size - 1)
    return moves


def rescale_index(index: HashIndex, *, threads: int = 1) -> None:
    """Fit the scale to the present norms and rebuild the tables from the stored projections. Cost O(n·K·L)."""
    repack(index, threads)


def check_fresh(index: HashIndex, items: npt.ArrayLike, *, tolerance: float | None = None) -> None:
    """Refuse an index whose items have changed behind its back.

    Parameters
    ----------
    index : HashIndex
    items : float array (n, d)
    tolerance : float, optional
        Largest accepted change of a projection relative to the item's largest one; by default the square root of the
        machine epsilon, which leaves room for the rounding of many `step_index` calls.

    Raises
    ------
    InputError
        Naming the first stale item. Cost that of hashing all items: meant for tests and for the start of a run.
    """
    rows = _all_items(index, items)
    raw, _ = project_all(index.projections, pool_rows(rows, index.projections.pool), np.arange(rows.shape[0]), 1)
    allowed = np.sqrt(np.finfo(raw.dtype).eps) if tolerance is None else tolerance
    room = allowed * np.max(np.abs(raw), axis=1, initial=0.0)
    stale = np.flatnonzero(np.max(np.abs(raw - index.raw), axis=1, initial=0.0) > room)
    if stale.size:
        raise InputError(
            f"index is stale for {stale.size} items, first items[{stale[0]}]: must match the items; call update_index"
        )


def _all_items(index: HashIndex, items: npt.ArrayLike) -> Floats:
    rows = check_matrix("items", items, index.projections.dimension, finite=False)
    if rows.shape[0] != index.raw.shape[0]:
        raise InputError(
            f"items has {rows.shape[0]} rows: must have the index's {index.raw.shape[0]}; build a new index"
        )
    return rows
