"""Moment closure: exact where it must be, near simulation elsewhere, and the same for any number of threads."""

from __future__ import annotations

from functools import partial
from importlib import import_module

import numpy as np
import pytest
from enumeration import UnscaledDropout, UnscaledInner
from method_cases import cases, importance_laws, label

from approxmm.errors import InputError, NotAvailableError
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.propagation import closure
from approxmm.propagation.closure_moments import Full
from approxmm.propagation.closure_points import normal_points
from approxmm.propagation.engines import Task, propagate
from approxmm.propagation.moments import exact_moments
from approxmm.propagation.onestep import one_step_errors
from approxmm.propagation.simulate import simulate

LAWS = importance_laws(cases((0.5, 2)))
BLIND = [m for m in LAWS if m.claims.reads == "nothing"] + [UnscaledDropout(0.5), UnscaledInner(0.5)]
READING = [m for m in LAWS if m.claims.reads != "nothing"]
FIGURES = ("relative_error", "cosine", "norm_ratio")


def stack(widths, activation="linear", seed=1, bias_std=0.5, inputs=3):
    network = Network.random(widths, activation=activation, init="he", bias_std=bias_std, seed=seed)
    return network, np.random.default_rng(seed).normal(size=(inputs, widths[0]))


def figures(profile):
    """Return all figures of all layers, (L, 2, 3)."""
    pairs = [(layer.pre_activation, layer.output) for layer in profile.layers]
    return np.array([[[getattr(m, name) for name in FIGURES] for m in pair] for pair in pairs])


def simulated(network, plan, x, trials=1000, **more):
    """Return the relative errors of a simulation, and 5 standard errors of each."""
    profile = simulate(network, plan, x, trials=trials, workers=1, **more)
    halves = [0.0 if m.ci95 is None else (m.ci95[1] - m.ci95[0]) / 2 for m in (k.output for k in profile.layers)]
    return profile.relative_error, np.array(halves) / 1.96 * 5.0


@pytest.mark.parametrize("method", BLIND, ids=label)
def test_linear_networks_are_exact_for_blind_laws(method):
    network, x = stack((5, 4, 6, 3))
    full = closure(network, method, x, sample_output=True, covariance="full", batch=2)
    np.testing.assert_allclose(
        figures(full), figures(exact_moments(network, method, x, sample_output=True)), rtol=1e-10, atol=1e-14
    )


def test_linear_networks_are_exact_for_methods_mixed_by_layer():
    network, x = stack((5, 4, 6, 3, 4))
    plan = [BLIND[0], None, get_method("without_replacement", 0.5, probabilities="weights"), UnscaledDropout(0.5)]
    full = closure(network, plan, x, covariance="full")
    np.testing.assert_allclose(figures(full), figures(exact_moments(network, plan, x)), rtol=1e-10, atol=1e-14)


def test_dropped_covariances_are_caught(monkeypatch):
    """The broken twin keeps only the diagonal of each scaled covariance, as the diagonal closure does on purpose."""
    network, x = stack((5, 4, 6, 3))
    method = get_method("dropout", 0.5)
    exact = exact_moments(network, method, x, sample_output=True).relative_error
    proper = Full.scaled

    def diagonal_only(self, scales):
        scaled = proper(self, scales)
        return Full(scaled.mean, scaled.covariance * np.eye(scaled.mean.shape[1]))

    monkeypatch.setattr(Full, "scaled", diagonal_only)
    broken = closure(network, method, x, sample_output=True, covariance="full").relative_error
    assert broken[0] == pytest.approx(exact[0], rel=1e-12)
    assert abs(broken[2] / exact[2] - 1.0) > 0.02


@pytest.mark.parametrize("kind", ["full", "diagonal"])
@pytest.mark.parametrize("method", READING, ids=label)
def test_first_sampled_layer_is_exact_for_laws_that_read_the_data(method, kind):
    network, x = stack((4, 6, 5), "relu")
    plan = [None, method]
    got = closure(network, plan, x, covariance=kind).layers[1].output.relative_error
    assert got == pytest.approx(one_step_errors(network, plan, x)[1], rel=1e-10, abs=1e-14)


