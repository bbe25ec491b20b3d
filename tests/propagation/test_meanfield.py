"""Mean field against closed forms, against bounds, and against a direct simulation of random stacks."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from method_cases import cases, label
from wide_stacks import Stack, outside, simulate_stacks

from approxmm.activations import ACTIVATIONS
from approxmm.errors import InputError, NotAvailableError
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.propagation import Ensemble, Task, growth_factor, kernels, layer_map, mean_field, plot_maps, propagate
from approxmm.propagation.meanfield_law import LawTable, Nodes, population, standard_nodes

UNIFORM = {"probabilities": "uniform"}
STACKS = [Stack("relu", 2.0, 0.0), Stack("tanh", 2.25, 0.05)]
METHODS = [get_method("dropout", 0.25), get_method("top_k", 0.25)]


def has_moments(method):
    """Return whether the law has marginal moments at all, asked in the plainest way."""
    x, side = np.array([3.0, 1.0, 2.0]), 3
    try:
        method.marginal_moments(x, np.arange(1.0, 1.0 + 3 * side).reshape(3, side))
    except NotAvailableError:
        return False
    return True


def kernel(rho):
    return (math.sqrt(1 - rho * rho) + rho * (math.pi - math.acos(rho))) / math.pi


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (get_method("dropout", 0.25), 4.0),
        (get_method("bernoulli", 0.25, **UNIFORM), 4.0),
        (get_method("with_replacement", 50, **UNIFORM), 1 + 999 / 50),
        (get_method("without_replacement", 50, **UNIFORM), 20.0),
        (get_method("with_replacement", 50), 1 + (1000 / math.pi - 1) / 50),
        (get_method("bernoulli", 50), 1000 / (math.pi * 50)),
        (get_method("bernoulli", 500), 1.0),
        (get_method("top_k", 500), 1.0),
        (get_method("dropout", 0.25, scaled=False), 0.25),
        (get_method("exact"), 1.0),
    ],
    ids=str,
)
def test_growth_factors_are_the_closed_forms(method, expected):
    assert growth_factor(method, "relu", 1000) == pytest.approx(expected, rel=1e-4)
    if method.claims.reads == "nothing":
        assert growth_factor(method, "relu", 1000) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("name", "share"), [("relu", 1 / math.pi), ("linear", 2 / math.pi)])
def test_norm_optimal_draws_pay_for_the_mean_of_absolute_values(name, share):
    assert growth_factor(get_method("with_replacement", 100), name, 4000) == pytest.approx(
        1 + (4000 * share - 1) / 100, rel=1e-4
    )


def test_relu_recursion_is_the_arc_cosine_kernel_with_g():
    g, q_hat, rho = 4.0, 4.0, 0.5
    profile = mean_field(Ensemble((100,) * 9), get_method("bernoulli", 0.25, **UNIFORM), sample_output=True)
    for layer in profile.layers:
        pre = layer.pre_activation
        assert pre.norm_ratio == pytest.approx(q_hat, rel=1e-12)
        assert pre.cosine == pytest.approx(rho, rel=1e-12)
        assert pre.relative_error == pytest.approx(q_hat - 2 * rho * math.sqrt(q_hat) + 1, rel=1e-12)
        rho, q_hat = kernel(rho) / math.sqrt(g), g * q_hat


def test_gradients_follow_the_slopes():
    """ReLU: δ's cosine falls by (π − θ)/(π√g) a layer, its norm grows by g; weight gradients have both errors."""
    profile = mean_field(Ensemble((100,) * 5), get_method("bernoulli", 0.25, **UNIFORM), sample_output=True)
    ratio, cosine = 1.0, 1.0
    for layer, before in zip(profile.layers[::-1], [*profile.layers[-2::-1], None], strict=True):
        assert layer.delta.norm_ratio == pytest.approx(ratio, rel=1e-12)
        assert layer.delta.cosine == pytest.approx(cosine, rel=1e-10)
        inputs = 0.5 if before is None else before.output.cosine / 2.0
        assert layer.weight_gradient.cosine == pytest.approx(cosine * inputs, rel=1e-10)
        if before is not None:
            ratio *= 4.0
            cosine *= (math.pi - math.acos(before.pre_activation.cosine)) / math.pi / 2.0


