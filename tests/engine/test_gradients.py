"""The compiled gradients against finite differences and against a plain NumPy twin."""

from __future__ import annotations

import numpy as np
import plain_step
import pytest
from engine_passes import BATCH, WIDTHS, examples, gradient_of, loss_and_gradient, make_session

from approxmm.activations import ACTIVATIONS
from approxmm.engine.layout import bias_of, units_of, weights_of
from approxmm.engine.session import Session
from approxmm.methods import available_methods


def finite_differences(session: Session, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The derivatives of the frozen network's loss."""
    scales, step, numeric = plain_step.drawn(session, len(x)), 1e-6, np.empty_like(session.params)

    def loss(i: int, change: float) -> float:
        params = session.params.copy()
        params[i] += change
        return plain_step.loss_of(plain_step.forward(session, x, scales, params)[-1], y)

    for i in range(numeric.size):
        numeric[i] = (loss(i, step) - loss(i, -step)) / (2 * step)
    return numeric


# A kernel is compiled for each method and each activation, not for each pair: every method with ReLU, and every
# activation with an exact, an inner-side and an output-side method.
PAIRS = [(name, "relu") for name in available_methods()]
PAIRS += [("exact", other) for other in ACTIVATIONS if other != "relu"] + [("dropout", "tanh")]
# An activation meets a law in one multiplication, and each pair takes seconds to compile.
SLOW = [(name, other) for name in ("bernoulli", "dropout") for other in ACTIVATIONS]
PAIRS += [pytest.param(*pair, marks=pytest.mark.slow) for pair in SLOW if pair not in PAIRS]


@pytest.mark.parametrize("normalise", ["none", "rms"])
@pytest.mark.parametrize(("method", "activation"), PAIRS)
def test_gradient_equals_finite_differences_with_frozen_selection(method: str, activation: str, normalise: str) -> None:
    session, (x, y) = make_session(method, 0.5, activation, normalise=normalise), examples()
    loss, gradient = loss_and_gradient(session, x, y)
    result = plain_step.forward(session, x, plain_step.drawn(session, len(x)))[-1]
    assert loss == pytest.approx(plain_step.loss_of(result, y), rel=1e-12)
    numeric = finite_differences(session, x, y)
    assert np.abs(gradient).max() > 1e-3
    np.testing.assert_allclose(gradient, numeric, rtol=0, atol=1e-7 * max(1.0, np.abs(gradient).max()))


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
