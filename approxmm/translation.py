"""How Numba translates our kernels, with less work than it would do by itself.

Most of the time until a first step goes into Numba's Python: types, code for LLVM, and the text of it. What comes out
is the same without this:

* To count references, Numba writes code that takes every field of every tuple and array apart, to find the few that
  have a counter: a third of all code that it wrote for us, and gone as soon as LLVM has read it.
* What kernels call of NumPy becomes machine code of its own, which nobody runs. Here it is a part like our own.
* For every call that is typed, all settings are looked up by name and compared. Here those that were set are.
* Python's collector looks through all that Numba keeps, twenty times, and finds nothing.

This changes four of Numba's classes, by inheritance.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from numba.core import compiler as _compiler
from numba.core import target_extension as _targets
from numba.core.runtime import context as _runtime

__all__ = ["SUPPORTED", "Translator", "translate_calls"]

# Some versions of Numba are typed and some are not; the checker need not know which is installed.
_Compiler: Any = _compiler.CompilerBase
_Flags: Any = _compiler.Flags
_References: Any = _runtime.NRTContext
_Cpu: Any = getattr(_targets, "CPU", object)

SUPPORTED = (
    hasattr(_Compiler, "_compile_core")
    and hasattr(_References, "get_meminfos")
    and all(hasattr(_targets, name) for name in ("CPU", "jit_registry", "dispatcher_registry"))
)

_YOUNG = 10_000  # objects between two collections while kernels are translated; of the old ones there is none


class _Counted(_References):  # type: ignore[misc]
    """Writes the code that counts references."""

    def get_meminfos(self, builder: Any, kind: Any, value: Any) -> list[tuple[Any, Any]]:
        """Return the types and counters of all arrays in a value; only what has one is taken out of it."""
        models = self._context.data_model_manager
        found = [(kind, models[kind].get_nrt_meminfo(builder, value))] if models[kind].has_nrt_meminfo() else []
        for inner, taken_out in models[kind].traverse(builder):
            if _has_counter(models, inner):
                found.extend(self.get_meminfos(builder, inner, taken_out(value)))
        return found


@cache
def _has_counter(models: Any, kind: Any) -> bool:
    return bool(models[kind].contains_nrt_meminfo())


class _Processor(_Cpu):  # type: ignore[misc]
    """What code is made for: the same as always, but functions of Numba's are compiled by a decorator of ours."""


def translate_calls(decorate: Callable[..., Any]) -> None:
    """Say by which decorator functions are compiled that Numba has for calls of NumPy's and Python's functions."""
    _targets.jit_registry[_Processor] = decorate
    _targets.dispatcher_registry[_Processor] = _targets.dispatcher_registry[_targets.CPU]


class _Settings(_Flags):  # type: ignore[misc]
    """A kernel's settings."""

    def copy(self) -> Any:
        """Return what Numba's functions that the kernel calls inherit, and are known by when they are called again."""
        inherited = _Inherited(self)
        for name in ("release_gil", "inline"):
            inherited.discard(name)
        inherited.no_cpython_wrapper = inherited.no_cfunc_wrapper = True
        return inherited


class _Inherited(_Flags):  # type: ignore[misc]
    """Settings that are equal if the same ones were set to the same values."""

    _values: dict[str, Any]

    def copy(self) -> Any:
        return _Flags(self)

    def __hash__(self) -> int:
        return hash(frozenset(self._values))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Inherited) and self._values == other._values


class Translator(_Compiler):  # type: ignore[misc]
    """Numba's compiler, without its passes."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        target, flags = self.state.targetctx, self.state.flags
        self.state.targetctx = target.subtarget(target=_Processor, nrt=_Counted(target, flags.nrt))
        self.state.flags = _Settings(flags)

    def _compile_core(self) -> Any:
        with _few_collections():
            return super()._compile_core()


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let the collector look at new objects only, and rarely; Numba lets one thread at a time in here."""
    before = gc.get_threshold()
    if 0 < before[0] < _YOUNG:
        gc.set_threshold(_YOUNG, before[1], 1_000_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)
