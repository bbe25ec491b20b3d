from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from approxmm.errors import InputError
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.profile import metrics_from_moments
from approxmm.propagation import compound_errors, one_step_errors, simulate
from approxmm.propagation.law import compound_shares
from approxmm.propagation.ratios import ErrorParts, ShareProfile, active_shares, error_parts
from approxmm.shares import ActiveShare


def stack(activation="relu", biases=0.0):
    return Network.random([12, 30, 25, 20, 4], activation=activation, bias_std=biases, seed=3)


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(5).standard_normal((16, 12))


@pytest.mark.parametrize(
    ("name", "options"),
    [("oracle_active", {}), ("oracle_active", {"by": "magnitude"}), ("top_k", {}), ("dropout", {"scaled": False})],
)
def test_sums_are_those_of_a_pass_by_hand_and_of_the_simulation(name, options, inputs):
    """The sampled walk, redone here product by product, has the simulation's own draws and therefore its error."""
    method, network, trials = get_method(name, 0.3, **options), stack(biases=0.2), 3
    profile = active_shares(network, method, inputs, draws=trials, along="sampled", seed=7)
    measured = simulate(network, method, inputs, trials=trials, seed=7)
    first = next(k for k, product in enumerate(profile.products) if product is not None)
    # Up to the first selected product the sampled pass is the exact one, so its error is that product's.
    exact = network.layers(inputs)[0][first]
    whole = exact - network.bias(first + 1)
    expected = profile.products[first].error * (whole**2).sum() / (exact**2).sum()
    assert measured.layers[first].pre_activation.relative_error == pytest.approx(expected, rel=1e-12)
    selected = [k for k, product in enumerate(profile.products) if product is not None]
    assert selected == ([0, 1, 2] if method.claims.side == "inner" else [1, 2, 3])


def test_oracle_by_hand_along_both_paths(inputs):
    network, method = stack(biases=0.2), get_method("oracle_active", 0.3)
    for along in ("exact", "sampled"):
        a, mask, expected = inputs, np.ones((1, 12)), []
        for k, W in enumerate(network.weights, start=1):
            active, total = (a * mask) @ W, a @ W
            expected.append(np.vdot(active, total) / np.vdot(total, total))
            z = (total if along == "exact" else active) + network.bias(k)
            kept = round(0.3 * W.shape[1])
            mask = np.zeros_like(z)
            np.put_along_axis(mask, np.argsort(-z, axis=1)[:, :kept], 1.0, axis=1)
            a = np.maximum(z, 0.0)
        np.testing.assert_allclose(active_shares(network, method, inputs, along=along).shares, expected, rtol=1e-12)


def test_error_of_a_deterministic_selection_is_its_one_step_error(inputs):
    network, method = stack(), get_method("top_k", 0.3)
    products = active_shares(network, method, inputs).products
    np.testing.assert_allclose([p.error for p in products[:3]], one_step_errors(network, method, inputs)[:3])
    assert products[3] is None


