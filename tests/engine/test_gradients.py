"""The compiled gradients against finite differences and against a plain NumPy twin."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from approxmm.activations import ACTIVATIONS
from approxmm.engine.backward import backward
from approxmm.engine.forward import forward
from approxmm.engine.layout import bias_of, units_of, weights_of
from approxmm.engine.losses import CrossEntropy, cross_entropy, target_rows
from approxmm.engine.optimizers import Collect, Sgd
from approxmm.engine.recipe import Recipe
from approxmm.engine.session import Session
from approxmm.engine.team import ALONE
from approxmm.methods import available_methods, get_method
from approxmm.network import Network
from approxmm.random import Key, Stream

WIDTHS = [7, 9, 8, 4]
BATCH = 6


def make_session(method: str, budget: float, activation: str = "relu", seed: int = 3) -> Session:
    network = Network.random(WIDTHS, activation=activation, bias_std=0.3, seed=seed)
    return Session(network, Recipe(get_method(method, budget), Sgd(0.1), batch=BATCH, seed=seed, dtype=np.float64))


def examples(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((BATCH, WIDTHS[0])), rng.integers(0, WIDTHS[-1], BATCH)


def loss_and_gradient(session: Session, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """One sampled pass with the draw of step 0."""
    sampling = session.sampling()
    key = Key(session.seed, Stream.SELECT, 0, 0, 0)
    forward(x, session.params, session.layout, session.phi, session.state, sampling, key, session.work, ALONE)
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
        ALONE,
    )
    return slots[0]


def frozen_loss(session: Session, x: np.ndarray, y: np.ndarray, params: np.ndarray) -> float:
    """The loss in plain NumPy with the scales of the session's last pass held fixed."""
    work, a, sampling = session.work, x, session.sampling()
    for k in range(session.depth):
        if k < sampling.layers and sampling.inner:
            xi = np.zeros(a.shape[1])
            count = work.active_count[k]
            xi[work.active_index[k, :count]] = work.active_scale[k, :count]
            a = a * xi
        z = a @ weights_of(params, session.layout, k) + bias_of(params, session.layout, k)
        a = ACTIVATION_TWINS[session.activation_name](z) if k < session.depth - 1 else z
        if k < sampling.layers and not sampling.inner:
            a = a * units_of(work.mask, session.layout, k, len(x))
    top = a.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(a - top).sum(axis=1)) + top[:, 0]
    return float((log_sum - a[np.arange(len(y)), y]).mean())


ACTIVATION_TWINS = {
    "linear": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "gelu": lambda z: z * special.ndtr(z),
    "erf": special.erf,
}


# A kernel is compiled for each method and each activation, not for each pair: every method with ReLU, and every
# activation with an exact, an inner-side and an output-side method.
PAIRS = [(name, "relu") for name in available_methods()]
PAIRS += [(name, other) for name in ("exact", "bernoulli", "dropout") for other in ACTIVATIONS if other != "relu"]


@pytest.mark.parametrize(("method", "activation"), PAIRS)
def test_gradient_equals_finite_differences_with_frozen_selection(method: str, activation: str) -> None:
    session, (x, y) = make_session(method, 0.5, activation), examples()
    loss, gradient = loss_and_gradient(session, x, y)
    assert loss == pytest.approx(frozen_loss(session, x, y, session.params), rel=1e-12)
    step, numeric = 1e-6, np.empty_like(gradient)
    for i in range(gradient.size):
        up, down = session.params.copy(), session.params.copy()
        up[i] += step
        down[i] -= step
        numeric[i] = (frozen_loss(session, x, y, up) - frozen_loss(session, x, y, down)) / (2 * step)
    assert np.abs(gradient).max() > 1e-3
    np.testing.assert_allclose(gradient, numeric, rtol=0, atol=1e-8 * max(1.0, np.abs(gradient).max()) * 10)


@pytest.mark.parametrize("method", [name for name in available_methods() if name != "exact"])
def test_a_gradient_without_the_scales_is_caught(method: str) -> None:
    """Negative control: the finite-difference check must notice scales that are left out of the backward pass."""
    session, (x, y) = make_session(method, 0.5), examples()
    _, gradient = loss_and_gradient(session, x, y)
    session.work.active_scale[:] *= 1.5
    session.work.mask[:] *= 1.5
    session.work.packed[:] *= 1.5
    assert np.abs(gradient_of(session, x) - gradient).max() > 1e-4


def test_rows_that_were_not_drawn_get_no_gradient() -> None:
    session, (x, y) = make_session("with_replacement", 0.3), examples()
    _, gradient = loss_and_gradient(session, x, y)
    for k in range(session.sampled_layers):
        drawn = set(session.work.active_index[k, : session.work.active_count[k]].tolist())
        rows = np.abs(weights_of(gradient, session.layout, k)).sum(axis=1)
        assert {i for i, row in enumerate(rows) if row > 0} <= drawn
        assert len(drawn) < WIDTHS[k]


def test_empty_draw_gives_the_bias_alone() -> None:
    session = make_session("with_replacement", 0.5)
    _, y = examples()
    x = np.zeros((BATCH, WIDTHS[0]))
    _, gradient = loss_and_gradient(session, x, y)
    assert session.work.active_count[0] == 0
    first = units_of(session.work.pre, session.layout, 0, BATCH)
    np.testing.assert_array_equal(first, np.tile(bias_of(session.params, session.layout, 0), (BATCH, 1)))
    assert np.isfinite(gradient).all()
