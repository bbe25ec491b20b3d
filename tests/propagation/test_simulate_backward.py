"""Gradients of sampled networks: frozen selections by finite differences, expectations by enumeration, and the bias."""

from __future__ import annotations

import re

import numpy as np
import pytest
from enumeration import law_outcomes

from approxmm.activations import apply_slope
from approxmm.errors import InputError
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.propagation.simulate import simulate
from approxmm.propagation.simulate_draws import Draws

X = np.random.default_rng(5).normal(size=(5, 4))
G = np.random.default_rng(6).normal(size=(5, 3))
LABELS = np.array([0, 2, 1, 1, 0])


def network(activation):
    return Network.random([4, 6, 5, 3], activation=activation, bias_std=0.3, seed=2)


def recorded(monkeypatch):
    """Let every draw of scales leave a copy, by layer."""
    drawn, scales = {}, Draws.scales

    def recording(self, k, *rest):
        out = scales(self, k, *rest)
        drawn[k] = out.copy()
        return out

    monkeypatch.setattr(Draws, "scales", recording)
    return drawn


def loss(gradient, result):
    if gradient.ndim == 2:
        return (gradient * result).sum(axis=1)
    return np.log(np.exp(result).sum(axis=1)) - result[np.arange(len(result)), gradient]


def frozen_loss(net, plan, drawn, gradient, shifts):
    """Return each input's loss of the network with frozen scales; `shifts` are added to the pre-activations."""
    a = X
    for k, W in enumerate(net.weights):
        inner = plan[k] is not None and plan[k].claims.side == "inner"
        z = (a * drawn[k] if inner else a) @ W + net.bias(k + 1) + shifts[k]
        a = net.activate(k + 1, z)
        if plan[k] is not None and not inner:
            a = a * drawn[k]
    return loss(gradient, a)


def frozen_gradients(net, plan, drawn, gradient):
    """Return δ of each layer by central differences, and what entered each product."""
    step, deltas, entered, a = 1e-5, [], [], X
    for k, W in enumerate(net.weights):
        delta = np.zeros((len(X), W.shape[1]))
        for j in range(W.shape[1]):
            sides = []
            for sign in (1, -1):
                shifts = [np.zeros(V.shape[1]) for V in net.weights]
                shifts[k][j] = sign * step
                sides.append(frozen_loss(net, plan, drawn, gradient, shifts))
            delta[:, j] = (sides[0] - sides[1]) / (2 * step)
        deltas.append(delta)
        inner = plan[k] is not None and plan[k].claims.side == "inner"
        s = a * drawn[k] if inner else a
        entered.append(s)
        a = net.activate(k + 1, s @ W + net.bias(k + 1))
        if plan[k] is not None and not inner:
            a = a * drawn[k]
    return deltas, entered


def assert_figures(figures, value, exact, rel=1e-6):
    error, estimate, norm, cross = (sum((x * y).sum() for x, y in pairs) for pairs in (
        [(v - y, v - y) for v, y in zip(value, exact, strict=True)],
        [(v, v) for v in value],
        [(y, y) for y in exact],
        list(zip(value, exact, strict=True)),
    ))  # fmt: skip
    assert figures.relative_error == pytest.approx(error / norm, rel=rel, abs=1e-9)
    assert figures.norm_ratio == pytest.approx(estimate / norm, rel=rel)
    assert figures.cosine == pytest.approx(cross / np.sqrt(estimate * norm), rel=rel, abs=1e-9)


def products(batch, s, delta):
    return [s[i : i + batch].T @ delta[i : i + batch] for i in range(0, len(s), batch)]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("gradient", [G, LABELS], ids=["cotangent", "labels"])
@pytest.mark.parametrize(
    ("activation", "names"),
    [("tanh", ("bernoulli", "bernoulli", "bernoulli")), ("relu", ("dropout", None, "bernoulli"))],
)
def test_gradients_are_those_of_the_network_with_frozen_selections(activation, names, gradient, batch, monkeypatch):
    net = network(activation)
    plan = [None if name is None else get_method(name, 0.5) for name in names]
    drawn = recorded(monkeypatch)
    profile = simulate(net, plan, X, trials=1, seed=11, batch=batch, gradient=gradient, workers=1)
    sampled = frozen_gradients(net, plan, drawn, gradient)
    exact = frozen_gradients(net, [None] * 3, {}, gradient)
    for k, layer in enumerate(profile.layers):
        assert_figures(layer.delta, [sampled[0][k]], [exact[0][k]])
        pair = (products(batch, s[1][k], s[0][k]) for s in (sampled, exact))
        assert_figures(layer.weight_gradient, *pair)
        assert "gradient_bias" not in layer.extra  # of one trial nothing is known about it