def test_only_gradients_sampled():
    profile = mean_field(Ensemble((100,) * 5), get_method("dropout", 0.5), exact_forward=True)
    assert [layer.output.relative_error for layer in profile.layers] == [0.0] * 4
    assert [layer.delta.relative_error for layer in profile.layers] == pytest.approx([7.0, 3.0, 1.0, 0.0], abs=1e-12)
    # The mask of a layer's outputs scales what enters the next weight gradient too, as in the simulation.
    gradients = [layer.weight_gradient.relative_error for layer in profile.layers]
    assert gradients == pytest.approx([7.0, 7.0, 3.0, 1.0], abs=1e-12)
    drawn = mean_field(Ensemble((100,) * 3), get_method("bernoulli", 0.5, probabilities="uniform"), exact_forward=True)
    assert [layer.output.cosine for layer in drawn.layers] == [1.0] * 2


def test_inputs_of_any_norms_are_averaged_by_their_norms():
    """One layer, so nothing but the scales: every input has the cosine √p, and so has their average."""
    x = np.random.default_rng(0).standard_normal((5, 50)) * np.array([[0.01], [0.5], [1.0], [3.0], [40.0]])
    method = get_method("bernoulli", 0.25, probabilities="uniform")
    figures = mean_field(Ensemble((50, 30)), method, x, sample_output=True).layers[0].output
    assert figures.cosine == pytest.approx(0.5, rel=1e-12)
    assert figures.norm_ratio == pytest.approx(4.0, rel=1e-12)


@pytest.mark.parametrize("method", cases((0.25,)), ids=label)
def test_every_method_with_marginal_moments_has_a_mean_field(method):
    nodes = Nodes(ACTIVATIONS["relu"], 60, 60)
    if not has_moments(method):
        with pytest.raises(NotAvailableError, match="--engine simulate"):
            mean_field(Ensemble((60,) * 4), method, sample_output=True)
        return
    probe = population(method, nodes, 0.0)
    assert (probe.second >= probe.mean**2 * (1 - 1e-12)).all()
    for name in ("relu", "tanh"):
        profile = mean_field(Ensemble((60,) * 4, name, 2.0, 0.1), method, sample_output=True)
        json.dumps(profile.to_dict(), allow_nan=False)
        for layer in profile.layers:
            assert layer.output.relative_error >= 0.0
            assert -1.0 <= layer.output.cosine <= 1.0
    if method.claims.exact:
        assert [layer.output.relative_error for layer in profile.layers] == [0.0] * 3


def test_direct_simulation_of_random_stacks():
    """Real weights and draws, 80 networks: within interval plus stated correction, and not because that is wide."""
    sums = simulate_stacks(STACKS, METHODS, 120, 3, range(80), dtype=np.float64)
    assert outside(sums, STACKS, METHODS, 120) == []
    others = [get_method("dropout", 0.2), get_method("top_k", 0.2)]
    wrong = {
        (s, m): mean_field(stack.ensemble(120, 3), other, sample_output=True)
        for s, stack in enumerate(STACKS)
        for m, other in enumerate(others)
    }
    caught = {(found[0], found[1]["name"]) for found in outside(sums, STACKS, METHODS, 120, wrong)}
    assert len(caught) == len(wrong)


def test_width_is_a_markov_chain_and_the_correction_its_first_order():
    """Given a layer's triple, nodes are independent pairs: the width-n average over networks, without any weights.

    The corrected cosine must be within 5.5 standard errors of the chain's and a fifth of the correction (its second
    order), the limit itself must not.
    """
    width, layers, keep, rng = 60, 4, 0.5, np.random.default_rng(7)
    x = rng.standard_normal((20_000, width))
    q = q_hat = kappa = 2.0 * (x * x).mean(axis=1)
    for _ in range(layers):
        rho = np.clip(kappa / np.sqrt(q * q_hat), -1.0, 1.0)
        u, w = rng.standard_normal((2, *x.shape))
        a = np.maximum(np.sqrt(q)[:, None] * u, 0.0)
        mixed = rho[:, None] * u + np.sqrt(1 - rho**2)[:, None] * w
        sampled = np.maximum(np.sqrt(q_hat)[:, None] * mixed, 0.0) * (rng.random(x.shape) < keep) / keep
        q, q_hat, kappa = (2.0 * product.mean(axis=1) for product in (a * a, sampled * sampled, a * sampled))
    last = mean_field(Ensemble((width,) * (layers + 2)), get_method("dropout", keep)).layers[layers - 1]
    cosine = kappa.mean() / math.sqrt(q.mean() * q_hat.mean())
    linear = kappa / kappa.mean() - 0.5 * (q / q.mean() + q_hat / q_hat.mean())
    spread = cosine * linear.std() / math.sqrt(len(q))
    limit, correction = last.output.cosine, last.extra["finite_width_cosine"]
    assert abs(limit + correction - cosine) <= 5.5 * spread + 0.2 * abs(correction)
    assert abs(limit - cosine) > 5.5 * spread


