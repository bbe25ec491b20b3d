"""What a fitted estimator keeps for going on: the engine's session, or the arrays that make it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from approxmm.engine import Recipe
from approxmm.engine.layout import unflatten
from approxmm.engine.loop import Position
from approxmm.engine.paths import make_session
from approxmm.engine.session import Session
from approxmm.engine.session_arrays import restore_arrays, session_arrays
from approxmm.network import Network

__all__ = ["Memory", "Ongoing"]


@dataclass
class Memory:
    """A session without its compiled code's workspace: plain values that can be pickled, or written to a file.

    Attributes
    ----------
    recipe : Recipe
        The settings that the arrays belong to.
    position : Position
        How far training has come: steps name the draws.
    arrays : dict of ndarray
        The optimiser's memory and the method's state by name; the parameters are the estimator's network.
    """

    recipe: Recipe
    position: Position
    arrays: dict[str, np.ndarray]

    def under(self, network: Network, recipe: Recipe) -> Ongoing:
        """Return a session for `network` that goes on from here.

        With another optimiser or another method than before, or without arrays, these two start anew.

        Raises
        ------
        DataError
            If the arrays are not those of such a session: they may come from a file.
        """
        session = make_session(network, recipe)
        same = type(recipe.optimizer) is type(self.recipe.optimizer) and recipe.method == self.recipe.method
        if same and self.arrays:
            restore_arrays(session, self.arrays)
            return Ongoing(session, replace(self.position))
        return Ongoing(session, replace(self.position, taken=0))  # Adam's bias correction counts from an empty memory


@dataclass
class Ongoing:
    """A session, and how far it has come."""

    session: Session
    position: Position

    @classmethod
    def first(cls, network: Network, recipe: Recipe) -> Ongoing:
        """Return a run that has not begun."""
        return cls(make_session(network, recipe), Position())

    def under(self, network: Network, recipe: Recipe) -> Ongoing:
        """Return this run under perhaps changed settings."""
        return self if recipe == self.recipe else self.memory().under(network, recipe)

    def memory(self) -> Memory:
        """Return copies of what cannot be derived from the network and the settings."""
        arrays = {name: array.copy() for name, array in session_arrays(self.session).items() if name != "params"}
        return Memory(self.session.recipe, replace(self.position), arrays)

    @property
    def recipe(self) -> Recipe:
        """The settings of every step."""
        return self.session.recipe

    def networks(self) -> tuple[Network, Network]:
        """Return the trained network, and the one whose exact products stand for the sampled ones at test time.

        They are the same object unless the method's law is biased by a known factor (`Session.test_time_params`).
        """
        session, trained = self.session, self.session.network()
        params = session.test_time_params()
        if params is session.params:
            return trained, trained
        return trained, unflatten(params, session.layout, session.activation_name, session.normalise)

    def finite(self) -> bool:
        """Return whether all parameters and the optimiser's memory are finite."""
        return bool(np.isfinite(self.session.params).all() and np.isfinite(self.session.slots).all())

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all arrays that training changes, themselves."""
        return session_arrays(self.session)

    def restore(self, copies: Iterable[tuple[str, np.ndarray]]) -> None:
        """Write copies of its arrays back."""
        arrays = self.arrays()
        for name, copy in copies:
            arrays[name][...] = copy
