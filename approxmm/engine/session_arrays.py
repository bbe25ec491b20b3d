"""All arrays that a session changes while it trains, by name: what a snapshot or a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from approxmm.engine.session import Session
from approxmm.errors import DataError
from approxmm.methods.state_check import named_arrays, with_arrays

__all__ = ["held_bytes", "model_arrays", "restore_arrays", "session_arrays"]


_NUMBERS = ("params", "slots")  # a method's state may hold NaN for what is not set


def session_arrays(session: Session) -> dict[str, np.ndarray]:
    """Return the arrays themselves (no copies): parameters, the optimiser's memory, the method's state."""
    own = {"params": session.params, "slots": session.slots}
    return own | dict(named_arrays(session.state, "state"))


def model_arrays(session: Session) -> dict[str, np.ndarray]:
    """Return those that decide what the network answers: parameters and the method's state."""
    return {name: a for name, a in session_arrays(session).items() if name == "params" or name.startswith("state")}


def restore_arrays(session: Session, arrays: Mapping[str, np.ndarray]) -> None:
    """Copy arrays of these names into the session.

    Raises
    ------
    DataError
        If one is unknown to the session, or of another shape or type, holds numbers that are not finite, or if the
        method refuses what would be its state. Nothing is copied then.
    """
    own = session_arrays(session)
    for name, array in arrays.items():
        if name not in own:
            raise DataError(f"array {name!r} belongs to no part of this run")
        if array.shape != own[name].shape or array.dtype != own[name].dtype:
            raise DataError(
                f"array {name!r} has shape {array.shape} and type {array.dtype}; this run needs {own[name].shape} and "
                f"{own[name].dtype}"
            )
        if name in _NUMBERS and not np.isfinite(array).all():
            raise DataError(f"array {name!r} holds numbers that are not finite")
    session.method.check_state(with_arrays(session.state, "state", arrays), session.state)
    for name, array in arrays.items():
        own[name][...] = array


def held_bytes(session: Session) -> dict[str, int]:
    """Return the bytes of all arrays that the session holds, by its attribute."""
    held = {name: sum(array.nbytes for _, array in named_arrays(value, name)) for name, value in vars(session).items()}
    return {name: size for name, size in held.items() if size}
