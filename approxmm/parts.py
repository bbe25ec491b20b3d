"""Kernels that other kernels call, translated but not compiled for themselves.

Numba optimises a function together with all that it calls and turns both into machine code, and does so again at each
level of callers, though only the outermost function is ever run: that was half of the time that the engine took to
compile. Here a kernel that is called by others is a *part*: its types are inferred and it is translated for LLVM, and
there it stays. What is called from Python links the parts it needs, each once, optimises them together with itself,
and is the only thing that becomes machine code.

What kernels call of NumPy's functions, as Numba has them, is a part too (see `approxmm.translation`).

This changes some of Numba's classes, by inheritance. With a version of Numba that lacks what is used of them, parts are
compiled as Numba does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, cast

import numba
from numba.core import codegen as _codegen
from numba.core import compiler as _compiler
from numba.core import compiler_machinery as _machinery
from numba.core import environment as _environment
from numba.core import typed_passes as _passes

from approxmm.translation import SUPPORTED, Translator, translate_calls

__all__ = ["OUTERMOST", "part_of"]

# Some versions of Numba are typed and some are not; the checker need not know which is installed.
_Library: Any = _codegen.JITCodeLibrary
_AnalysisPass: Any = _machinery.AnalysisPass
_register_pass = cast(Any, _machinery).register_pass
_USED = ("_get_module_for_linking", "_finalize_dynamic_globals", "_raise_if_finalized", "add_linking_library")
_SUPPORTED = (
    SUPPORTED
    and all(hasattr(_Library, name) for name in _USED)
    and hasattr(_environment, "lookup_environment")
    and hasattr(_codegen.CPUCodegen, "_function_pass_manager")
)


class _Lightly:
    """What makes LLVM code and optimises it, each function but little: that is done again with all that call it."""

    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)

    def _function_pass_manager(self, *args: Any) -> Any:
        return self._codegen._function_pass_manager(*args, opt=1)


class _Part(_Library):  # type: ignore[misc]
    """A kernel's code for LLVM, which names the libraries below without containing them."""

    _linking_libraries: list[Any]
    _shared_module: Any

    def __init__(self, codegen: Any, name: str) -> None:
        super().__init__(_Lightly(codegen), name)

    def finalize(self) -> None:
        """Declare the code complete."""
        self._raise_if_finalized()
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage.name == "external":
                function.linkage = "linkonce_odr"  # may be contained in several libraries
        self._finalize_dynamic_globals()
        self._finalized = True

    @property
    def own_module(self) -> Any:
        """The kernel's code alone."""
        self._ensure_finalized()
        return self._final_module

    def _get_module_for_linking(self) -> Any:
        """Return the code with all that is below: for callers that Numba compiles in its own way."""
        if self._shared_module is None:
            module = self.own_module.clone()
            parts, others = _below([self])
            for part in parts[1:]:
                module.link_in(part.own_module, preserve=True)
            for library in others:
                module.link_in(library._get_module_for_linking(), preserve=True)
            self._shared_module = module
        return self._shared_module

    def get_pointer_to_function(self, name: str) -> int:
        """Return 0: there is no machine code."""
        self._ensure_finalized()
        return 0

    @property
    def codegen(self) -> Any:
        """Where the environment is made known: here, to nobody, as nothing is run here."""
        return self

    def set_env(self, name: str, environment: Any) -> None:
        """Do nothing; see `_Environments`."""


class _Whole(_Library):  # type: ignore[misc]
    """A kernel that is called from Python, with all that is below."""

    _linking_libraries: list[Any]

    def finalize(self) -> None:
        """Link everything once, optimise it, and make machine code."""
        parts, others = _below(self._linking_libraries)
        for part in parts:
            if hasattr(part, "_reload_init"):  # newer versions: what is called when the code is loaded from the disk
                self._reload_init.update(part._reload_init)
            self._final_module.link_in(part.own_module, preserve=True)
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage.name == "linkonce_odr":
                function.linkage = "internal"  # nobody else calls it: LLVM may inline it whatever its size
        self._linking_libraries = others
        super().finalize()


def _below(libraries: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Return the parts among libraries and below them, callers first, and the other libraries.

    LLVM leaves out what nothing asks for at the time when it is linked.
    """
    reached: dict[Any, None] = {}
    _reach(libraries, set(), reached)
    order = list(reached)[::-1]
    return [x for x in order if isinstance(x, _Part)], [x for x in order if not isinstance(x, _Part)]


def _reach(libraries: Iterable[Any], seen: set[Any], reached: dict[Any, None]) -> None:
    for library in reversed(list(libraries)):
        if library not in seen:
            seen.add(library)
            if isinstance(library, _Part):
                _reach(library._linking_libraries, seen, reached)
            reached[library] = None


def _in_library(kind: Any) -> Any:
    """Return a pass that gives the function a library of this class, just before it is translated for LLVM."""

    class Choose(_AnalysisPass):  # type: ignore[misc]
        _name = f"library{kind.__name__.lower()}"

        def __init__(self) -> None:
            _AnalysisPass.__init__(self)

        def run_pass(self, state: Any) -> bool:
            state.library = kind(state.targetctx.codegen(), state.func_id.func_qualname)
            state.library.enable_object_caching()
            return False

    return _register_pass(mutates_CFG=False, analysis_only=True)(Choose)


class _Environments(_AnalysisPass):  # type: ignore[misc]
    """Tells the machine code where the environments of the parts in it are, as Numba does for each library."""

    _name = "environments_of_parts"

    def __init__(self) -> None:
        _AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        library = state.library
        for variable in library._final_module.global_variables:
            environment = cast(Any, _environment).lookup_environment(variable.name)
            if environment is not None and library._codegen._engine.is_symbol_defined(variable.name):
                library._codegen.set_env(variable.name, environment)
        return False


_register_pass(mutates_CFG=False, analysis_only=True)(_Environments)


def _pipeline(kind: Any, *after: Any) -> Any:
    """Return Numba's compiler with libraries of this class, and with more passes at its end."""
    choose = _in_library(kind)

    class Pipeline(Translator):
        def define_pipelines(self) -> list[Any]:
            passes = cast(Any, _compiler).DefaultPassBuilder.define_nopython_pipeline(self.state)
            passes.add_pass_after(choose, cast(Any, _passes).AnnotateTypes)
            for last in after:
                passes.add_pass_after(last, cast(Any, _passes).NativeLowering)
            passes.finalize()
            return [passes]

    return Pipeline


# What `numba.njit` is given for functions that are called from Python.
OUTERMOST: dict[str, Any] = {"pipeline_class": _pipeline(_Whole, _Environments)} if _SUPPORTED else {}
_PART = {"pipeline_class": _pipeline(_Part), "no_cpython_wrapper": True, "cache": False} if _SUPPORTED else {}


def _part_of_numba(**options: Any) -> Any:
    """Return a decorator for Numba's own functions, given what Numba would have given to `numba.jit`."""
    return cast(Any, numba.jit)(**{**options, **_PART, "no_cfunc_wrapper": True})


if _SUPPORTED:
    translate_calls(_part_of_numba)


def part_of(function: Callable[..., Any], decorate: Callable[..., Any], options: dict[str, Any]) -> Callable[[], Any]:
    """Return a function that returns the dispatcher whose compilations kernels call.

    Parameters
    ----------
    function : callable
    decorate, options : callable, dict
        `numba.njit`, and what it is given for the dispatcher that is called from Python.
    """
    return cache(lambda: decorate(**{**options, **_PART})(function))
