"""Asking for memory before it is needed, in compiled code.

Scattered elements of a matrix that does not fit into the second-level cache wait for one another: the processor looks
only some rows ahead. Asked for in advance, many are on their way at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from approxmm._vectors import Emitter
from approxmm.compile import intrinsic

__all__ = ["prefetch"]


def prefetch(array: np.ndarray, position: int) -> None:
    """Ask for the cache line of an element of a C-contiguous array, by its position in memory order.

    Changes no result; any position will do. In plain Python it does nothing.
    """


@intrinsic
def _emit_prefetch(typing: Any, array: Any, position: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        e = Emitter(builder, data.type.pointee)
        e.prefetch(e.at(data, args[1]))
        return context.get_dummy_value()

    return types.void(array, types.intp), emit


@overload(prefetch, strict=False)
def _prefetch_overload(array: Any, position: Any) -> Any:
    emit: Any = _emit_prefetch
    return lambda array, position: emit(array, position)
