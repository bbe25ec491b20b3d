"""The per-example path against the minibatch path, which computes whole layers: the same draws, the same parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from approxmm.engine import Adagrad, Adam, Momentum, Sgd
from approxmm.engine.optimizers import Optimizer
from approxmm.engine.paths import choose_path, make_session
from approxmm.engine.recipe import Recipe
from approxmm.engine.session import Session
from approxmm.engine.steps import StepRange
from approxmm.errors import InputError
from approxmm.methods import available_methods, get_method
from approxmm.network import Network

WIDTHS = [20, 30, 25, 7]
STEPS = 50


def examples(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((60, WIDTHS[0])) * (rng.random((60, WIDTHS[0])) < 0.4)
    x[7] = 0.0
    return x, rng.integers(0, WIDTHS[-1], 60)


def run(
    path: str, method: str, optimizer: Optimizer, activation: str = "relu", normalise: str = "none", **more: Any
) -> tuple[Session, np.ndarray]:
    network = Network.random(WIDTHS, activation=activation, bias_std=0.1, seed=1, normalise=normalise)
    budget = None if method == "exact" else 0.3
    recipe = Recipe(get_method(method, budget), optimizer, batch=1, dtype=np.float64, path=path, **more)
    session, losses = make_session(network, recipe), np.zeros(60)
    x, y = examples()
    rates = np.linspace(optimizer.lr, optimizer.lr / 2, STEPS)
    for first, stop in ((0, 13), (13, STEPS)):
        assert session.run(x, y, StepRange(np.arange(60), first, stop, 0, rates[first:stop]), losses) == stop - first
    return session, losses[:STEPS]


CASES = [(name, Sgd(0.05), "relu", "none") for name in available_methods()]
CASES += [("exact", Sgd(0.05), name, "none") for name in ("tanh", "leaky_relu")]
CASES += [("dropout", optimizer, "relu", "none") for optimizer in (Adagrad(0.01), Adam(lazy=True, weight_decay=0.01))]


@pytest.mark.parametrize(("method", "optimizer", "activation", "normalise"), CASES)
def test_two_paths_agree_on_the_same_draws(
    method: str, optimizer: Optimizer, activation: str, normalise: str
) -> None:
    mine, losses = run("per_example", method, optimizer, activation, normalise)
    other, expected = run("minibatch", method, optimizer, activation, normalise)
    assert mine.path.startswith("per_example")
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(mine.params, other.params, rtol=0, atol=1e-10)
    np.testing.assert_allclose(mine.slots, other.slots, rtol=0, atol=1e-10)
    start = Network.random(WIDTHS, bias_std=0.1, seed=1, activation=activation)
    assert all(np.abs(W - V).max() > 1e-3 for W, V in zip(mine.network().weights, start.weights, strict=True))


@pytest.mark.parametrize(
    ("optimizer", "batch", "expected"),
    [(Sgd(), 1, "per_example"), (Momentum(), 1, "minibatch"), (Adam(), 1, "minibatch"), (Sgd(), 20, "minibatch")],
)
def test_the_choice_is_automatic(optimizer: Optimizer, batch: int, expected: str) -> None:
    path, reason = choose_path(Recipe(get_method("exact"), optimizer, batch=batch))
    assert path == expected
    assert reason


def test_an_impossible_path_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match="adam moves weights that no example touched; choose path='minibatch'"):
        choose_path(Recipe(get_method("exact"), Adam(), batch=1, path="per_example"))
