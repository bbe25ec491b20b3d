"""The one place where functions are handed to Numba.

`compiled` gives every kernel the same options, and gives type checkers a
decorator that keeps the function's signature. Compilation is lazy: importing a
module that uses it compiles nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import types as _types
from numba.extending import intrinsic as _intrinsic
from numba.extending import lower_builtin as _lower_builtin
from numba.extending import type_callable as _type_callable

from approxmm.parts import OUTERMOST, part_of

__all__ = ["borrowed", "compiled", "compiled_fast", "copy_into", "inlined", "intrinsic", "keep_alive", "lowered"]

# Some versions of Numba are typed and some are not; the checker need not know which is installed.
_njit = cast(Any, numba.njit)
_typed = cast(Any, _type_callable)
_F = TypeVar("_F", bound=Callable[..., object])
_T = TypeVar("_T")

# Nobody calls kernels from C: no wrapper for that is compiled.
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, **OUTERMOST}

# Flags that let sums be vectorised. `nnan` and `ninf` stay out: divergence must remain visible.
_FAST = {"contract", "reassoc", "arcp", "nsz"}


def compiled(function: _F) -> _F:
    """Compile `function` lazily in no-Python mode, strict IEEE arithmetic, cached on disk, without the GIL."""
    return cast(_F, _kernel(function, _OPTIONS))


def inlined(function: _F) -> _F:
    """Like `compiled`, but the function's code becomes part of every function that calls it.

    For functions with one caller that hand much on, or where the caller knows what the function would have to ask.
    """
    return cast(_F, _forgiving(_njit(**_OPTIONS, inline="always")(function)))


def compiled_fast(function: _F) -> _F:
    """Like `compiled`, but sums may be reordered and multiply-adds contracted (NaN and infinity are kept)."""
    return cast(_F, _kernel(function, {**_OPTIONS, "fastmath": _FAST}))


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make `function`, which types and emits instructions, callable in compiled code."""
    return cast(Callable[..., Any], cast(Any, _intrinsic)(function))


def _kernel(function: _F, options: dict[str, Any]) -> Any:
    """Hand a function to Numba: as something to call from Python, and as a part of the kernels that call it.

    A kernel that calls this one with a constant does not compile it for that constant alone. (Numba would compile a
    function that is called with 0 here and 1 there for Literal[0] and for Literal[1], although LLVM sees the constants
    anyway where it inlines the call.)
    """
    dispatcher = _forgiving(_njit(**options)(function))
    if not hasattr(dispatcher, "get_call_template"):  # compilation is switched off
        return dispatcher
    part = part_of(function, _njit, options)

    def with_types_only(args: Any, keywords: Any) -> Any:
        unliteral = cast(Any, _types).unliteral
        return part().get_call_template(
            tuple(map(unliteral, args)), {name: unliteral(kind) for name, kind in keywords.items()}
        )

    dispatcher.get_call_template = with_types_only
    dispatcher.get_overload = lambda signature: part().get_overload(signature)
    return dispatcher


def lowered(function: Callable[..., Any], *kinds: Any) -> Callable[[_F], _F]:
    """Return a decorator: what emits the instructions for calls of `function` with arguments of these Numba types.

    How such calls are typed is said by `numba.extending.type_callable`. Unlike an `overload`, nothing is compiled for
    itself, and in plain Python `function` is what it is.
    """
    return cast(Callable[[_F], _F], cast(Any, _lower_builtin)(function, *kinds))


def _forgiving(dispatcher: Any) -> Any:
    """Let a kernel's disk cache be forgotten, instead of failing, when it names a class that is gone.

    The index of a cache holds the classes that the kernel was compiled for. Once a package with a method of its own is
    uninstalled, the index cannot be read any more, and Numba would raise ImportError for every other method too.
    """
    file = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    load = getattr(file, "_load_index", None)
    if file is None or load is None:
        return dispatcher

    def load_what_is_left() -> Any:
        try:
            return load()
        except (ImportError, AttributeError):
            return {}

    file._load_index = load_what_is_left
    return dispatcher


@compiled
def copy_into(out: np.ndarray, source: np.ndarray) -> None:
    """Write the 1-D array `source` to the beginning of `out`.

    In compiled code ``out[:] = source`` comes with the text of an error message about shapes: string formatting that
    takes seconds to compile, again in every function that calls the one that assigns.
    """
    for i in range(source.size):
        out[i] = source[i]


def borrowed(value: _T) -> _T:
    """Return an array, or a tuple of arrays and numbers, without a share in its ownership.

    Each time a kernel hands an array on, or takes one out of a tuple, Numba counts a reference, indivisibly: 5 ns, and
    much more where threads count references of the same array. Views of arrays that own nothing count nothing. The
    caller must keep the original alive: arguments of a call are, and what was allocated is until `keep_alive`.
    """
    return value


def keep_alive(value: object) -> None:
    """Do nothing with arrays, or tuples of them, but need them, so that they are not given back before."""


_typed(borrowed)(lambda context: lambda value: value)
_typed(keep_alive)(lambda context: lambda value: cast(Any, _types).void)


@lowered(borrowed, cast(Any, _types).Any)
def _emit_borrowed(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return _without_owner(context, builder, signature.return_type, args[0])


@lowered(keep_alive, cast(Any, _types).Any)
def _emit_keep_alive(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return context.get_dummy_value()


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return the value with null in place of what owns its arrays' memory."""
    if isinstance(kind, cast(Any, _types).Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo, array.parent = (cast(Any, field.type)(None) for field in (array.meminfo, array.parent))
        return array._getvalue()
    if isinstance(kind, cast(Any, _types).BaseTuple):
        for number, part in enumerate(kind):
            inner = _without_owner(context, builder, part, builder.extract_value(value, number))
            value = builder.insert_value(value, inner, number)
    return value
