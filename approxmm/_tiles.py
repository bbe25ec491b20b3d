"""Tiles of three products that stay in registers: the inner loops of training at small batches.

A tile is some rows times one or two vectors of columns. The weights (or what is added to) are read by the
rows that a list names, so the same tiles serve exact and sampled products. All arrays are
C-contiguous matrices of one float type.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, cast

from llvmlite import ir
from numba import types

from approxmm._vectors import Emitter, counted_loop
from approxmm.compile import intrinsic

__all__ = ["add_outer_tile", "dot_add_tile", "dot_tile", "multiply_tile"]

_I64 = ir.IntType(64)


class _Matrix(NamedTuple):
    """Address of the first element, and elements a row, as values."""

    data: Any
    stride: Any


def _open(context: Any, builder: Any, signature: Any, args: Any, count: int) -> tuple[Emitter, list[_Matrix]]:
    """Return the emitter for the first argument's element type, and the first `count` arguments as matrices."""
    matrices = []
    for kind, value in zip(signature.args[:count], args[:count], strict=True):
        array = context.make_array(kind)(context, builder, value)
        matrices.append(_Matrix(array.data, builder.extract_value(array.shape, kind.ndim - 1)))
    return Emitter(builder, context.get_value_type(signature.args[0].dtype)), matrices


def _row(e: Emitter, matrix: _Matrix, row: Any, column: Any) -> Any:
    return e.at(matrix.data, e.builder.mul(row, matrix.stride), column)


def _offset(e: Emitter, start: Any, steps: int) -> Any:
    return e.builder.add(start, _I64(steps))


@cache
def multiply_tile(rows: int, vectors: int, masked: bool, ahead: bool = False) -> Callable[..., None]:
    """Return compiled code for one tile of Z + A W[chosen]; if `ahead`, it fetches columns that come next.

    Its parameters: Z (B, m), A (B, c), W (n, m), chosen (c,) int64; first row of Z and A; first and number of chosen
    items; first column; how many columns of the last vector count (read if `masked`).
    """

    @intrinsic
    def tile(
        typing: Any, Z: Any, A: Any, W: Any, chosen: Any, row: Any, first: Any, count: Any, column: Any, last: Any
    ) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            e, (z, a, w, items) = _open(context, builder, signature, args, 4)
            row, first, count, column, last = args[4:]
            mask = e.first_lanes(last) if masked else None
            places = [
                _row(e, z, _offset(e, row, r), _offset(e, column, v * e.lanes))
                for r in range(rows)
                for v in range(vectors)
            ]
            inputs = [_row(e, a, _offset(e, row, r), first) for r in range(rows)]
            listed = e.at(items.data, first)

            def turn(i: Any, sums: list[Any]) -> list[Any]:
                weights = _row(e, w, builder.load(e.at(listed, i)), column)
                if ahead:  # rows are too far apart for the processor to foresee the next columns by itself
                    for v in range(2 * vectors, 3 * vectors):
                        e.prefetch(e.at(weights, v * e.lanes))
                columns = [e.load(e.at(weights, v * e.lanes), mask) for v in range(vectors)]
                scales = [e.splat(builder.load(e.at(scale, i))) for scale in inputs]
                return [e.multiply_add(s, c, sums[t]) for t, (s, c) in enumerate(_pairs(scales, columns))]

            sums = counted_loop(builder, count, [e.load(place, mask) for place in places], turn)
            for place, total in zip(places, sums, strict=True):
                e.store(total, place, mask)
            return context.get_dummy_value()

        n = types.intp
        return types.void(Z, A, W, chosen, n, n, n, n, n), emit

    return cast(Callable[..., None], tile)


@cache
def dot_tile(rows: int, items: int, ahead: bool = False) -> Callable[..., None]:
    """Return compiled code for one tile of O = D W[chosen]ᵀ, of one item or four; if `ahead`, it fetches the next.

    Its parameters: O (B, c), D (B, m), W (n, m), chosen (c,) int64; first row of O and D; first chosen item; where the
    chosen items end that are fetched; the first column that counts, and where the columns end that count.
    """

    @intrinsic
    def tile(
        typing: Any,
        O: Any,  # noqa: E741
        D: Any,
        W: Any,
        chosen: Any,
        row: Any,
        first: Any,
        stop: Any,
        low: Any,
        high: Any,
    ) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            e, (o, d, w, listed) = _open(context, builder, signature, args, 4)
            row, first, stop, low, high = args[4:]
            lefts = [_row(e, d, _offset(e, row, r), low) for r in range(rows)]
            listed_at = [_offset(e, first, i) for i in range(2 * items if ahead else items)]
            last = builder.sub(stop, _I64(1))
            for i in range(items, len(listed_at)):
                beyond = builder.icmp_signed(">", listed_at[i], last)
                listed_at[i] = builder.select(beyond, last, listed_at[i])
            rows_of_w = [_row(e, w, builder.load(e.at(listed.data, place)), low) for place in listed_at]
            rights, coming = rows_of_w[:items], rows_of_w[items:]
            width = builder.sub(high, low)
            whole = builder.and_(width, _I64(-e.lanes))

            def turn(j: Any, sums: list[Any], mask: Any = None) -> list[Any]:
                for right in coming:
                    e.prefetch(e.at(right, j))
                b = [e.load(e.at(right, j), mask) for right in rights]
                a = [e.load(e.at(left, j), mask) for left in lefts]
                return [e.multiply_add(x, y, sums[t]) for t, (x, y) in enumerate(_pairs(a, b))]

            sums = counted_loop(builder, whole, [e.zero] * (rows * items), turn, step=e.lanes)
            sums = turn(whole, sums, e.first_lanes(builder.sub(width, whole)))
            for r in range(rows):
                place = _row(e, o, _offset(e, row, r), first)
                if items == 4:
                    e.store(e.totals(sums[4 * r : 4 * r + 4]), place)
                else:
                    builder.store(e.total(sums[r]), place)
            return context.get_dummy_value()

        n = types.intp
        return types.void(O, D, W, chosen, n, n, n, n, n), emit

    return cast(Callable[..., None], tile)


