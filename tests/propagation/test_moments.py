"""Exact moments against full enumeration over the outcomes of all layers, and against their adjoint form."""

from __future__ import annotations

import re

import numpy as np
import pytest
from enumeration import MaskByInput, UnscaledDropout, UnscaledInner, enumerated_moments, profile_moments
from hypothesis import given
from hypothesis import strategies as st
from method_cases import cases, importance_laws, label

from approxmm.errors import InputError, NotAvailableError
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.propagation.adjoint import error_form
from approxmm.propagation.moments import exact_moments
from approxmm.testing.checks import check_moments, check_outcomes

BIASED = [UnscaledDropout(0.5), UnscaledDropout(0.75), UnscaledInner(0.5)]
BLIND = [m for m in importance_laws(cases((0.5, 2))) if m.claims.reads == "nothing"] + BIASED
READING = [m for m in importance_laws(cases((0.5, 2))) if m.claims.reads != "nothing"]
SHAPES = [(3, 2), (2, 3, 2), (3, 2, 3), (2, 2, 3, 2)]


def tiny(widths, seed, bias_std=0.7):
    network = Network.random(widths, activation="linear", init="lecun", bias_std=bias_std, seed=seed)
    return network, np.random.default_rng(seed).normal(size=(3, widths[0]))


def assert_enumerated(network, plan, x):
    expected = enumerated_moments(network, plan, x)
    got = profile_moments(exact_moments(network, plan, x), network, x)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", BIASED, ids=lambda m: type(m).__name__)
def test_the_test_own_biased_laws_are_laws(method):
    from fractions import Fraction

    for n in (1, 2, 3):
        importance = (Fraction(1),) * n
        check_outcomes(method, importance)
        check_moments(method, importance)


def test_grid_of_enumerated_cases_is_large_enough():
    """Of the next two tests: methods with options and budgets, shapes, with and without biases."""
    assert len(SHAPES) * 2 * len(BLIND) >= 150
    assert len(SHAPES) * (2 * len(BLIND) + len(READING)) >= 200


@pytest.mark.parametrize("bias_std", [0.0, 0.7])
@pytest.mark.parametrize("widths", SHAPES, ids=str)
@pytest.mark.parametrize("method", BLIND, ids=label)
def test_one_method_everywhere_is_the_enumeration(method, widths, bias_std):
    network, x = tiny(widths, 1, bias_std)
    assert_enumerated(network, [method] * network.depth, x)


@pytest.mark.parametrize("widths", SHAPES, ids=str)
@pytest.mark.parametrize("method", READING, ids=label)
def test_law_that_reads_the_data_is_exact_while_nothing_random_precedes_it(method, widths):
    network, x = tiny(widths, 2)
    blind = [get_method("dropout", 0.5)] * (network.depth - 1)
    assert_enumerated(network, [method, *blind], x)
    assert_enumerated(network, [None] * (network.depth - 1) + [method], x)


def test_output_side_law_may_read_the_input():
    network, x = tiny((3, 4, 2), 2)
    assert_enumerated(network, [MaskByInput(0.5), get_method("dropout", 0.5)], x)
    assert_enumerated(network, [None, MaskByInput(0.5)], x)
    with pytest.raises(NotAvailableError, match="at layer 2"):
        exact_moments(network, MaskByInput(0.5), x, sample_output=True)


@pytest.mark.parametrize("by", ["value", "magnitude"])
@pytest.mark.parametrize("bias_std", [0.0, 0.7])
def test_deterministic_selection_is_exact_at_every_layer(by, bias_std):
    network, x = tiny((3, 4, 3, 3), 3, bias_std)
    assert_enumerated(network, [get_method("oracle_active", 0.5, by=by)] * 3, x)


@given(st.lists(st.sampled_from([*BLIND, None]), min_size=3, max_size=3), st.integers(0, 10**6))
def test_methods_mixed_by_layer(plan, seed):
    network, x = tiny((2, 3, 2, 3), seed)
    assert_enumerated(network, plan, x)


