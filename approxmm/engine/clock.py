"""The time, in compiled code."""

from __future__ import annotations

import time
from typing import Any

from llvmlite import ir
from numba import types

from approxmm._vectors import cgutils
from approxmm.compile import compiled, intrinsic

__all__ = ["now"]

_CLOCK = getattr(time, "CLOCK_MONOTONIC", None)
_I32, _I64 = ir.IntType(32), ir.IntType(64)


@intrinsic
def _read_clock(typing: Any) -> Any:
    """Return seconds and nanoseconds; zeros where the system has no such clock."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _CLOCK is None:
            parts = [_I64(0), _I64(0)]
        else:
            form = ir.ArrayType(_I64, 2)
            place = cgutils.alloca_once(builder, form)
            function_type = ir.FunctionType(_I32, [_I32, form.as_pointer()])
            function = cgutils.get_or_insert_function(builder.module, function_type, "clock_gettime")
            builder.call(function, [_I32(_CLOCK), place])
            read = builder.load(place)
            parts = [builder.extract_value(read, i) for i in (0, 1)]
        return context.make_tuple(builder, signature.return_type, parts)

    pair: Any = types.UniTuple
    return pair(types.int64, 2)(), emit


@compiled
def now() -> float:
    """Return seconds since some fixed moment, float64; about 25 ns a call."""
    seconds, nanoseconds = _read_clock()
    moment: float = seconds + 1e-9 * nanoseconds
    return moment
