"""What must hold of hash indexes that come from a file."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from approxmm.errors import DataError
from approxmm.hashing import HashIndex, Tables
from approxmm.methods._hashed import LayerIndexes, index_of, refitting_of
from approxmm.methods.state_check import check_constants, check_finite, named_arrays

__all__ = ["check_indexes"]


def check_indexes(found: LayerIndexes, own: LayerIndexes, name: str) -> None:
    """Raise DataError, naming the array, unless `found` is an index that training could have made of `own`.

    Sizes and hyperplanes are those of `own`, which are a function of settings and seed; projections and norms are
    finite; no lock is taken; signs are those of the codes; and every table holds each item once, in the bucket of its
    code and in the one order that tables have. Not claimed: that the codes belong to the present weights, which they
    need not (see rebuild schedules).
    """
    check_constants(found.sizes, own.sizes, f"{name}.sizes")
    for kind in ("real", "double", "long", "short"):
        check_constants(getattr(found, kind).layout, getattr(own, kind).layout, f"{name}.{kind}.layout")
    check_finite(found.real.flat, f"{name}.real.flat")
    check_finite(found.double.flat, f"{name}.double.flat")
    for layer in range(len(own.sizes)):
        # In plain Python the index's arrays are ordinary views.
        theirs, mine = (cast(Any, index_of).py_func(indexes, layer) for indexes in (found, own))
        _check_projections(theirs, mine, f"{name} (layer {layer + 1})")
        check_tables(theirs.tables, f"{name} (layer {layer + 1})")
        _check_signs(theirs, f"{name} (layer {layer + 1})")
        if cast(Any, refitting_of).py_func(found, layer).any():
            raise DataError(f"array '{name}.long.flat' says that layer {layer + 1} is being refitted")


def _check_projections(theirs: HashIndex, mine: HashIndex, name: str) -> None:
    pairs = zip(named_arrays(theirs.projections, name), named_arrays(mine.projections, name), strict=True)
    for (field, array), (_, own) in pairs:
        if not np.array_equal(array, own):
            raise DataError(f"array {field!r} does not hold the hyperplanes of this seed")
    if not theirs.scale[0] > 0.0 or (theirs.squared_norms < 0.0).any():
        raise DataError(f"array '{name}.scale' or '{name}.squared_norms' holds a number that is no scale or norm")


def _check_signs(index: HashIndex, name: str) -> None:
    """Raise DataError unless the stored signs are those that the codes were packed from."""
    tables, K = index.projections.tables, index.projections.bits
    signs = np.unpackbits(index.signs.view(np.uint8), axis=1, bitorder="little").astype(np.int64)
    used = signs[:, : tables * K].reshape(-1, tables, K)
    if signs[:, tables * K :].any() or not np.array_equal((used << np.arange(K)).sum(axis=2).T, index.tables.codes):
        raise DataError(f"array '{name}.signs' does not hold the signs that its codes were packed from")


def check_tables(tables: Tables, name: str) -> None:
    """Raise DataError unless items, offsets and keys are those of the codes, and no table is locked."""
    if tables.locks.any():
        raise DataError(f"array '{name}.locks' says that a table is being changed")
    if tables.codes.size and not (tables.codes.min() >= 0 and tables.codes.max() < 1 << tables.bits):
        raise DataError(f"array '{name}.codes' holds codes outside 0 … 2^{tables.bits} − 1")
    for table, codes in enumerate(tables.codes):
        order = np.argsort(codes, kind="stable")
        if not np.array_equal(tables.items[table], order):
            raise DataError(f"array '{name}.items' does not list table {table}'s nodes in the order of their codes")
        direct, in_order = tables.offsets.shape[1] > 0, codes[order]
        starts = np.searchsorted(in_order, np.arange(tables.offsets.shape[1]))
        if direct and not np.array_equal(tables.offsets[table], starts):
            raise DataError(f"array '{name}.offsets' does not hold the starts of table {table}'s buckets")
        if not direct and not np.array_equal(tables.keys[table], in_order):
            raise DataError(f"array '{name}.keys' does not hold table {table}'s codes in order")
