"""From a method's name to its class: one line a method, and an entry point for anybody else's."""

from __future__ import annotations

from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from approxmm.errors import InputError
from approxmm.methods.budget import Budget
from approxmm.methods.contract import Method

__all__ = ["available_methods", "get_method", "method_class"]

# In the order in which tables list them.
_METHODS = {
    "exact": "approxmm.methods.exact:Exact",
    "dropout": "approxmm.methods.dropout:Dropout",
    "adaptive_dropout": "approxmm.methods.adaptive_dropout:AdaptiveDropout",
    "with_replacement": "approxmm.methods.with_replacement:WithReplacement",
    "without_replacement": "approxmm.methods.without_replacement:WithoutReplacement",
    "bernoulli": "approxmm.methods.bernoulli:Bernoulli",
    "top_k": "approxmm.methods.top_k:TopK",
    "winner_take_all": "approxmm.methods.winner_take_all:WinnerTakeAll",
    "oracle_active": "approxmm.methods.oracle_active:OracleActive",
    "alsh": "approxmm.methods.alsh:Alsh",
    "alsh_unbiased": "approxmm.methods.alsh_unbiased:AlshUnbiased",
    "subspace_screen": "approxmm.methods.subspace_screen:SubspaceScreen",
    "correlation_tree": "approxmm.methods.correlation_tree:CorrelationTree",
}
_GROUP = "approxmm.methods"


@cache
def _plugins() -> dict[str, str]:
    """Methods of other packages; a name of ours cannot be taken over."""
    return {point.name: point.value for point in entry_points(group=_GROUP) if point.name not in _METHODS}


def available_methods() -> list[str]:
    """Return the names of all methods, the package's own first."""
    return [*_METHODS, *sorted(_plugins())]


@cache
def method_class(name: str) -> type[Method]:
    """Return the class registered as `name`.

    Raises
    ------
    InputError
        If the name is unknown.
    """
    target = _METHODS.get(name) or _plugins().get(name)
    if target is None:
        close = get_close_matches(name, available_methods(), n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(f"method={name!r} is unknown; {hint}choose one of {', '.join(available_methods())}")
    module, _, attribute = target.partition(":")
    try:
        found: type[Method] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"method={name!r} cannot be loaded from {target!r} ({error}); reinstall its package"
        ) from error
    return found


def get_method(name: str | Method, budget: Budget | float | int | str | None = None, **options: Any) -> Method:
    """Return a method by name, with its budget and options.

    Parameters
    ----------
    name : str or Method
        A `Method` is returned as it is (then no other argument is allowed).
    budget : float, int or str, optional
        Fraction (0 < b ≤ 1, a float) or count (an int); 0.1 by default.
    **options
        The method's own parameters, for example ``probabilities="uniform"``.

    Raises
    ------
    InputError
        If the name, the budget or an option is not acceptable.

    Examples
    --------
    >>> get_method("with_replacement", 0.2, probabilities="uniform").budget.value
    0.2
    """
    if isinstance(name, Method):
        if budget is not None or options:
            raise InputError(f"method={name.name!r} is built already; give its budget and options when you build it")
        return name
    found = method_class(name)
    known = [f.name for f in fields(found) if f.name != "budget"]
    for option in options:
        if option not in known:
            has = f"it has {', '.join(known)}" if known else "it has no options"
            raise InputError(f"option={option!r} is unknown to method {name!r}; {has}")
    return found(**options) if budget is None else found(budget=Budget.of(budget), **options)