def test_random_active_sets_have_the_share_of_their_size(inputs):
    """Unscaled dropout: E u = p y and Cov(u) = p(1 − p) Σ a_i² W_iᵀW_i, so both parts are known.

    2000 draws; standard errors, from the spread between draws, are far below the tolerance at 6 of them (1e-9).
    """
    network, p = stack(), 0.4
    product = active_shares(network, get_method("dropout", p, scaled=False), inputs, draws=2000).products[1]
    out, W = network.layers(inputs)[1][0], network.weights[1]
    total = out @ W
    spread = p * (1 - p) * ((out**2) @ (W**2)).sum() / (total**2).sum()
    assert product.share == pytest.approx(p, abs=0.01)
    assert product.error == pytest.approx((1 - p) ** 2 + spread, rel=0.02)
    assert product.ratio == pytest.approx(p / (1 - p), rel=0.05)


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_a_network_with_one_share_obeys_the_theorem(activation):
    """Inputs and nodes come in twins, of which the selection keeps one: exactly half of every sum, in both halves."""
    rng = np.random.default_rng(6)
    network = Network(tuple(np.tile(rng.standard_normal((8, 8)) / 4, (2, 2)) for _ in range(3)), None, activation)
    x, half = np.tile(rng.standard_normal((5, 8)), 2), get_method("top_k", 0.5, probabilities="uniform")
    profile = active_shares(network, half, x, sample_output=True)
    np.testing.assert_allclose(profile.shares, 0.5)
    law, measured = profile.law(), simulate(network, half, x, sample_output=True)
    np.testing.assert_allclose(law.relative_to_estimate, (1.0, 3.0, 7.0), rtol=1e-12)
    dispersed = profile.dispersed()
    for k, layer in enumerate(measured.layers):
        figures = layer.pre_activation
        assert math.sqrt(figures.relative_error) == pytest.approx(law.relative_to_exact[k])
        assert math.sqrt(figures.relative_to_estimate) == pytest.approx(law.relative_to_estimate[k])
        assert dispersed.layers[k].output.relative_error == pytest.approx(figures.relative_error)
        assert error_parts(figures).dispersion == pytest.approx(0.0, abs=1e-12)


def share(mean, inputs=0.0, nodes=0.0):
    error = (1 - mean) ** 2 + inputs + nodes
    return ActiveShare(
        mean, math.sqrt(mean**2 + inputs + nodes), error, (1 - mean) ** 2, inputs, nodes, np.array([mean]), 0.0
    )


@given(st.lists(st.floats(0.0, 50.0), min_size=1, max_size=12))
def test_law_with_dispersion_of_unbiased_shares_is_the_compounding_of_one_step_errors(errors):
    profile = ShareProfile(tuple(share(1.0, nodes=e) for e in errors)).dispersed()
    np.testing.assert_allclose(profile.relative_error, compound_errors(errors), rtol=1e-9, atol=1e-12)