def test_masks_by_hash_tables_keep_their_covariance():
    """A mask with a dense covariance, felt by the next product: exact where the input is known."""
    network, x = stack((6, 8, 4))
    plan = [get_method("alsh", cap=False, fill=False, bits=2, tables=3), None]
    full = closure(network, plan, x, covariance="full")
    np.testing.assert_allclose(figures(full), figures(exact_moments(network, plan, x)), rtol=1e-10)
    masked = closure(network, plan, x).layers[0].output.relative_error
    assert masked == pytest.approx(full.layers[0].output.relative_error, rel=1e-12)


@pytest.mark.parametrize("name", ["oracle_active", "top_k"])
def test_selections_without_noise_before_them_are_exact(name):
    network, x = stack((8, 12, 12, 6), "relu")
    plan = get_method(name, 0.5)
    expected = simulate(network, plan, x, trials=1, workers=1)
    for kind in ("full", "diagonal"):
        np.testing.assert_allclose(figures(closure(network, plan, x, covariance=kind)), figures(expected), rtol=1e-10)


def record(calls, done, total):
    assert total == 9
    calls.append(done)


# (plan, how far full covariances may be off beside 5 standard errors of the simulation)
NEAR = {
    "dropout": (get_method("dropout", 0.4), 0.03),
    "bernoulli": (get_method("bernoulli", 0.4), 0.04),
    "with replacement": (get_method("with_replacement", 0.3), 0.04),
    "noise before a selection": ([get_method("bernoulli", 0.4), get_method("oracle_active", 0.3), None, None], 0.06),
    "a law that reads masks": ([get_method("dropout", 0.5), get_method("bernoulli", 0.4), None, None], 0.04),
}  # fmt: skip


@pytest.mark.parametrize("what", NEAR)
def test_near_simulation_on_a_network_with_rectifiers(what):
    """Fixed seed. 5 standard errors on both sides: a false alarm in 1e-6 cases, if the closure were exact."""
    network, x = stack((30, 60, 60, 60, 10), "relu", seed=4, inputs=8)
    plan, allowed = NEAR[what]
    expected, noise = simulated(network, plan, x)
    full = closure(network, plan, x, covariance="full").relative_error
    assert (abs(full - expected) <= allowed * expected + noise).all()
    diagonal = closure(network, plan, x).relative_error
    assert (abs(diagonal[:-1] - expected[:-1]) <= 0.25 * expected[:-1] + noise[:-1]).all()


def test_near_simulation_with_a_smooth_activation():
    network, x = stack((30, 50, 50, 10), "tanh", seed=5, inputs=6)
    plan = get_method("dropout", 0.4)
    expected, noise = simulated(network, plan, x)
    full = closure(network, plan, x, covariance="full").relative_error
    assert (abs(full - expected) <= 0.03 * expected + noise).all()


def test_shared_draws_of_a_minibatch(monkeypatch):
    """Noise that inputs share makes column norms fluctuate: the broken twin that forgets it predicts far too much."""
    network, x = stack((30, 60, 60, 10), "relu", seed=4, inputs=8)
    plan = [get_method("bernoulli", 0.3)] * 2 + [None]
    expected, noise = simulated(network, plan, abs(x), trials=400, batch=8)
    full = closure(network, plan, abs(x), covariance="full", batch=8).relative_error
    assert (abs(full - expected) <= 0.3 * expected + noise).all()
    monkeypatch.setattr("approxmm.propagation.closure_layer.correlate", lambda normal, alike, group: normal)
    apart = closure(network, plan, abs(x), covariance="full", batch=8).relative_error
    assert apart[0] == pytest.approx(full[0], rel=1e-12)
    assert apart[1] > full[1] + 0.2 * expected[1]