@given(
    st.lists(st.sampled_from([*BLIND, None]), min_size=4, max_size=4),
    st.lists(st.integers(2, 7), min_size=5, max_size=5),
    st.sampled_from([0.0, 1.0]),
    st.integers(0, 10**6),
)
def test_adjoint_form_gives_every_input_the_same_error(plan, widths, bias_std, seed):
    network, x = tiny(widths, seed, bias_std)
    form = error_form(network, plan)
    for row, error, relative in zip(x, form.squared_errors(x), form.relative_errors(x), strict=True):
        profile = exact_moments(network, plan, row)
        norm = float((network.forward(row) ** 2).sum())
        np.testing.assert_allclose(error, profile.relative_error[-1] * norm, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(relative, error / norm, rtol=1e-9)
    whole = exact_moments(network, plan, x).relative_error[-1] * (network.forward(x) ** 2).sum()
    np.testing.assert_allclose(form.squared_errors(x).sum(), whole, rtol=1e-9, atol=1e-12)


def test_tiny_errors_do_not_cancel():
    """Dropping one node in 10⁹: a difference of second moments would have no digit left after squaring."""
    network, x = tiny((4, 4, 4), 5, 0.0)
    method = get_method("dropout", 1 - 1e-9)
    exact = network.layers(x)
    through = exact[1][0][:, :, None] * network.weights[1]
    first_order = 1e-9 * ((through**2).sum(axis=(1, 2)) + (exact[1][1] ** 2).sum(axis=1))
    got = error_form(network, method, sample_output=True).squared_errors(x)
    np.testing.assert_allclose(got, first_order, rtol=1e-7)
    norm = (exact[1][1] ** 2).sum()
    np.testing.assert_allclose(
        exact_moments(network, method, x, sample_output=True).relative_error[1] * norm, got.sum(), rtol=1e-9
    )


def test_full_budgets_make_no_error():
    network, x = tiny((4, 5, 3), 6)
    for method in importance_laws(cases((1.0,))):
        if method.claims.exact_at_full_budget:
            assert exact_moments(network, method, x, sample_output=True).relative_error.max() == 0.0


def test_output_layer_is_left_exact_on_request():
    network, x = tiny((3, 3, 3), 7)
    method = get_method("dropout", 0.5)
    spared = exact_moments(network, method, x, sample_output=False)
    assert spared.settings["sampled_layers"] == [1]
    assert spared.to_dict()["layers"] == exact_moments(network, [method, None], x).to_dict()["layers"]
    all_layers = exact_moments(network, method, x, sample_output=True)
    settings = {"method": "dropout", "budget": 0.5, "scaled": True, "sampled_layers": [1, 2], "inputs": 3}
    assert all_layers.settings == settings
    assert all_layers.relative_error[1] > spared.relative_error[1]
    np.testing.assert_array_equal(
        error_form(network, method, sample_output=False).error, error_form(network, [method, None]).error
    )


def test_pre_activation_and_output_differ_by_the_mask():
    network, x = tiny((3, 3, 3), 7)
    layer = exact_moments(network, get_method("dropout", 0.5), x, sample_output=True).layers[0]
    assert layer.pre_activation.relative_error == 0.0
    assert layer.output.relative_error == pytest.approx(1.0)
    inner = exact_moments(network, get_method("bernoulli", 0.5, probabilities="uniform"), x, sample_output=True).layers[
        0
    ]
    assert inner.pre_activation == inner.output


@pytest.mark.parametrize("name", ["with_replacement", "bernoulli"])
def test_law_of_random_activations_is_not_available(name):
    network, x = tiny((3, 3, 3), 8)
    message = f"method='{name}' at layer 2: its law depends on activations that are random there"
    with pytest.raises(NotAvailableError, match=message) as caught:
        exact_moments(network, get_method(name, 0.5), x, sample_output=True)
    assert "--engine simulate" in str(caught.value)
    assert "\n" not in str(caught.value)
    message = f"method='{name}' at layer 2: its law depends on the activations, so no form in the input exists"
    with pytest.raises(NotAvailableError, match=message):
        error_form(network, get_method(name, 0.5), sample_output=True)


def test_what_else_is_refused():
    linear, x = tiny((3, 3, 3), 8)
    relu = Network(linear.weights, linear.biases, "relu")
    method = get_method("dropout", 0.5)
    for call in (
        lambda: exact_moments(relu, method, x, sample_output=True),
        lambda: error_form(relu, method, sample_output=True),
    ):
        with pytest.raises(NotAvailableError, match="activation='relu': exact moments exist for linear networks only"):
            call()
    assert exact_moments(Network(relu.weights[:1], None, "relu"), method, x, sample_output=True).depth == 1
    with pytest.raises(InputError, match="1 methods for 2 layers; give one method, or one for each layer"):
        exact_moments(linear, [method], x)
    with pytest.raises(InputError, match="inputs have 2 features but the network takes 3"):
        exact_moments(linear, method, x[:, :2], sample_output=True)
    with pytest.raises(InputError, match="inputs have 2 features but the form takes 3"):
        error_form(linear, method, sample_output=True).squared_errors(x[:, :2])
    with pytest.raises(InputError, match=re.escape("budget=4 exceeds the 3 items")):
        exact_moments(linear, get_method("dropout", 4), x, sample_output=True)


def test_zero_input_without_biases_has_no_relative_error_and_no_warning():
    network, _ = tiny((3, 2), 1, 0.0)
    form = error_form(network, get_method("dropout", 0.5), sample_output=True)
    assert form.squared_errors(np.zeros(3))[0] == 0.0
    assert np.isnan(form.relative_errors(np.zeros(3))[0])
    assert exact_moments(network, get_method("dropout", 0.5), np.zeros(3), sample_output=True).relative_error[0] == 0.0