def outcomes(net, plan, x, *, exact_forward):
    """Yield (probability, [(s_k, slope_k)]) over all outcomes: product inputs and gradient multipliers."""
    states = [(1.0, x, x, [])]
    for k, (W, law) in enumerate(zip(net.weights, plan, strict=True), start=1):
        following = []
        for p, read, a, layers in states:
            side = None if law is None else law.claims.side
            for q, xi in law_outcomes(law, read, W) if side == "inner" else [(1.0, np.ones(len(a)))]:
                entered = [(s, d * xi if i == len(layers) - 1 else d) for i, (s, d) in enumerate(layers)]
                z = (read if exact_forward else a * xi) @ W + net.bias(k)
                out = net.activate(k, z)
                for r, mu in law_outcomes(law, z, W) if side == "output" else [(1.0, np.ones(len(z)))]:
                    step = (a * xi, apply_slope(net.phi(k), z) * mu)
                    following.append((p * q * r, out if exact_forward else out * mu, out * mu, [*entered, step]))
        states = following
    for p, _, _, layers in states:
        yield p, layers


def enumerated(net, plan, inputs, gradient, *, exact_forward):
    """Return each layer's E‖ĝ − g‖²/‖g‖² and ‖E ĝ − g‖²/‖g‖² of the weight gradients, input by input."""
    sums = np.zeros((net.depth, 3))
    for x, g in zip(inputs, gradient, strict=True):
        runs = []
        for choice in ([None] * net.depth, plan):
            found = []
            for p, layers in outcomes(net, choice, x, exact_forward=exact_forward):
                delta, gradients = g * layers[-1][1], []
                for k in range(net.depth - 1, -1, -1):
                    gradients.insert(0, np.outer(layers[k][0], delta))
                    if k:
                        delta = (net.weights[k] @ delta) * layers[k - 1][1]
                found.append((p, gradients))
            runs.append(found)
        exact = runs[0][0][1]
        for k in range(net.depth):
            error = sum(p * ((found[k] - exact[k]) ** 2).sum() for p, found in runs[1])
            mean = sum(p * found[k] for p, found in runs[1])
            sums[k] += error, ((mean - exact[k]) ** 2).sum(), (exact[k] ** 2).sum()
    return sums[:, :2] / sums[:, 2:]


TINY = Network.random([3, 3, 3, 2], activation="tanh", bias_std=0.4, seed=5)
TINY_X, TINY_G = np.random.default_rng(8).normal(size=(2, 3)), np.random.default_rng(9).normal(size=(2, 2))
PLANS = {
    "inner": [get_method("bernoulli", 0.5, probabilities="uniform")] * 3,
    "mixed": [get_method("dropout", 0.5), get_method("bernoulli", 0.6, probabilities="uniform"), None],
}


@pytest.mark.parametrize("plan", PLANS)
def test_gradient_is_unbiased_when_the_forward_pass_is_exact_and_biased_when_it_is_sampled(plan):
    exact = enumerated(TINY, PLANS[plan], TINY_X, TINY_G, exact_forward=True)
    np.testing.assert_allclose(exact[:, 1], 0.0, atol=1e-28)
    assert (exact[:, 0] > 0.01).any()
    assert enumerated(TINY, PLANS[plan], TINY_X, TINY_G, exact_forward=False)[:2, 1].min() > 1e-3


def test_linear_network_has_no_bias_either_way():
    linear = Network(TINY.weights, TINY.biases, "linear")
    sampled = enumerated(linear, PLANS["inner"], TINY_X, TINY_G, exact_forward=False)
    assert sampled[0, 1] == pytest.approx(0.0, abs=1e-26)  # in later layers ĝ multiplies two uses of one draw
    assert sampled[0, 0] > 0.1