def test_norms_of_homogeneous_networks_need_no_correction():
    profile = mean_field(Ensemble((50,) * 9), get_method("dropout", 0.5), sample_output=True)
    for layer in profile.layers:
        # The order that is kept cancels; what remains is of order 1/n².
        assert abs(layer.extra["finite_width_norm_ratio"]) <= 1e-4 * layer.output.norm_ratio
        assert layer.extra["finite_width_cosine"] < -1e-5 or layer.layer == 1


def test_thousands_of_layers_have_finite_logarithms():
    started = time.process_time()
    for name, method in (("relu", get_method("with_replacement", 0.1)), ("tanh", get_method("dropout", 0.5))):
        stack = Ensemble((1000,) * 10_001, name, 2.0)
        last = mean_field(stack, method, sample_output=True, gradients=False).layers[-1]
        assert math.isfinite(last.output.log10_relative_error)
        assert math.isfinite(last.output.log10_norm_ratio)
        if name == "relu":
            g = growth_factor(method)  # the first layer's inputs are Gaussian, not rectified
            first = growth_factor(method, "linear")
            expected = 9999 * math.log10(g) + math.log10(first)
            assert last.output.log10_norm_ratio == pytest.approx(expected, rel=1e-9)
    assert time.process_time() - started < 60.0


def test_inputs_given():
    """The first product's law reads the input itself; with a linear first layer that is all there is."""
    x = np.arange(1.0, 9.0)
    law = get_method("bernoulli", 2)
    first = mean_field(Ensemble((8, 8), "relu", 1.0), law, x, sample_output=True).layers[0]
    mean, variance = law.marginal_moments(x, np.ones((8, 1)))
    assert first.output.norm_ratio == pytest.approx(((variance + mean**2) * x**2).sum() / (x**2).sum(), rel=1e-12)
    many = np.random.default_rng(0).normal(size=(40, 8))
    assert mean_field(Ensemble((8, 8, 8)), law, many).settings["inputs"] == 16
    with pytest.raises(InputError, match=r"inputs have the shape \(1, 3\)"):
        mean_field(Ensemble((8, 8)), law, np.ones(3))


def test_network_is_read_by_its_variances():
    network = Network.random([40, 50, 30], init="lecun", bias_std=0.5, seed=3)
    ensemble = Ensemble.of(network)
    assert ensemble.widths == (40, 50, 30)
    assert ensemble.variances[0][0] == pytest.approx(1.0, rel=0.15)
    assert ensemble.variances[0][1] == pytest.approx(float((network.biases[0] ** 2).mean()))
    task = Task(network, get_method("bernoulli", 0.5), np.ones((1, 40)), True, {})
    profile = propagate(task, "meanfield")[0]["meanfield"]
    assert profile.settings["variances"] == "measured"


def test_ensemble_matches_the_networks_it_describes():
    for init in ("he", "lecun", "glorot"):
        stack = Ensemble.random([300, 200, 400], init=init, bias_std=0.3)
        measured = Ensemble.of(Network.random([300, 200, 400], init=init, bias_std=0.3, seed=1))
        np.testing.assert_allclose(stack.variances, measured.variances, rtol=0.35)
    for bad in ({"weight_variance": -1.0}, {"bias_variance": math.nan}, {"weight_variance": (1.0,)}):
        with pytest.raises(InputError):
            Ensemble((5, 5, 5), **bad)
    with pytest.raises(InputError, match="init="):
        Ensemble.random([5, 5], init="none")
    with pytest.raises(InputError, match="widths="):
        Ensemble((5,))


def test_biases_enter_biased_laws_once():
    """Unscaled dropout keeps p of the cross moment and of the second moment, with biases as without."""
    keep, stack = 0.25, Ensemble((80,) * 4, "tanh", 2.25, 0.5)
    pre, layer = None, None
    for layer in mean_field(stack, get_method("dropout", keep, scaled=False), sample_output=True).layers[:2]:
        pre = layer.pre_activation
    q = 2.25 * kernels.second_moment(ACTIVATIONS["tanh"], 2.75) + 0.5
    q_hat = 0.5 + keep * (q - 0.5)  # and κ is the same
    assert pre.norm_ratio == pytest.approx(q_hat / q, rel=1e-12)
    assert pre.cosine == pytest.approx(math.sqrt(q_hat / q), rel=1e-12)
    exact, sampled = (kernels.second_moment(ACTIVATIONS["tanh"], v) for v in (q, q_hat))
    cross = keep * kernels.cross_moment(ACTIVATIONS["tanh"], q, q_hat, math.sqrt(q_hat / q))
    assert layer.output.cosine == pytest.approx(cross / math.sqrt(exact * keep * sampled), rel=1e-4)


