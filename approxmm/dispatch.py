"""Compile-time dispatch on the type of a state.

A sampling method, an activation and an optimiser each have parameters that
compiled loops read: a NamedTuple of arrays and numbers, the *state*. Its class
names the implementation. A generic function made here is a plain Python
function that looks the class up; inside compiled code the same look-up happens
during type inference, so a loop written once is compiled for each class with
direct, inlinable calls, and Numba's disk cache works (its key is the class).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast

from numba.core import types as numba_types
from numba.core.typing import templates as numba_templates

__all__ = ["GenericFunction", "generic"]

_P = ParamSpec("_P")
_R_co = TypeVar("_R_co", covariant=True)
_F = TypeVar("_F", bound=Callable[..., object])

# Some versions of Numba are typed and some are not; the checker need not know which is installed.
_types, _templates = cast(Any, numba_types), cast(Any, numba_templates)


class _Implementations(dict[type, Callable[..., Any]]):
    """From state class to compiled implementation, filled by the modules that define the states."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def of(self, state_class: type) -> Callable[..., Any]:
        """Return the implementation for `state_class`."""
        found = self.get(state_class) or self.get(object)
        if found is None:
            raise TypeError(f"no {self.what} is registered for the state class {state_class.__name__}")
        return found


class GenericFunction(Protocol, Generic[_P, _R_co]):
    """A function that dispatches on the class of its first argument."""

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co:
        """Call the implementation for the first argument's class."""

    def register(self, state_class: type) -> Callable[[_F], _F]:
        """Return a decorator that makes a function the implementation for `state_class` (`object`: for all others)."""

    def implementation(self, state_class: type) -> Callable[..., Any]:
        """Return the function registered for `state_class` (its `py_func` is the uncompiled twin)."""


def generic(function: Callable[_P, _R_co]) -> GenericFunction[_P, _R_co]:
    """Make `function` dispatch on the class of its first argument, in Python and in compiled code.

    The body of `function` is not used, only its parameters' names and its
    documentation. The result has an attribute `register(state_class)`, a decorator for
    implementations with the same parameters.
    """
    implementations = _Implementations(function.__name__)

    def dispatching(state: Any, *rest: Any) -> Any:
        return implementations.of(type(state))(state, *rest)

    def register(state_class: type) -> Callable[[_F], _F]:
        def decorator(implementation: _F) -> _F:
            implementations[state_class] = implementation
            return implementation

        return decorator

    dispatching.__name__, dispatching.__doc__ = function.__name__, function.__doc__
    dispatching.__module__ = function.__module__
    dispatching.register = register  # type: ignore[attr-defined]
    dispatching.implementation = implementations.of  # type: ignore[attr-defined]

    _teach_numba(dispatching, implementations)
    return cast(GenericFunction[_P, _R_co], dispatching)


def _teach_numba(dispatching: Callable[..., Any], implementations: _Implementations) -> None:
    """Let calls of `dispatching` in compiled code be calls of the implementation itself.

    The typing template hands out the implementation's own signature and code. (An `overload` would wrap it in a
    function for each call site: one more time that all of it is linked, optimised and turned into machine code.)
    """

    def infer(self: Any, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        state_class = getattr(args[0], "instance_class", None) if args else None
        if state_class is None or not (state_class in implementations or object in implementations):
            return None
        self.chosen = _types.Dispatcher(implementations.of(state_class))
        return self.chosen.get_call_type(self.context, args, kws)

    def implementation_key(self: Any, signature: Any) -> Any:
        return self.chosen.get_impl_key(signature)

    members = {"key": dispatching, "generic": infer, "get_impl_key": implementation_key}
    template = type(f"Dispatch_{dispatching.__name__}", (_templates.AbstractTemplate,), members)
    _templates.infer_global(dispatching, _types.Function(template))
