"""Order statistics for compiled loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import overload, type_callable

from approxmm._vectors import Emitter, counted_loop
from approxmm.bits import list_members, mark_from, words_for
from approxmm.compile import compiled, intrinsic, lowered

__all__ = ["fill_top"]

_STRIDE = 64  # values that are looked at side by side
_HALVINGS = 12  # of an interval of values, before the order of all floats is halved: that ends in any case


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


@intrinsic
def _emit_count(typing: Any, values: Any, limit: Any) -> Any:
    """Counters of 32 bits, as many as the comparisons; LLVM would make them 64 bits wide, for twice the time."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = Emitter(builder, context.get_value_type(signature.args[0].dtype))
        array, least = context.make_array(signature.args[0])(context, builder, args[0]), e.splat(args[1])
        counters = ir.VectorType(ir.IntType(32), e.lanes)

        def turn(j: Any, counts: list[Any]) -> list[Any]:
            loaded = [e.load(e.at(array.data, j, v * e.lanes)) for v in range(_STRIDE // e.lanes)]
            met = [builder.zext(builder.fcmp_ordered(">=", vector, least), counters) for vector in loaded]
            return [builder.add(count, one) for count, one in zip(counts, met, strict=True)]

        zeros = [ir.Constant(counters, [0] * e.lanes)] * (_STRIDE // e.lanes)
        total, *others = counted_loop(builder, builder.extract_value(array.shape, 0), zeros, turn, step=_STRIDE)
        for other in others:
            total = builder.add(total, other)
        return builder.zext(_folded(builder, total, builder.add), ir.IntType(64))

    return types.int64(values, values.dtype), emit


@intrinsic
def _emit_pad(typing: Any, values: Any, padded: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = Emitter(builder, context.get_value_type(signature.args[0].dtype))
        source, target = (context.make_array(k)(context, builder, a) for k, a in zip(signature.args, args, strict=True))
        size, room = (builder.extract_value(array.shape, 0) for array in (source, target))
        lowest, highest = (ir.Constant(e.vector, [sign * float("inf")] * e.lanes) for sign in (-1, 1))
        nothing = ir.Constant(e.vector, [float("nan")] * e.lanes)

        def least(a: Any, b: Any) -> Any:
            return builder.select(builder.fcmp_ordered("<", a, b), a, b)

        def largest(a: Any, b: Any) -> Any:
            return builder.select(builder.fcmp_ordered(">", a, b), a, b)

        def turn(j: Any, ends: list[Any]) -> list[Any]:
            there = e.first_lanes(builder.sub(size, j))
            loaded = e.load(e.at(source.data, j), there)
            ranked = builder.select(builder.fcmp_ordered("ord", loaded, loaded), loaded, lowest)
            e.store(builder.select(there, ranked, nothing), e.at(target.data, j))
            return [least(builder.select(there, ranked, highest), ends[0]), largest(ranked, ends[1])]

        low, high = counted_loop(builder, room, [highest, lowest], turn, step=e.lanes)
        return context.make_tuple(
            builder, signature.return_type, (_folded(builder, low, least), _folded(builder, high, largest))
        )

    return cast(Any, types).UniTuple(values.dtype, 2)(values, padded), emit


def _folded(builder: Any, vector: Any, combine: Callable[[Any, Any], Any]) -> Any:
    """Return what an operation makes of all lanes, by halves."""
    lanes = vector.type.count
    while lanes > 1:
        lanes //= 2
        halves = [
            builder.shuffle_vector(
                vector, vector, ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(first, first + lanes)))
            )
            for first in (0, lanes)
        ]
        vector = combine(*halves)
    return builder.extract_element(vector, ir.IntType(32)(0))


def _count_from(values: np.ndarray, limit: float) -> int:
    """Return how many values are not below the limit; there are a multiple of `_STRIDE`, NaN where none is meant."""
    return int((values >= limit).sum())


@overload(_count_from, strict=False)
def _count_from_overload(values: Any, limit: Any) -> Any:
    emit: Any = _emit_count
    return lambda values, limit: emit(values, limit)


def _pad(values: np.ndarray, padded: np.ndarray) -> tuple[float, float]:
    """Copy the values, −inf in place of NaN, and NaN behind them; return the least and the largest."""
    padded[: values.size] = np.where(np.isnan(values), -np.inf, values)
    padded[values.size :] = np.nan
    return padded[: values.size].min(), padded[: values.size].max()


@overload(_pad, strict=False)
def _pad_overload(values: Any, padded: Any) -> Any:
    emit: Any = _emit_pad
    return lambda values, padded: emit(values, padded)


@compiled
def _limit_for(values: np.ndarray, k: int, least: float, largest: float) -> tuple[float, int]:
    """Return a limit and how many values are not below it: k, or more if the k-th largest value has ties.

    Bisection in passes that are vectorised: of the interval of the values, and if that takes long, of the order of all
    floats, which ends. (A quickselect is guessed wrong at every other comparison.)
    """
    low, high, passes = _order(least), _order(largest), 0
    while True:
        middle = (low | high) - ((low ^ high) >> 1)  # rounded up, without overflow
        if passes < _HALVINGS and math.isfinite(least) and math.isfinite(largest):
            between = values.dtype.type(0.5) * _ordered(low, values[0]) + values.dtype.type(0.5) * _ordered(
                high, values[0]
            )
            middle = min(max(_order(between), low + 1), high)
        limit = _ordered(middle, least)
        count = _count_from(values, limit)
        if count == k or low == high:
            return limit, count
        if count > k:
            low = middle
        else:
            high = middle - 1
        passes += 1


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
    padded = np.empty(_STRIDE * words.size, values.dtype)
    least, largest = _pad(values, padded)
    limit, found = _limit_for(padded, k, least, largest)
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