@cache
def dot_add_tile(rows: int) -> Callable[..., None]:
    """Return compiled code that writes W[chosen] d to out, and then adds u dᵀ to W[chosen], for one row or for four.

    Its parameters: W (n, m), d (m,), chosen (c,) int64, u (c,), out (c,); first of the rows in `chosen`; the first
    column where d is not zero, and where such columns end.
    """

    @intrinsic
    def tile(typing: Any, W: Any, d: Any, chosen: Any, u: Any, out: Any, first: Any, low: Any, high: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            e, (w, deltas, listed, factors, results) = _open(context, builder, signature, args, 5)
            first, low, high = args[5:]
            lines = [_row(e, w, builder.load(e.at(listed.data, _offset(e, first, r))), low) for r in range(rows)]
            scales = [e.splat(builder.load(e.at(factors.data, _offset(e, first, r)))) for r in range(rows)]
            width, deltas_at = builder.sub(high, low), e.at(deltas.data, low)
            whole = builder.and_(width, _I64(-e.lanes))

            def turn(j: Any, sums: list[Any], mask: Any = None) -> list[Any]:
                column = e.load(e.at(deltas_at, j), mask)
                places = [e.at(line, j) for line in lines]
                weights = [e.load(place, mask) for place in places]
                for place, weight, scale in zip(places, weights, scales, strict=True):
                    e.store(e.multiply_add(scale, column, weight), place, mask)
                return [e.multiply_add(weight, column, total) for weight, total in zip(weights, sums, strict=True)]

            sums = counted_loop(builder, whole, [e.zero] * rows, turn, step=e.lanes)
            sums = turn(whole, sums, e.first_lanes(builder.sub(width, whole)))
            place = e.at(results.data, first)
            if rows == 4:
                e.store(e.totals(sums), place)
            else:
                builder.store(e.total(sums[0]), place)
            return context.get_dummy_value()

        n = types.intp
        return types.void(W, d, chosen, u, out, n, n, n), emit

    return cast(Callable[..., None], tile)


@cache
def add_outer_tile(items: int, vectors: int, masked: bool) -> Callable[..., None]:
    """Return compiled code for one tile of T[chosen] ← decay · T[chosen] + AᵀD.

    Its parameters: T (n, m), A (B, c), D (B, m), chosen (c,) int64; first chosen item, and the first column of A that
    belongs to it; first column of T and D; how many columns of the last vector count (read if `masked`); decay.
    """

    @intrinsic
    def tile(
        typing: Any, T: Any, A: Any, D: Any, chosen: Any, first: Any, left: Any, column: Any, last: Any, decay: Any
    ) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            e, (t, a, d, listed) = _open(context, builder, signature, args, 4)
            first, left, column, last, decay = args[4:]
            mask = e.first_lanes(last) if masked else None
            places = []
            for i in range(items):
                row = _row(e, t, builder.load(e.at(listed.data, _offset(e, first, i))), column)
                places += [e.at(row, v * e.lanes) for v in range(vectors)]
            batch = builder.extract_value(context.make_array(signature.args[1])(context, builder, args[1]).shape, 0)

            def turn(r: Any, sums: list[Any]) -> list[Any]:
                deltas = _row(e, d, r, column)
                columns = [e.load(e.at(deltas, v * e.lanes), mask) for v in range(vectors)]
                inputs = _row(e, a, r, left)
                scales = [e.splat(builder.load(e.at(inputs, i))) for i in range(items)]
                return [e.multiply_add(s, c, sums[p]) for p, (s, c) in enumerate(_pairs(scales, columns))]

            keep = e.splat(decay)
            start = [builder.fmul(keep, e.load(place, mask)) for place in places]
            for place, total in zip(places, counted_loop(builder, batch, start, turn), strict=True):
                e.store(total, place, mask)
            return context.get_dummy_value()

        n = types.intp
        return types.void(T, A, D, chosen, n, n, n, n, T.dtype), emit

    return cast(Callable[..., None], tile)


def _pairs(outer: list[Any], inner: list[Any]) -> list[tuple[Any, Any]]:
    return [(x, y) for x in outer for y in inner]
