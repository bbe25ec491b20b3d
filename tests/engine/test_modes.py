"""Which products are sampled: each mode's gradient against a plain twin of its definition, and what it promises."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import plain_step
import pytest
from engine_passes import BATCH, examples, loss_and_gradient, make_session

from approxmm.engine.layout import weights_of
from approxmm.engine.recipe import PRODUCTS, Recipe
from approxmm.engine.session import Session
from approxmm.errors import InputError
from approxmm.methods import available_methods, get_method
from approxmm.methods.draws import column_norms
from approxmm.network import Network

MODES = [frozenset(names) for size in (1, 2, 3) for names in combinations(sorted(PRODUCTS), size)]
BACKWARD = frozenset({"input_gradient", "weight_gradient"})
FORWARD = frozenset({"forward"})


def check_against_twin(session: Session) -> np.ndarray:
    x, y = examples()
    loss, gradient = loss_and_gradient(session, x, y)
    scales = plain_step.drawn(session, BATCH)
    assert loss == pytest.approx(plain_step.loss_of(plain_step.forward(session, x, scales)[-1], y), rel=1e-12)
    expected = plain_step.gradient(session, x, y, scales)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-12 * max(1.0, np.abs(expected).max()))
    return gradient


@pytest.mark.parametrize("normalise", ["none", "rms"])
@pytest.mark.parametrize("method", ["bernoulli", "dropout"])
def test_every_mode_is_its_definition(method: str, normalise: str) -> None:
    gradients = [
        check_against_twin(make_session(method, 0.5, normalise=normalise, sampled=mode, independent=independent))
        for mode in MODES
        for independent in (False, True)
    ]
    # The modes differ from each other, so the twin cannot have agreed with all of them by ignoring what is sampled;
    # only one product alone is the same with a draw of its own.
    apart = [np.abs(a - b).max() > 1e-6 for a, b in combinations(gradients, 2)]
    assert sum(not far for far in apart) == 3


@pytest.mark.parametrize("mode", [FORWARD, BACKWARD], ids=["forward", "backward"])
@pytest.mark.parametrize("method", [name for name in available_methods() if name != "exact"])
def test_every_method_samples_forward_or_backward_alone(method: str, mode: frozenset[str]) -> None:
    session = make_session(method, 0.5, sampled=mode)
    check_against_twin(session)
    x, _ = examples()
    result = session.layers(x, True, 0)[-1][1]
    exact = session.network().forward(x)
    assert np.allclose(result, exact, rtol=1e-12) == ("forward" not in mode)


@pytest.mark.parametrize("method", ["bernoulli", "dropout"])
def test_draws_are_shared_or_not(method: str) -> None:
    x, y = examples()
    shared, own = (make_session(method, 0.5, independent=independent) for independent in (False, True))
    found = []
    for session in (shared, own):
        loss_and_gradient(session, x, y)
        found.append(plain_step.drawn(session, BATCH))
    for k in range(shared.sampled_layers):
        first = found[0]["forward"][k]
        assert all(np.array_equal(found[0][name][k], first) for name in PRODUCTS)
        np.testing.assert_array_equal(found[1]["forward"][k], first)  # the first of several is the one that is shared
    for one, other in combinations(sorted(PRODUCTS), 2):
        assert any(not np.array_equal(found[1][one][k], found[1][other][k]) for k in range(own.sampled_layers))


def mean_gradient(session: Session, x: np.ndarray, y: np.ndarray, mode: frozenset[str]) -> np.ndarray:
    """The expected gradient with one draw a layer, by all outcomes of two layers' laws (Bernoulli, inner side)."""
    total = np.zeros_like(session.params)
    exact = {name: [1.0] * session.depth for name in PRODUCTS}
    inputs = plain_step.forward(session, x, exact)[0]

    def outcomes(k: int, a: np.ndarray) -> list[tuple[float, np.ndarray]]:
        norms = np.empty(a.shape[1])
        column_norms(a, norms)
        law, W = session.method, weights_of(session.params, session.layout, k)
        importance = [Fraction(float(w)) for w in law.importance(norms, W)]
        return [(float(p), np.array([float(s) for s in xi])) for p, xi in law.outcomes_of(importance)]

    for p, first in outcomes(0, inputs[0]):
        scales = {name: [first if name in mode else 1.0, 1.0, 1.0] for name in PRODUCTS}
        for q, second in outcomes(1, plain_step.forward(session, x, scales)[0][1]):
            scales = {name: [first, second, 1.0] if name in mode else [1.0] * 3 for name in PRODUCTS}
            total += p * q * plain_step.gradient(session, x, y, scales)
    return total


@pytest.mark.parametrize("normalise", ["none", "rms"])
def test_gradients_behind_an_exact_forward_pass_are_unbiased(normalise: str) -> None:
    """All outcomes, no statistics; the same sum over a sampled forward pass shows what would be noticed."""
    network = Network.random([4, 4, 3, 3], seed=8, bias_std=0.5, normalise=normalise)
    session = Session(network, Recipe(get_method("bernoulli", 0.5), batch=2, dtype=np.float64, sampled=BACKWARD))
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 4)), np.array([0, 2])
    exact = plain_step.gradient(session, x, y, {name: [1.0] * 3 for name in PRODUCTS})
    for mode in (BACKWARD, frozenset({"input_gradient"}), frozenset({"weight_gradient"})):
        np.testing.assert_allclose(mean_gradient(session, x, y, mode), exact, rtol=0, atol=1e-13)
    assert np.abs(mean_gradient(session, x, y, PRODUCTS) - exact).max() > 0.01


def test_products_that_do_not_exist_are_named() -> None:
    for bad in ({"backward"}, set()):
        with pytest.raises(InputError, match="must name one or more of forward, input_gradient, weight_gradient"):
            Recipe(get_method("bernoulli"), sampled=frozenset(bad))
    assert Recipe(get_method("bernoulli")).sampled == PRODUCTS
