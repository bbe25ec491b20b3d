"""Indivisible operations on integers that threads share, and the locks made of them, for compiled code.

In plain Python the same functions are ordinary ones: there, one thread at a time runs the kernels.
"""

from __future__ import annotations

import sys
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils as _cgutils
from numba.extending import overload

from approxmm.compile import compiled, intrinsic

__all__ = ["acquire", "fetch_add", "give_way", "read_shared", "release", "try_acquire"]

_insert = cast(Any, _cgutils).get_or_insert_function  # typed in some versions of Numba only
_SPINS = 1000  # turns (about a microsecond) before a waiting thread offers its processor to others


def _element(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.gep(array.data, [args[1]])


@intrinsic
def _emit_fetch_add(typing: Any, array: Any, index: Any, amount: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _element(context, builder, signature, args), args[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), emit


@intrinsic
def _emit_exchange(typing: Any, array: Any, index: Any, value: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("xchg", _element(context, builder, signature, args), args[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), emit


@intrinsic
def _emit_read(typing: Any, array: Any, index: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_element(context, builder, signature, args), "seq_cst", 8)

    return types.int64(array, types.intp), emit


@intrinsic
def _emit_give_way(typing: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if sys.platform != "win32":
            function = ir.FunctionType(ir.IntType(32), [])
            builder.call(_insert(builder.module, function, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), emit


def fetch_add(array: np.ndarray, index: int, amount: int) -> int:
    """Add to an element of a contiguous int64 array in one indivisible step; return what it was."""
    before = int(array[index])
    array[index] = before + amount
    return before


def _exchange(array: np.ndarray, index: int, value: int) -> int:
    """Replace an element of a contiguous int64 array in one indivisible step; return what it was."""
    before = int(array[index])
    array[index] = value
    return before


def read_shared(array: np.ndarray, index: int) -> int:
    """Return an element of a contiguous int64 array as other threads left it."""
    return int(array[index])


def give_way() -> None:
    """Offer the processor to another thread, where the system has a call for it."""


@overload(fetch_add, strict=False)
def _fetch_add_overload(array: Any, index: Any, amount: Any) -> Any:
    emit: Any = _emit_fetch_add
    return lambda array, index, amount: emit(array, index, amount)


@overload(_exchange, strict=False)
def _exchange_overload(array: Any, index: Any, value: Any) -> Any:
    emit: Any = _emit_exchange
    return lambda array, index, value: emit(array, index, value)


@overload(read_shared, strict=False)
def _read_shared_overload(array: Any, index: Any) -> Any:
    emit: Any = _emit_read
    return lambda array, index: emit(array, index)


@overload(give_way, strict=False)
def _give_way_overload() -> Any:
    emit: Any = _emit_give_way
    return lambda: emit()


@compiled
def try_acquire(locks: np.ndarray, index: int) -> bool:
    """Take a lock, an element of a contiguous int64 array that is 0 while free; return whether it was free."""
    return _exchange(locks, index, 1) == 0


@compiled
def acquire(locks: np.ndarray, index: int) -> None:
    """Wait for a lock and take it. What its last holder wrote is then visible."""
    turns = 0
    while _exchange(locks, index, 1) != 0:
        while read_shared(locks, index) != 0:
            turns += 1
            if turns > _SPINS:
                give_way()


@compiled
def release(locks: np.ndarray, index: int) -> None:
    """Give a lock back."""
    _exchange(locks, index, 0)
