"""Tiles of products with rows of a matrix of which only listed columns are wanted: single elements of several rows.

An element is read and multiplied by one instruction, and what all rows need, a column's number and its factor, is read
once. Few instructions an element, and sums that do not wait for each other, let the processor look far ahead to what
the caches have to bring.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, cast

from llvmlite import ir
from numba import types

from approxmm._vectors import Emitter, counted_loop
from approxmm.compile import intrinsic

__all__ = ["listed_add_tile", "listed_dot_tile", "listed_sum_tile"]

_I64 = ir.IntType(64)


class _Rows(NamedTuple):
    """What all tiles work with: the emitter, addresses of the rows and of the other arrays, and the columns."""

    emitter: Emitter
    places: list[Any]
    others: list[Any]
    columns: Any
    count: Any
    first: Any

    def over(self, initial: list[Any], turn: Callable[[Any, Any, list[Any]], list[Any]]) -> list[Any]:
        """Emit a turn for each listed column, which is given its place in the list and its number."""
        e = self.emitter
        return counted_loop(
            e.builder, self.count, initial, lambda q, values: turn(q, e.builder.load(e.at(self.columns, q)), values)
        )

    def of_rows(self, numbers: Any) -> list[Any]:
        """Return each row's element of an array."""
        e = self.emitter
        return [e.builder.load(e.at(numbers, self.first, r)) for r in range(len(self.places))]


def _open(context: Any, builder: Any, signature: Any, args: Any, rows: int) -> _Rows:
    """Take apart the arguments: W, chosen, columns, further arrays, first of the chosen rows."""
    arrays = [
        context.make_array(kind)(context, builder, value)
        for kind, value in zip(signature.args[:-1], args[:-1], strict=True)
    ]
    weights, chosen, columns, *others = arrays
    e = Emitter(builder, context.get_value_type(signature.args[0].dtype))
    width, count = builder.extract_value(weights.shape, 1), builder.extract_value(columns.shape, 0)
    places = [e.at(weights.data, builder.mul(builder.load(e.at(chosen.data, args[-1], r)), width)) for r in range(rows)]
    return _Rows(e, places, [other.data for other in others], columns.data, count, args[-1])


def _next_rows(context: Any, builder: Any, signature: Any, args: Any, rows: int) -> list[Any]:
    """Return the addresses of the rows after a tile's own, or of the last one again where there are no more."""
    weights, chosen = (context.make_array(signature.args[i])(context, builder, args[i]) for i in (0, 1))
    e = Emitter(builder, context.get_value_type(signature.args[0].dtype))
    width, size = builder.extract_value(weights.shape, 1), builder.extract_value(chosen.shape, 0)
    places, last = [], builder.sub(size, _I64(1))
    for r in range(rows, 2 * rows):
        number = builder.add(args[-1], _I64(r))
        number = builder.select(builder.icmp_signed(">", number, last), last, number)
        places.append(e.at(weights.data, builder.mul(builder.load(e.at(chosen.data, number)), width)))
    return places


@cache
def listed_dot_tile(rows: int) -> Callable[..., None]:
    """Return compiled code that writes W[chosen, columns] v to out, for so many rows.

    Its parameters: W (n, m), chosen (c,) int64, columns (k,) int64, v (k,), out (c,); first of the rows in `chosen`.
    """

    @intrinsic
    def tile(typing: Any, W: Any, chosen: Any, columns: Any, v: Any, out: Any, first: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            r = _open(context, builder, signature, args, rows)
            e, (factors, results) = r.emitter, r.others

            def turn(q: Any, column: Any, sums: list[Any]) -> list[Any]:
                factor = builder.load(e.at(factors, q))
                elements = [builder.load(e.at(place, column)) for place in r.places]
                return [e.multiply_add(element, factor, total) for element, total in zip(elements, sums, strict=True)]

            for i, total in enumerate(r.over([ir.Constant(e.element, 0.0)] * rows, turn)):
                builder.store(total, e.at(results, r.first, i))
            return context.get_dummy_value()

        return types.void(W, chosen, columns, v, out, types.intp), emit

    return cast(Callable[..., None], tile)


@cache
def listed_sum_tile(rows: int) -> Callable[..., None]:
    """Return compiled code that adds uᵀ W[chosen, columns] to out, for so many rows.

    Its parameters: W (n, m), chosen (c,) int64, columns (k,) int64, u (c,), out (k,); first of the rows in `chosen`.
    """

    @intrinsic
    def tile(typing: Any, W: Any, chosen: Any, columns: Any, u: Any, out: Any, first: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            r = _open(context, builder, signature, args, rows)
            e, (factors, results) = r.emitter, r.others
            scales = r.of_rows(factors)

            def turn(q: Any, column: Any, values: list[Any]) -> list[Any]:
                total = builder.load(e.at(results, q))
                for place, scale in zip(r.places, scales, strict=True):
                    total = e.multiply_add(scale, builder.load(e.at(place, column)), total)
                builder.store(total, e.at(results, q))
                return values

            r.over([], turn)
            return context.get_dummy_value()

        return types.void(W, chosen, columns, u, out, types.intp), emit

    return cast(Callable[..., None], tile)


@cache
def listed_add_tile(rows: int, ahead: bool = False) -> Callable[..., None]:
    """Return compiled code that adds u vᵀ to W[chosen, columns], for so many rows; if `ahead`, it fetches the next.

    Its parameters: W (n, m), chosen (c,) int64, each once, columns (k,) int64, u (c,), v (k,); first of the rows in
    `chosen`.
    """

    @intrinsic
    def tile(typing: Any, W: Any, chosen: Any, columns: Any, u: Any, v: Any, first: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            r = _open(context, builder, signature, args, rows)
            e, (factors, inputs) = r.emitter, r.others
            scales = r.of_rows(factors)
            coming = _next_rows(context, builder, signature, args, rows) if ahead else []

            def turn(q: Any, column: Any, values: list[Any]) -> list[Any]:
                for place in coming:  # to write: the line is taken from the other processors at once
                    e.prefetch(e.at(place, column), write=True)
                number = builder.load(e.at(inputs, q))
                places = [e.at(place, column) for place in r.places]
                elements = [builder.load(place) for place in places]
                for place, element, scale in zip(places, elements, scales, strict=True):
                    builder.store(e.multiply_add(scale, number, element), place)
                return values

            r.over([], turn)
            return context.get_dummy_value()

        return types.void(W, chosen, columns, u, v, types.intp), emit

    return cast(Callable[..., None], tile)
