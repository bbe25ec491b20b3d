"""Single passes of the engine over a small network, for tests of its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.engine.backward import backward
from approxmm.engine.forward import forward
from approxmm.engine.layout import units_of
from approxmm.engine.ledger import make_ledger
from approxmm.engine.losses import CrossEntropy, cross_entropy, target_rows
from approxmm.engine.optimizers import Collect, Sgd
from approxmm.engine.recipe import Recipe
from approxmm.engine.session import Session
from approxmm.engine.team import ALONE
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.random import Key, Stream

__all__ = ["BATCH", "WIDTHS", "examples", "gradient_of", "loss_and_gradient", "make_session"]

WIDTHS = [7, 9, 8, 4]
BATCH = 6
UNTIMED = (make_ledger(1, len(WIDTHS) - 1), 0.0, ALONE)


def make_session(
    method: str, budget: float, activation: str = "relu", seed: int = 3, normalise: str = "none", **recipe: Any
) -> Session:
    """Return a session of a small network in double precision."""
    network = Network.random(WIDTHS, activation=activation, bias_std=0.3, seed=seed, normalise=normalise)
    law = get_method(method, budget)
    return Session(network, Recipe(law, Sgd(0.1), batch=BATCH, seed=seed, dtype=np.float64, **recipe))


def examples(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and classes of one batch."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((BATCH, WIDTHS[0])), rng.integers(0, WIDTHS[-1], BATCH)


def loss_and_gradient(session: Session, x: np.ndarray, y: np.ndarray, step: int = 0) -> tuple[float, np.ndarray]:
    """One sampled pass with the draw of a step."""
    sampling = session.sampling()
    key = Key(session.seed, Stream.SELECT, step, 0, 0)
    forward(x, session.params, session.layout, session.phi, session.state, sampling, key, session.work, *UNTIMED)
    scores = units_of(session.work.out, session.layout, session.depth - 1, len(x))
    delta = units_of(session.work.delta, session.layout, session.depth - 1, len(x))
    loss = cross_entropy(CrossEntropy(), scores, target_rows(CrossEntropy(), y, session.dtype), delta)
    return loss, gradient_of(session, x)


def gradient_of(session: Session, x: np.ndarray) -> np.ndarray:
    """The gradient for the draws of the last forward pass."""
    slots = np.full((1, session.params.size), np.nan)
    backward(
        x,
        session.params,
        session.layout,
        session.phi,
        session.sampling(),
        session.work,
        Collect(),
        slots,
        1.0,
        1,
        *UNTIMED,
    )
    return slots[0]