@given(st.lists(st.tuples(st.floats(0.05, 1.5), st.floats(0, 2), st.floats(0, 2)), min_size=1, max_size=8))
def test_law_with_dispersion_is_one_minus_twice_kept_plus_norm(values):
    profile = ShareProfile((None, *(share(*v) for v in values)))
    kept = np.cumprod([1.0, *(v[0] for v in values)])
    norm = np.cumprod([1.0, *(v[0] ** 2 + v[1] + v[2] for v in values)])
    layers = [layer.output for layer in profile.dispersed().layers]
    np.testing.assert_allclose([m.relative_error for m in layers], 1 - 2 * kept + norm, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose([m.norm_ratio for m in layers], norm, rtol=1e-9)
    np.testing.assert_allclose([m.cosine for m in layers], kept / np.sqrt(norm), rtol=1e-9)
    np.testing.assert_allclose(profile.law().kept, kept, rtol=1e-12)
    assert profile.law() == compound_shares(profile.shares)


def test_law_with_dispersion_stays_finite_in_logarithm():
    deep = ShareProfile((share(1.0, nodes=3.0),) * 10_000).dispersed().layers[-1].output
    assert math.isinf(deep.relative_error)
    assert deep.log10_norm_ratio == pytest.approx(10_000 * math.log10(4.0))
    gone = ShareProfile((share(0.0), share(0.5))).dispersed().layers[-1].output
    assert (gone.relative_error, gone.relative_to_estimate, gone.norm_ratio) == (1.0, math.inf, 0.0)


@pytest.mark.parametrize(
    ("name", "options"), [("dropout", {}), ("dropout", {"scaled": False}), ("oracle_active", {"by": "magnitude"})]
)
def test_law_with_dispersion_meets_the_simulation_of_random_linear_stacks(name, options):
    """Its assumptions hold on average over random weights; at this width single networks stay within 10 %."""
    network = Network.random([200] * 5, activation="linear", init="lecun")
    x, method = np.random.default_rng(0).standard_normal((40, 200)), get_method(name, 0.3, **options)
    predicted = active_shares(network, method, x, draws=20).dispersed().layers[-1].output
    measured = simulate(network, method, x, trials=60).layers[-1].pre_activation
    for metric in ("relative_error", "relative_to_estimate", "norm_ratio"):
        assert getattr(predicted, metric) == pytest.approx(getattr(measured, metric), rel=0.1)


def test_parts_of_a_measured_error():
    parts = error_parts(metrics_from_moments(4.0, 3.0, 2.0))  # kept 1/2, error (4 + 3 − 4)/4
    assert (parts.kept, parts.mean_part, parts.dispersion) == pytest.approx((0.5, 0.25, 0.5))
    assert error_parts(metrics_from_moments(4.0, 0.0, 0.0)) == ErrorParts(0.0, 1.0, 0.0)


def test_result_depends_on_the_seed_alone(inputs):
    method = get_method("dropout", 0.3, scaled=False)
    runs = [
        active_shares(stack(), method, inputs, draws=5, seed=seed, workers=w) for seed, w in ((1, 1), (1, 3), (2, 1))
    ]
    np.testing.assert_array_equal(runs[0].products[2].nodes, runs[1].products[2].nodes)
    assert runs[0].shares.tolist() == runs[1].shares.tolist() != runs[2].shares.tolist()


def test_methods_a_layer_and_minibatches(inputs):
    """A mask on layer 1 and a selection of pairs in product 2 act together on product 2."""
    network = stack()
    mask, pairs = get_method("oracle_active", 0.5), get_method("top_k", 0.5)
    both = active_shares(network, [mask, pairs, None, None], inputs, batch=4)
    assert [product is None for product in both.products] == [True, False, True, True]
    alone = active_shares(network, [mask, None, None, None], inputs)
    assert both.shares[1] < alone.shares[1]
    np.testing.assert_array_equal(both.shares[[0, 2, 3]], 1.0)
    np.testing.assert_array_equal(both.law().relative_to_exact[1:], 1 - both.shares[1])
    a = network.layers(inputs)[1][0]
    z = np.argsort(-network.layers(inputs)[0][0], axis=1, kind="stable")
    kept = np.zeros_like(a)
    np.put_along_axis(kept, z[:, :15], 1.0, axis=1)
    W, total = network.weights[1], a @ network.weights[1]
    importance = np.sqrt((a**2).reshape(4, 4, -1).sum(axis=1)) * np.linalg.norm(W, axis=1)
    for b, row in enumerate(np.argsort(-importance, axis=1, kind="stable")[:, :15]):
        kept[4 * b : 4 * b + 4] *= np.isin(np.arange(30), row)
    assert both.shares[1] == pytest.approx(np.vdot((a * kept) @ W, total) / np.vdot(total, total))


def test_table_has_a_row_for_each_selected_product(inputs):
    profile = active_shares(stack(), get_method("oracle_active", 0.3), inputs)
    table = profile.to_pandas()
    assert list(table.index) == [2, 3, 4]
    np.testing.assert_allclose(table["mean_part"] + table["input_part"] + table["node_part"], table["error"])
    np.testing.assert_allclose(table["q50"], [p.quantiles([0.5])[0] for p in profile.products[1:]])
    assert profile.settings["method"] == "oracle_active"
    assert active_shares(stack(), [None] * 4, inputs).to_pandas().empty


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"draws": 0}, "draws=0 must be a whole number of at least 1"),
        ({"batch": 1.5}, "batch=1.5 must be a whole number"),
        ({"along": "both"}, "along='both' is unknown; choose 'exact' or 'sampled'"),
        ({"draws": 10**6}, "16 inputs × 1000000 draws keep 9.4 GiB of shares; the limit is 2 GiB: give fewer"),
    ],
)
def test_bad_arguments_are_named(arguments, message, inputs):
    with pytest.raises(InputError, match=re.escape(message)):
        active_shares(stack(), get_method("dropout", 0.5), inputs, **arguments)
