"""One-step errors against brute force on tiny networks, and the prediction made of them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from enumeration import MaskByInput, UnscaledDropout, UnscaledInner, law_outcomes
from method_cases import cases, importance_laws, label

from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.propagation.law import compound_errors
from approxmm.propagation.moments import exact_moments
from approxmm.propagation.onestep import one_step_errors, predict_compounding

METHODS = [*importance_laws(cases((0.5, 2))), UnscaledDropout(0.5), UnscaledInner(0.5), MaskByInput(0.5)]


def tiny(activation="relu", widths=(3, 4, 3, 2), seed=4):
    network = Network.random(widths, activation=activation, bias_std=0.5, seed=seed)
    return network, np.random.default_rng(seed).normal(size=(4, widths[0]))


def brute_force(network, plan, x):
    """Enumerate each layer's outcomes on the exact activations that enter it."""
    pre, out = network.layers(x)
    errors = []
    for k, (W, law) in enumerate(zip(network.weights, plan, strict=True)):
        inner = law is not None and law.claims.side == "inner"
        value, error = pre[k] if inner else out[k], 0.0
        for row in range(len(x)):
            if law is None:
                continue
            a = (x if k == 0 else out[k - 1])[row]
            for p, scales in law_outcomes(law, a if law.claims.reads == "input" or inner else pre[k][row], W):
                sampled = (a * scales) @ W + network.bias(k + 1) if inner else out[k][row] * scales
                error += p * ((sampled - value[row]) ** 2).sum()
        errors.append(error / (value**2).sum())
    return errors


@pytest.mark.parametrize("activation", ["relu", "tanh", "linear"])
@pytest.mark.parametrize("method", METHODS, ids=label)
def test_one_step_errors_are_the_enumerated_ones(method, activation):
    network, x = tiny(activation)
    got = one_step_errors(network, method, x, sample_output=True)
    np.testing.assert_allclose(got, brute_force(network, [method] * 3, x), rtol=1e-12, atol=1e-14)
    spared = one_step_errors(network, method, x)
    np.testing.assert_array_equal(spared, [*got[:2], 0.0])


@pytest.mark.parametrize("method", [m for m in METHODS if m.claims.side == "inner"], ids=label)
def test_minibatch_that_shares_a_draw(method):
    """The law is that of the column norms; the last minibatch is a smaller one."""
    network, x = tiny()
    got = one_step_errors(network, method, x, sample_output=True, batch=3)
    pre, out = network.layers(x)
    for k, (W, a) in enumerate(zip(network.weights, [x, *out], strict=False)):
        error = 0.0
        for rows in (slice(0, 3), slice(3, 4)):
            for p, scales in law_outcomes(method, np.linalg.norm(a[rows], axis=0), W):
                error += p * (((a[rows] * (scales - 1)) @ W) ** 2).sum()
        assert got[k] == pytest.approx(error / (pre[k] ** 2).sum(), rel=1e-11, abs=1e-15)


def test_methods_by_layer():
    network, x = tiny()
    plan = [get_method("dropout", 0.5), None, get_method("bernoulli", 0.5)]
    np.testing.assert_allclose(one_step_errors(network, plan, x), brute_force(network, plan, x), rtol=1e-12)


@pytest.mark.parametrize("method", METHODS, ids=label)
def test_prediction_is_exact_for_the_first_layer(method):
    network, x = tiny("linear")
    prediction = predict_compounding(network, method, x, sample_output=True)
    plan = [method, None, None]
    first, exact = prediction.layers[0], exact_moments(network, plan, x).layers[0]
    part = "pre_activation" if method.claims.side == "inner" else "output"
    assert getattr(first, part).relative_error == pytest.approx(
        getattr(exact, part).relative_error, rel=1e-12, abs=1e-15
    )
    for name in ("relative_to_estimate", "cosine", "norm_ratio"):
        predicted, true = getattr(first.output, name), getattr(getattr(exact, part), name)
        if method.claims.unbiased:
            assert predicted == pytest.approx(true, rel=1e-12)
        else:  # does not follow from the error alone, so nothing is said
            assert math.isnan(predicted)


def test_mask_of_a_layer_comes_after_its_pre_activation():
    network, x = tiny("linear")
    prediction = predict_compounding(network, get_method("dropout", 0.5), x, sample_output=True)
    before = [0.0, *prediction.relative_error[:-1]]
    np.testing.assert_array_equal([layer.pre_activation.relative_error for layer in prediction.layers], before)


def test_prediction_compounds_the_steps():
    network, x = tiny()
    method = get_method("bernoulli", 0.5)
    steps = one_step_errors(network, method, x)
    prediction = predict_compounding(network, method, x)
    np.testing.assert_allclose(prediction.relative_error, compound_errors(steps), rtol=1e-14)
    assert [layer.extra["one_step_error"] for layer in prediction.layers] == list(steps)
    assert prediction.source == "prediction"
    assert prediction.settings["method"] == "bernoulli"
    json.dumps(prediction.to_dict(), allow_nan=False)


def test_dead_layer_makes_no_error_and_no_warning():
    dead = Network((np.eye(2), -np.eye(2), np.ones((2, 1))), None, "relu")
    x = np.array([[1.0, 2.0]])
    for method in importance_laws(cases((0.5,))):
        errors = one_step_errors(dead, method, x, sample_output=True)
        assert errors[2] == 0.0
        assert np.isfinite(errors).all()
    cancelling = Network((np.array([[1.0], [-1.0]]),), None, "linear")
    method = get_method("bernoulli", 0.5)
    assert one_step_errors(cancelling, method, np.ones((1, 2)), sample_output=True)[0] == math.inf
    profile = predict_compounding(cancelling, method, np.ones((1, 2)), sample_output=True)
    assert profile.relative_error[0] == math.inf
    assert profile.layers[0].output.relative_to_estimate == 1.0
