"""Measured compounding of gradients: against the simulation, and what it is by definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from approxmm.engine import measure
from approxmm.engine.layout import weights_of
from approxmm.engine.optimizers import Sgd
from approxmm.engine.recipe import PRODUCTS, Recipe
from approxmm.engine.session import Session
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.profile import ErrorProfile
from approxmm.propagation import simulate

BACKWARD = frozenset({"input_gradient", "weight_gradient"})
REPEATS = TRIALS = 400
NETWORK = Network.random([8, 12, 10, 4], bias_std=0.3, seed=5)
X = np.random.default_rng(2).standard_normal((15, 8))
Y = np.random.default_rng(3).integers(0, 4, 15)


def sessions(method: str, sampled: frozenset[str] = PRODUCTS) -> Session:
    # Uniform probabilities: norm-optimal ones have gradients whose variance hangs on rare draws.
    law = get_method(method, 0.5, **({"probabilities": "uniform"} if method == "bernoulli" else {}))
    return Session(NETWORK, Recipe(law, Sgd(), batch=6, seed=9, dtype=np.float64, sampled=sampled))


def distances(measured: ErrorProfile, simulated: ErrorProfile) -> list[float]:
    """Differences of the gradients' figures, in their standard errors (as many draws here as there)."""
    result = []
    for mine, theirs in zip(measured.layers, simulated.layers, strict=True):
        assert mine.weight_gradient is not None
        assert theirs.weight_gradient is not None
        bias = theirs.extra["gradient_bias_low"], theirs.extra["gradient_bias_high"]
        pairs = [(mine.extra["gradient_bias"] - theirs.extra["gradient_bias"], bias)]
        for name in ("relative_error", "norm_ratio", "cosine"):
            interval = theirs.weight_gradient.interval(name)
            assert interval is not None
            pairs.append((getattr(mine.weight_gradient, name) - getattr(theirs.weight_gradient, name), interval))
        result += [abs(gap) / (math.sqrt(2.0) * (high - low) / 2 / 1.96 + 1e-12) for gap, (low, high) in pairs]
    return result


@pytest.mark.parametrize("method", ["bernoulli", "dropout"])
def test_measured_gradients_agree_with_the_simulation(method: str) -> None:
    """Two independent routes, 400 draws each: within 6.5 standard errors (1e-10 for one figure, if normal)."""
    profiles = {}
    for forward, sampled in (("sampled", PRODUCTS), ("exact", BACKWARD)):
        session = sessions(method, sampled)
        profiles[forward] = measure(session, X, repeats=REPEATS, targets=Y)
        simulated = simulate(
            NETWORK, session.method, X, trials=TRIALS, batch=6, gradient=Y, forward=forward, workers=1, seed=4
        )
        assert max(distances(profiles[forward], simulated)) < 6.5
        if forward == "exact":
            errors = [layer.output.relative_error for layer in profiles[forward].layers]
            assert max(errors) < 1e-25
            # The other mode's figures would not have passed.
            assert max(distances(profiles["sampled"], simulated)) > 15


def test_figures_are_those_of_the_gradients() -> None:
    session = sessions("bernoulli")
    profile = measure(session, X[:6], repeats=2, targets=Y[:6])
    exact = session.gradient(X[:6], Y[:6], False, 0)
    draws = [session.gradient(X[:6], Y[:6], True, item) for item in (0, 6)]
    again = session.gradient(X[:6], Y[:6], True, 6)
    np.testing.assert_array_equal(again, draws[1])
    for k, layer in enumerate(profile.layers):
        g, *sampled = (weights_of(flat, session.layout, k) for flat in (exact, *draws))
        error = np.mean([np.sum((h - g) ** 2) for h in sampled]) / np.sum(g**2)
        assert layer.weight_gradient is not None
        assert layer.weight_gradient.relative_error == pytest.approx(error, rel=1e-12)
        bias = np.sum((sampled[0] - g) * (sampled[1] - g)) / np.sum(g**2)
        assert layer.extra["gradient_bias"] == pytest.approx(bias, rel=1e-12)
    assert "gradient error" in str(profile)
    assert "weight_gradient_cosine" in profile.to_pandas().columns
    unlabelled = measure(session, X[:6], repeats=2)
    assert all(layer.weight_gradient is None for layer in unlabelled.layers)
    assert all("gradient_bias" not in layer.extra for layer in unlabelled.layers)