@pytest.mark.parametrize("forward", ["exact", "sampled"])
@pytest.mark.parametrize("plan", PLANS)
def test_simulation_agrees_with_enumeration(plan, forward):
    """t intervals at 1e-9 each, 20,000 trials: the error, and the bias without the variance in it."""
    expected = enumerated(TINY, PLANS[plan], TINY_X, TINY_G, exact_forward=forward == "exact")
    profile = simulate(
        TINY, PLANS[plan], TINY_X, trials=20_000, gradient=TINY_G, forward=forward, seed=1, confidence=1 - 1e-9
    )
    for layer, (error, bias) in zip(profile.layers, expected, strict=True):
        low, high = layer.weight_gradient.ci95
        assert low - 1e-12 <= error <= high + 1e-12
        assert layer.extra["gradient_bias_low"] - 1e-12 <= bias <= layer.extra["gradient_bias_high"] + 1e-12
        if error > 0:
            assert (high - low) / error < 0.5
    if forward == "sampled":  # the intervals are short enough to tell the passes apart
        biases = [layer.extra["gradient_bias_low"] for layer in profile.layers]
        assert max(biases) > 0


def test_exact_at_full_budget():
    for forward in ("sampled", "exact"):
        profile = simulate(
            network("tanh"), get_method("bernoulli", 1.0), X, trials=4, gradient="gaussian", forward=forward
        )
        for layer in profile.layers:
            assert layer.weight_gradient.relative_error < 1e-26
            assert layer.delta.cosine == pytest.approx(1, rel=1e-12)
            assert abs(layer.extra["gradient_bias"]) < 1e-26


def test_exact_forward_pass_has_no_error_and_gaussian_cotangent_is_keyed_by_the_seed():
    method = get_method("dropout", 0.5)
    profile = simulate(network("relu"), method, X, trials=6, gradient="gaussian", forward="exact", seed=3)
    assert profile.relative_error.tolist() == [0.0, 0.0, 0.0]
    assert [layer.output.norm_ratio for layer in profile.layers] == [1.0, 1.0, 1.0]
    again, other = (
        simulate(network("relu"), method, X, trials=6, gradient="gaussian", forward="exact", seed=seed)
        for seed in (3, 4)
    )
    assert again.to_dict()["layers"] == profile.to_dict()["layers"] != other.to_dict()["layers"]
    assert profile.layers[-1].delta.relative_error == 0.0
    assert profile.settings["forward"] == "exact"


@pytest.mark.parametrize("batch", [1, 2])
def test_gradients_do_not_depend_on_threads_and_on_chunks_only_in_rounding(batch, monkeypatch):
    from importlib import import_module

    memory = import_module("approxmm.propagation.memory")
    run = {"trials": 37, "gradient": LABELS, "batch": batch, "seed": 2}
    whole = simulate(network("relu"), get_method("bernoulli", 0.5), X, workers=1, **run)
    monkeypatch.setattr(memory, "_ARRAY_BYTES", 0)
    monkeypatch.setattr(memory, "_FEWEST_ROWS", 4)
    monkeypatch.setattr(memory, "_SHARE", 1)
    cut = [simulate(network("relu"), get_method("bernoulli", 0.5), X, workers=w, **run) for w in (1, 2, 4)]
    documents = [profile.to_dict()["layers"] for profile in cut]
    assert documents[0] == documents[1] == documents[2]
    for a, b in zip(whole.layers, cut[0].layers, strict=True):
        assert a.weight_gradient.relative_error == pytest.approx(b.weight_gradient.relative_error, rel=1e-10)
        assert a.delta.cosine == pytest.approx(b.delta.cosine, rel=1e-10)
        assert a.extra["gradient_bias"] == pytest.approx(b.extra["gradient_bias"], rel=1e-8)


def test_single_precision_agrees_to_its_rounding():
    double, single = (
        simulate(network("tanh"), get_method("dropout", 0.5), X, trials=40, gradient=G, dtype=dtype, seed=1)
        for dtype in (np.float64, np.float32)
    )
    for a, b in zip(double.layers, single.layers, strict=True):
        assert a.output.relative_error == pytest.approx(b.output.relative_error, rel=1e-4)
        assert a.weight_gradient.relative_error == pytest.approx(b.weight_gradient.relative_error, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradient": "normal"}, "gradient='normal' is unknown; give 'gaussian', an array (5, 3)"),
        ({"gradient": np.ones((5, 2))}, "gradient has shape (5, 2) and dtype float64; give finite gradients (5, 3)"),
        ({"gradient": np.full((5, 3), np.nan)}, "give finite gradients"),
        ({"gradient": np.array([0, 1, 2, 3, 0])}, "label 3 is not a class in [0, 3)"),
        ({"forward": "exact"}, "forward='exact' samples nothing without a backward pass"),
        ({"forward": "half", "gradient": "gaussian"}, "forward='half' is unknown; choose sampled or exact"),
        ({"dtype": np.int64}, "dtype=int64 must be float32 or float64"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        simulate(network("relu"), get_method("dropout", 0.5), X, **options)
