"""The per-example path's step is minus the rate times the derivative of the loss, with the selection kept as drawn."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from approxmm.engine import Sgd
from approxmm.engine.layout import bias_of, weights_of
from approxmm.engine.paths import make_session
from approxmm.engine.recipe import Recipe
from approxmm.engine.session import Session
from approxmm.engine.sparse.memory import CHOSEN, GAIN, ITEMS, SPREAD
from approxmm.engine.steps import StepRange
from approxmm.methods import available_methods, get_method
from approxmm.network import Network

WIDTHS = [20, 30, 25, 7]
QUICK = ("dropout", "bernoulli")  # nodes that are known beforehand; rows of chosen inputs
METHODS = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in available_methods()]


def step_of(method: str) -> tuple[Session, np.ndarray, int, np.ndarray, float, np.ndarray]:
    """Return a session after one step at rate 1, its example, the parameters before, the loss, and their fall."""
    network = Network.random(WIDTHS, bias_std=0.1, seed=1)
    law = get_method(method) if method == "exact" else get_method(method, 0.5)
    settings = {"optimizer": Sgd(0.05), "batch": 1, "dtype": np.float64, "path": "per_example"}
    session = make_session(network, Recipe(law, **settings))
    rng = np.random.default_rng(4)
    x = rng.standard_normal((1, WIDTHS[0])) * (rng.random(WIDTHS[0]) < 0.6)
    before, losses = session.params.copy(), np.zeros(1)
    assert session.run(x, np.array([2]), StepRange(np.zeros(1, np.int64), 0, 1, 0, np.ones(1)), losses) == 1
    return session, x[0], 2, before, float(losses[0]), before - session.params


def drawn(session: Session) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the scales, as they were drawn, of what enters each product and of what each hidden layer sends on."""
    memory, edges = session.memory, np.cumsum([0, *WIDTHS])
    inner, outer = [np.ones(n) for n in WIDTHS[:-1]], [np.ones(m) for m in WIDTHS[1:-1]]
    for layer, (first, stop) in enumerate(pairwise(edges[:-1])):
        units, size = slice(first, stop), memory.sizes[:, 0, layer]
        if getattr(session.plan, "inner", False) and layer < session.plan.layers:
            inner[layer][:] = 0.0
            inner[layer][memory.whole[CHOSEN, 0, units][: size[1]]] = memory.real[SPREAD, 0, units][: size[1]]
        elif layer > 0:  # the slope of ReLU is 1 where a unit is listed
            outer[layer - 1][:] = 0.0
            outer[layer - 1][memory.whole[ITEMS, 0, units][: size[0]]] = memory.real[GAIN, 0, units][: size[0]]
    return inner, outer


def loss_of(
    session: Session, params: np.ndarray, x: np.ndarray, y: int, inner: list[np.ndarray], outer: list[np.ndarray]
) -> float:
    """The cross-entropy of the network whose selection stays as it was."""
    a = x
    for k in range(len(WIDTHS) - 1):
        z = (a * inner[k]) @ weights_of.py_func(params, session.layout, k) + bias_of.py_func(params, session.layout, k)
        a = np.maximum(z, 0.0) * outer[k] if k < len(outer) else z
    top = a.max()
    return float(np.log(np.exp(a - top).sum()) + top - a[y])


def differences(session: Session, params: np.ndarray, *rest: object) -> np.ndarray:
    numeric, step = np.empty_like(params), 1e-6
    for i in range(params.size):
        high, low = params.copy(), params.copy()
        high[i], low[i] = params[i] + step, params[i] - step
        numeric[i] = (loss_of(session, high, *rest) - loss_of(session, low, *rest)) / (2 * step)
    return numeric


@pytest.mark.parametrize("method", METHODS)
def test_a_step_is_the_gradient_with_frozen_selection(method: str) -> None:
    session, x, y, before, loss, gradient = step_of(method)
    assert session.path.startswith("per_example")
    inner, outer = drawn(session)
    assert loss_of(session, before, x, y, inner, outer) == pytest.approx(loss, rel=1e-12)
    numeric, size = differences(session, before, x, y, inner, outer), np.abs(gradient).max()
    assert size > 1e-2
    np.testing.assert_allclose(gradient, numeric, rtol=0, atol=1e-7 * max(1.0, size))


@pytest.mark.parametrize("method", ["dropout", "bernoulli"])
def test_another_selection_is_caught(method: str) -> None:
    """Negative control: neither all units at scale 1 nor a gradient without the scales would pass."""
    session, x, y, before, loss, gradient = step_of(method)
    inner, outer = drawn(session)
    whole = [np.ones_like(s) for s in inner], [np.ones_like(s) for s in outer]
    assert abs(loss_of(session, before, x, y, *whole) - loss) > 1e-3
    kept = [(s > 0).astype(float) for s in inner], [(s > 0).astype(float) for s in outer]
    assert np.abs(differences(session, before, x, y, *kept) - gradient).max() > 1e-3
