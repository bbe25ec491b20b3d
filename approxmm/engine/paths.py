"""Which of the two paths a run takes."""

from __future__ import annotations

from approxmm.engine.optimizers import moves_idle
from approxmm.engine.recipe import PRODUCTS, Recipe
from approxmm.engine.session import Session
from approxmm.engine.sparse.session import ExampleSession
from approxmm.errors import InputError
from approxmm.network import Network

__all__ = ["choose_path", "make_session"]


def choose_path(recipe: Recipe) -> tuple[str, str]:
    """Return "minibatch" or "per_example", and why.

    Raises
    ------
    InputError
        If the path that the recipe asks for cannot be taken.
    """
    why_not = _obstacle(recipe)
    if recipe.path == "per_example" and why_not:
        raise InputError(f"path='per_example' cannot be taken: {why_not}; choose path='minibatch', or change that")
    if recipe.path != "auto":
        return recipe.path, "asked for"
    if why_not:
        return "minibatch", why_not
    return "per_example", "with one example a step, products touch its active weights only"


def _obstacle(recipe: Recipe) -> str:
    """Return what stands against the per-example path; nothing if it can be taken."""
    if moves_idle.implementation(type(recipe.optimizer)).py_func(recipe.optimizer):
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
