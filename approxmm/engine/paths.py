"""Which of the two paths a run takes."""

from __future__ import annotations

from typing import Any

from approxmm.engine.optimizers import moves_idle
from approxmm.engine.recipe import PRODUCTS, Recipe
from approxmm.engine.session import Session
from approxmm.engine.sparse.session import ExampleSession
from approxmm.errors import InputError
from approxmm.methods.budget import Budget
from approxmm.network import Network

__all__ = ["choose_path", "make_session"]

# Above this share of active nodes whole layers, computed for all examples together, are the faster ones.
_SMALL, _USUAL = 0.15, 1000


def choose_path(recipe: Recipe) -> tuple[str, str]:
    """Return "minibatch" or "per_example", and why.

    Raises
    ------
    InputError
        If the path that the recipe asks for cannot be taken.
    """
    why_not = _obstacle(recipe)
    if recipe.asynchronous:
        _check_asynchronous(recipe, why_not)
    if recipe.path == "per_example" and why_not:
        raise InputError(f"path='per_example' cannot be taken: {why_not}; choose path='minibatch', or change that")
    if recipe.path != "auto":
        return recipe.path, "asked for"
    if why_not:
        return "minibatch", why_not
    if recipe.batch == 1:
        return "per_example", "with one example a step, products touch its active weights only"
    claims, share = recipe.method.claims, _share(recipe.method.budget)
    if claims.side == "output" and claims.reads != "pre_activation" and share <= _SMALL:
        return "per_example", "every example has its own small set of active nodes"
    return "minibatch", "the examples of a batch share its products"


def _share(budget: Budget) -> float:
    """Return the budget as a fraction of a layer of usual width."""
    return budget.expected(_USUAL, may_exceed=True) / _USUAL


def _check_asynchronous(recipe: Recipe, why_not: str) -> None:
    """Raise InputError unless threads can take steps of their own."""
    if recipe.path == "minibatch" or why_not:
        raise InputError(
            f"asynchronous=True needs the per-example path, but {why_not or 'path=minibatch was asked for'}; "
            "leave it out, or change that"
        )
    if recipe.batch > 1:
        raise InputError(f"asynchronous=True takes steps of one example, not batch={recipe.batch}; choose batch=1")
    if not recipe.method.claims.lock_free:
        raise InputError(
            f"asynchronous=True cannot be used with method {recipe.method.name!r}, whose state one thread at a time "
            "may change; leave it out, or choose another method"
        )


def _obstacle(recipe: Recipe) -> str:
    """Return what stands against the per-example path; nothing if it can be taken."""
    moves: Any = moves_idle.implementation(type(recipe.optimizer))
    if moves.py_func(recipe.optimizer):
        return f"optimizer {type(recipe.optimizer).__name__.lower()} moves weights that no example touched"
    if recipe.independent or recipe.sampled != PRODUCTS:
        return "only one draw for all three products of a layer is taken there"
    return ""


def make_session(network: Network, recipe: Recipe) -> Session:
    """Return the session of the path that the recipe asks for, or, if that is ``auto``, of the faster one.

    Parameters
    ----------
    network : Network
        Initial parameters; copied.
    recipe : Recipe

    Raises
    ------
    InputError
        If the path that the recipe asks for cannot be taken.
    """
    path, reason = choose_path(recipe)
    session = ExampleSession(network, recipe) if path == "per_example" else Session(network, recipe)
    session.path = f"{path}: {reason}"
    return session