def test_threads_and_blocks_do_not_change_the_result(monkeypatch):
    network, x = stack((30, 60, 60, 10), "relu", inputs=9)
    plan = get_method("bernoulli", 0.4)
    for kind in ("diagonal", "full"):
        whole = figures(closure(network, plan, x, covariance=kind, workers=1))
        np.testing.assert_array_equal(figures(closure(network, plan, x, covariance=kind, workers=3)), whole)
        with monkeypatch.context() as patch:
            patch.setattr(import_module("approxmm.propagation.closure"), "_BLOCK_BYTES", 1)
            calls: list[float] = []
            pieces = closure(network, plan, x, covariance=kind, batch=2, progress=partial(record, calls))
            assert calls == [2, 4, 6, 8, 9]
        np.testing.assert_allclose(figures(pieces), figures(closure(network, plan, x, covariance=kind, batch=2)))


def test_points_are_normal_and_belong_to_their_input():
    points = normal_points(16, range(3, 7), 2000, 2)
    assert abs(points.mean()) < 0.01  # starts differ, so that it is not quite 0
    assert points.var() == pytest.approx(1.0, abs=0.02)
    np.testing.assert_array_equal(points[:, 1], normal_points(16, range(4, 5), 2000, 2)[:, 0])
    ordered = np.sort(points, axis=0)
    assert (np.diff(ordered, axis=0) > 0).all()  # one point in each sixteenth


def test_profile_says_what_normality_hangs_on():
    network, x = stack((20, 30, 30, 5), "relu")
    profile = closure(network, get_method("bernoulli", 0.5), x, covariance="full")
    assert profile.source == "closure"
    assert profile.settings["covariance"] == "full"
    extra = [layer.extra for layer in profile.layers]
    assert all(1.0 <= e["noise_directions"] <= 30.0 and 1.0 <= e["noise_terms"] <= 30.0 for e in extra)
    assert extra[2]["noise_directions"] <= 5.0
    assert "noise_directions" not in closure(network, get_method("bernoulli", 0.5), x).layers[0].extra


def test_engine_takes_full_covariances_while_they_are_cheap():
    network, x = stack((6, 8, 4), "relu")
    task = Task(network, get_method("dropout", 0.5), x, False, {"batch": 1, "trials": 10})
    profiles, missing = propagate(task, "closure")
    assert not missing
    assert profiles["closure"].settings["covariance"] == "full"
    wide = Network.random([2000, 2000, 10])
    task = Task(wide, get_method("dropout", 0.5), np.ones((3, 2000)), False, {})
    assert propagate(task, "closure")[0]["closure"].settings["covariance"] == "diagonal"


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_beyond_float64_there_are_no_figures_and_no_warnings(covariance):
    small, x = stack((5, *(6,) * 12, 3), "relu", bias_std=0.0)
    large = Network([W * 1e20 for W in small.weights], small.biases, activation="relu")
    errors = closure(large, get_method("bernoulli", 0.5), x, covariance=covariance).relative_error
    known = np.isfinite(errors)
    within = int(known.argmin())
    assert 4 <= within < 12
    assert not known[within:].any()
    scaled = closure(small, get_method("bernoulli", 0.5), x, covariance=covariance).relative_error
    np.testing.assert_allclose(errors[:within], scaled[:within], rtol=1e-9)


def test_what_is_refused():
    network, x = stack((6, 8, 4), "relu")
    with pytest.raises(InputError, match="covariance='ful' is unknown; choose one of diagonal, full"):
        closure(network, get_method("dropout", 0.5), x, covariance="ful")
    with pytest.raises(InputError, match="batch=0 must be a whole number of at least 1"):
        closure(network, get_method("dropout", 0.5), x, batch=0)
    with pytest.raises(InputError, match="inputs have 5 features but the network takes 6"):
        closure(network, get_method("dropout", 0.5), x[:, :5])
    for name in ("alsh", "subspace_screen"):
        with pytest.raises(NotAvailableError, match=f"method='{name}' has no closed-form law"):
            closure(network, get_method(name, 0.5), x)
