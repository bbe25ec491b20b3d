"""Tiles of products with rows of a matrix of which only some blocks of columns are wanted.

A block is the columns of one vector of 32 bytes. Where single elements would have to be gathered, their blocks are read
as a whole, side by side for several rows. Blocks of 64 bytes would hold more elements that nobody wants, and rows that
begin in the middle of a line of the cache would have each of them in two lines.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, cast

from llvmlite import ir
from numba import types

from approxmm._vectors import Emitter, counted_loop
from approxmm.compile import intrinsic

__all__ = ["BLOCK_BYTES", "block_add_tile", "block_dot_tile", "block_sum_tile"]

BLOCK_BYTES = 32
_I64 = ir.IntType(64)


class _Rows(NamedTuple):
    """What all tiles work with: the emitter, addresses of the rows and of the other arrays, and the blocks."""

    emitter: Emitter
    places: list[Any]
    others: list[Any]
    blocks: Any
    count: Any
    width: Any
    first: Any

    def over(self, initial: list[Any], turn: Callable[[Any, list[Any], Any], list[Any]]) -> list[Any]:
        """Emit a turn for each listed block, and one for the columns after the last whole block."""
        e = self.emitter

        def listed(i: Any, values: list[Any]) -> list[Any]:
            return turn(e.builder.load(e.at(self.blocks, i)), values, None)

        values = counted_loop(e.builder, self.count, initial, listed)
        whole = e.builder.and_(self.width, _I64(-e.lanes))
        return turn(whole, values, e.first_lanes(e.builder.sub(self.width, whole)))


def _open(context: Any, builder: Any, signature: Any, args: Any, rows: int) -> _Rows:
    """Take apart the arguments: W, chosen, blocks, further arrays, number of blocks, first of the chosen rows."""
    arrays = [
        context.make_array(kind)(context, builder, value)
        for kind, value in zip(signature.args[:-2], args[:-2], strict=True)
    ]
    count, first = args[-2:]
    weights, chosen, blocks, *others = arrays
    e = Emitter(
        builder, context.get_value_type(signature.args[0].dtype), 8 * BLOCK_BYTES // signature.args[0].dtype.bitwidth
    )
    width = builder.extract_value(weights.shape, 1)
    places = [e.at(weights.data, builder.mul(builder.load(e.at(chosen.data, first, r)), width)) for r in range(rows)]
    return _Rows(e, places, [other.data for other in others], blocks.data, count, width, first)


@cache
def block_dot_tile(rows: int) -> Callable[..., None]:
    """Return compiled code that writes W[chosen] x to out, for one row or for four.

    Its parameters: W (n, m), chosen (c,) int64, blocks int64 (first columns), x (m,), out (c,); number of blocks; first
    of the rows in `chosen`. Columns after the last whole block are always read.
    """

    @intrinsic
    def tile(typing: Any, W: Any, chosen: Any, blocks: Any, x: Any, out: Any, count: Any, first: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            r = _open(context, builder, signature, args, rows)
            e, (inputs, results) = r.emitter, r.others

            def turn(column: Any, sums: list[Any], mask: Any) -> list[Any]:
                factor = e.load(e.at(inputs, column), mask)
                lines = [e.load(e.at(place, column), mask) for place in r.places]
                return [e.multiply_add(line, factor, total) for line, total in zip(lines, sums, strict=True)]

            sums, place = r.over([e.zero] * rows, turn), e.at(results, r.first)
            if rows == 4:
                e.store(e.totals(sums), place)
            else:
                builder.store(e.total(sums[0]), place)
            return context.get_dummy_value()

        return types.void(W, chosen, blocks, x, out, types.intp, types.intp), emit

    return cast(Callable[..., None], tile)


@cache
def block_sum_tile(rows: int) -> Callable[..., None]:
    """Return compiled code that adds uᵀ W[chosen] to out, for so many rows.

    Its parameters: W (n, m), chosen (c,) int64, blocks int64, u (c,), out (m,); number of blocks; first of the rows.
    """

    @intrinsic
    def tile(typing: Any, W: Any, chosen: Any, blocks: Any, u: Any, out: Any, count: Any, first: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            r = _open(context, builder, signature, args, rows)
            e, (factors, results) = r.emitter, r.others
            scales = [e.splat(builder.load(e.at(factors, r.first, i))) for i in range(rows)]

            def turn(column: Any, values: list[Any], mask: Any) -> list[Any]:
                total = e.load(e.at(results, column), mask)
                for place, scale in zip(r.places, scales, strict=True):
                    total = e.multiply_add(scale, e.load(e.at(place, column), mask), total)
                e.store(total, e.at(results, column), mask)
                return values

            r.over([], turn)
            return context.get_dummy_value()

        return types.void(W, chosen, blocks, u, out, types.intp, types.intp), emit

    return cast(Callable[..., None], tile)


@cache
def block_add_tile(rows: int) -> Callable[..., None]:
    """Return compiled code that adds u xᵀ to W[chosen], for so many rows.

    Its parameters: W (n, m), chosen (c,) int64, blocks int64, u (c,), x (m,); number of blocks; first of the rows.
    """

    @intrinsic
    def tile(typing: Any, W: Any, chosen: Any, blocks: Any, u: Any, x: Any, count: Any, first: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            r = _open(context, builder, signature, args, rows)
            e, (factors, inputs) = r.emitter, r.others
            scales = [e.splat(builder.load(e.at(factors, r.first, i))) for i in range(rows)]

            def turn(column: Any, values: list[Any], mask: Any) -> list[Any]:
                factor = e.load(e.at(inputs, column), mask)
                places = [e.at(place, column) for place in r.places]
                lines = [e.load(place, mask) for place in places]
                for place, line, scale in zip(places, lines, scales, strict=True):
                    e.store(e.multiply_add(scale, factor, line), place, mask)
                return values

            r.over([], turn)
            return context.get_dummy_value()

        return types.void(W, chosen, blocks, u, x, types.intp, types.intp), emit

    return cast(Callable[..., None], tile)