def test_random_masks_before_probabilities_of_the_input():
    plan = [get_method("dropout", 0.5), get_method("with_replacement", 0.5), None]
    with pytest.raises(NotAvailableError, match="random mask"):
        mean_field(Ensemble((20,) * 4), plan)
    plan[0] = get_method("correlation_tree", threshold=0.0)  # deterministic: what survives is read
    alone = mean_field(Ensemble((20,) * 4), [None, *plan[1:]])
    both = mean_field(Ensemble((20,) * 4), plan)
    assert both.layers[-1].output.relative_error == pytest.approx(alone.layers[-1].output.relative_error, rel=1e-9)


def test_norm_optimal_draws_cost_gradients_everything():
    for method, infinite in (
        (get_method("bernoulli", 0.25), True),
        (get_method("with_replacement", 0.25), True),
        (get_method("bernoulli", 0.25, uniform_mixture=0.25), False),
        (get_method("with_replacement", 0.25, **UNIFORM), False),
        (get_method("bernoulli", 0.6), False),  # all positive units are kept
    ):
        layer = mean_field(Ensemble((100,) * 4), method).layers[0]
        assert math.isinf(layer.delta.relative_error) == infinite
        assert math.isfinite(layer.output.relative_error)


def test_pooled_hashing_reads_more_than_angles():
    with pytest.raises(NotAvailableError, match="norms and angles"):
        mean_field(Ensemble((64,) * 3), get_method("alsh", cap=False, fill=False, pool=4))


@given(size=st.integers(1, 400))
def test_standard_nodes_have_exact_squares(size):
    nodes = standard_nodes(size)
    assert (nodes**2).mean() == pytest.approx(1.0, rel=1e-12)
    assert (np.diff(nodes) > 0).all()
    if size >= 20:
        assert np.abs(nodes).mean() == pytest.approx(math.sqrt(2 / math.pi), rel=1.0 / size**1.5)


def test_law_table_evaluates_only_where_moments_change():
    """A threshold at 5 in 10,000 scales: the answers are those of the law, from a handful of evaluations."""
    calls = []

    def evaluate(at):
        calls.append(at)
        value = np.full(3, 1.0 if at > 5.0 else 2.0)
        return population(get_method("exact"), Nodes(ACTIVATIONS["relu"], 3, 3), 0.0).times(
            type(probe)(probe.weight_part, probe.bias_part, value, value**2)
        )

    probe = population(get_method("exact"), Nodes(ACTIVATIONS["relu"], 3, 3), 0.0)
    table = LawTable(evaluate)
    for at in np.linspace(-100.0, 1000.0, 10_000):
        assert table.at(at).mean[0] == (1.0 if at > 5.0 else 2.0)
    assert len(calls) < 1000


def test_fixed_points():
    relu = layer_map(get_method("dropout", 0.5)).fixed_point()
    assert relu.rho == pytest.approx(kernel(relu.rho) / math.sqrt(2), abs=1e-12)
    assert relu.slope == pytest.approx((math.pi - math.acos(relu.rho)) / math.pi / math.sqrt(2), rel=1e-9)
    assert relu.log10_growth == pytest.approx(math.log10(2))
    assert (relu.q, relu.q_hat) == (pytest.approx(1.0), math.inf)
    linear = layer_map(get_method("dropout", 0.5), "linear", weight_variance=1.0).fixed_point()
    assert linear.rho == pytest.approx(0.0, abs=1e-12)
    chaotic = layer_map(None, "tanh", weight_variance=2.25, bias_variance=0.05).fixed_point()
    assert chaotic.slope > 1.0
    assert math.isinf(chaotic.depth_scale)
    noisy = layer_map(get_method("dropout", 0.5), "tanh", weight_variance=2.25, bias_variance=0.05)
    point = noisy.fixed_point()
    np.testing.assert_allclose(noisy.correlation(np.array([point.rho])), point.rho, atol=1e-10)
    h = 1e-4
    slope = np.diff(noisy.correlation(np.array([point.rho - h, point.rho + h])))[0] / (2 * h)
    assert point.slope == pytest.approx(slope, rel=1e-5)
    biased = layer_map(get_method("top_k", 0.25)).fixed_point()
    assert biased.q_hat == 0.0
    assert 0.0 < biased.slope < 1.0


def test_plot_of_maps():
    left, right = plot_maps([get_method("bernoulli", b, **UNIFORM) for b in (0.1, 0.5)], width=100)
    assert len(left.get_lines()) == 5
    assert left.get_xlabel()
    assert right.get_ylabel()
