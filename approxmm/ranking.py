"""Order statistics for compiled loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import type_callable

from approxmm.bits import list_members, mark_from, words_for
from approxmm.compile import compiled, lowered

__all__ = ["fill_top"]


def _order(value: Any) -> Any:
    """Return an integer, an int64, that orders floats of one type as their values do (and −0 below 0)."""
    value = np.asarray(value)
    bits = int(value.view(np.int32 if value.itemsize == 4 else np.int64))
    return np.int64(bits if bits >= 0 else bits ^ (2 ** (8 * value.itemsize - 1) - 1))


def _ordered(order: Any, like: Any) -> Any:
    """Return the float of this order, of the type of `like`."""
    kind = np.asarray(like).dtype
    bits = int(order) if order >= 0 else int(order) ^ (2 ** (8 * kind.itemsize - 1) - 1)
    return np.array(bits, np.int32 if kind.itemsize == 4 else np.int64).view(kind)[()]


@type_callable(_order)
def _type_order(context: Any) -> Any:
    return lambda value: types.int64


@type_callable(_ordered)
def _type_ordered(context: Any) -> Any:
    return lambda order, like: like


def _turned(builder: Any, bits: Any) -> Any:
    """Flip all bits but the sign's where the sign is set: its own inverse."""
    width = bits.type.width
    sign = builder.ashr(bits, ir.Constant(bits.type, width - 1))
    return builder.xor(bits, builder.lshr(sign, ir.Constant(bits.type, 1)))


@lowered(_order, types.Float)
def _emit_order(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    order = _turned(builder, builder.bitcast(args[0], ir.IntType(signature.args[0].bitwidth)))
    return builder.sext(order, ir.IntType(64)) if order.type.width < 64 else order


@lowered(_ordered, types.Integer, types.Float)
def _emit_ordered(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    width = signature.return_type.bitwidth
    order = builder.trunc(args[0], ir.IntType(width)) if width < 64 else args[0]
    return builder.bitcast(_turned(builder, order), context.get_value_type(signature.return_type))


@compiled
def _count_from(values: np.ndarray, limit: float) -> int:
    count = 0
    for j in range(values.size):
        count += values[j] >= limit
    return count


@compiled
def _limit_for(values: np.ndarray, k: int) -> tuple[float, int]:
    """Return a limit and how many values are not below it: k, or more if the k-th largest value has ties.

    Bisection on the order of all floats, in passes that are vectorised. (A quickselect is guessed wrong at every other
    comparison.) Some k values are not NaN.
    """
    infinity = values.dtype.type(np.inf)
    low, high = _order(-infinity), _order(infinity)
    while True:
        middle = (low | high) - ((low ^ high) >> 1)  # rounded up, without overflow
        limit = _ordered(middle, infinity)
        count = _count_from(values, limit)
        if count == k or low == high:
            return limit, count
        if count > k:
            low = middle
        else:
            high = middle - 1


@compiled
def fill_top(values: np.ndarray, k: int, index: np.ndarray) -> int:
    """Write the positions of the k largest of `values` to `index`, increasing; ties go to the lower position.

    NaN ranks as −inf. `index` (n,) is scratch beyond what is returned.

    Returns
    -------
    int
        min(k, n).
    """
    n = values.size
    if k <= 0 or k >= n:
        for j in range(min(k, n)):
            index[j] = j
        return max(0, min(k, n))
    words = np.empty(words_for(n), np.uint64)
    padded = np.empty(64 * words.size, values.dtype)
    lowest = values.dtype.type(-np.inf)
    for j in range(n):
        padded[j] = values[j] if values[j] == values[j] else lowest
    for j in range(n, padded.size):
        padded[j] = np.nan  # is not counted
    limit, found = _limit_for(padded, k)
    mark_from(padded, limit, words)
    list_members(words, index)
    if found > k:
        _drop_ties(padded, limit, found, found - k, index)
    return k


@compiled
def _drop_ties(values: np.ndarray, limit: float, count: int, surplus: int, index: np.ndarray) -> None:
    """Take the last `surplus` positions whose value is the limit out of `index[:count]`, which stays increasing."""
    ties = -surplus
    for i in range(count):
        ties += values[index[i]] == limit
    kept = 0
    for i in range(count):
        tied = values[index[i]] == limit
        index[kept] = index[i]
        kept += not tied or ties > 0
        ties -= tied
