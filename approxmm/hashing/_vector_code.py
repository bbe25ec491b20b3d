"""The two inner loops of hashing as vector code, with a plain form of each for where nothing is compiled.

Rows of K·L projections are too short for loops that are vectorised automatically: most of such a row would be the rest
that is left to single steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import overload

from approxmm._tiles import multiply_tile
from approxmm._vectors import Emitter, counted_loop
from approxmm.compile import intrinsic

__all__ = ["eight_signs", "sum_rows"]

_WIDE, _TWO, _LAST = multiply_tile(1, 8, False), multiply_tile(1, 2, False), multiply_tile(1, 1, True)
_EIGHT, _I64 = 8, ir.IntType(64)


def sum_rows(matrix: np.ndarray, index: np.ndarray, value: np.ndarray, out: np.ndarray) -> None:
    """Add Σ_t value[t] · matrix[index[t]] to `out`; all of one float dtype, `index` int64, all contiguous."""
    out += value @ matrix[index]


@overload(sum_rows, strict=False)
def _sum_rows_overload(matrix: Any, index: Any, value: Any, out: Any) -> Any:
    wide, two, last = _WIDE, _TWO, _LAST

    def compiled_sum(matrix: Any, index: Any, value: Any, out: Any) -> None:
        width, lanes, column = matrix.shape[1], 64 // matrix.itemsize, 0
        while column + 8 * lanes <= width:
            wide(out, value, matrix, index, 0, 0, index.size, column, 0)
            column += 8 * lanes
        while column + 2 * lanes <= width:
            two(out, value, matrix, index, 0, 0, index.size, column, 0)
            column += 2 * lanes
        while column < width:
            last(out, value, matrix, index, 0, 0, index.size, column, min(lanes, width - column))
            column += lanes

    return compiled_sum


def eight_signs(
    raw: np.ndarray, row: int, scale: float, planes: np.ndarray, extra: np.ndarray, first: int, count: int
) -> np.uint64:
    """Return which of eight projections of an item are above 0, as bits.

    Parameters
    ----------
    raw : (n, width) float array
    row : int
    scale : float
    planes : (extras, K·L) float array
        Of the dtype of `raw`.
    extra : (at least extras,) float64
        The item's added coordinates.
    first, count : int
        The projections first … first + count − 1, count ≤ 8.
    """
    part = slice(first, first + count)
    value = scale * raw[row, part].astype(np.float64)
    for e in range(planes.shape[0]):
        value = value + extra[e] * planes[e, part]
    return np.uint64(sum(1 << bit for bit in range(count) if value[bit] > 0.0))


@intrinsic
def _emit_eight_signs(
    typing: Any, raw: Any, row: Any, scale: Any, planes: Any, extra: Any, first: Any, count: Any
) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        raw, planes, extra = (context.make_array(signature.args[i])(context, builder, args[i]) for i in (0, 3, 4))
        row, scale, first, count = args[1], args[2], args[5], args[6]
        narrow = Emitter(builder, context.get_value_type(signature.args[0].dtype), _EIGHT)
        double = Emitter(builder, ir.DoubleType(), _EIGHT)
        mask = double.first_lanes(count)

        def numbers(array: Any, line: Any) -> Any:
            start = builder.mul(line, builder.extract_value(array.shape, 1))
            loaded = narrow.load(narrow.at(array.data, start, first), mask)
            return loaded if loaded.type == double.vector else builder.fpext(loaded, double.vector)

        def turn(e: Any, sums: list[Any]) -> list[Any]:
            coordinate = double.splat(builder.load(double.at(extra.data, e)))
            return [builder.fadd(sums[0], builder.fmul(coordinate, numbers(planes, e)))]

        start = builder.fmul(double.splat(scale), numbers(raw, row))
        extras = builder.extract_value(planes.shape, 0)
        (value,) = counted_loop(builder, extras, [start], turn)
        above = builder.fcmp_ordered(">", value, double.zero)
        return builder.zext(builder.bitcast(above, ir.IntType(_EIGHT)), _I64)

    n = types.intp
    return types.uint64(raw, n, types.float64, planes, extra, n, n), emit


@overload(eight_signs, strict=False)
def _eight_signs_overload(raw: Any, row: Any, scale: Any, planes: Any, extra: Any, first: Any, count: Any) -> Any:
    emit: Any = _emit_eight_signs
    return lambda raw, row, scale, planes, extra, first, count: emit(raw, row, scale, planes, extra, first, count)
