"""The simulation's promises: same bits however it is run, intervals, early stop, bounds, and messages."""

from __future__ import annotations

import re
import tracemalloc
from importlib import import_module

import numpy as np
import pytest
from method_cases import cases, label

from approxmm.errors import InputError
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.propagation.simulate import simulate

module = import_module("approxmm.propagation.simulate")  # the room exports the function under the same name
memory = import_module("approxmm.propagation.memory")
METHODS = cases((0.5,))
NET = Network.random([7, 9, 8, 4], activation="relu", bias_std=0.3, seed=2)
X = np.random.default_rng(5).normal(size=(5, 7))


def layers(*arguments, **options):
    return simulate(*arguments, **options).to_dict()["layers"]


def cut_into(monkeypatch, rows, *, keep=True):
    """Let chunks be of about this many rows, and exact values be kept or not."""
    monkeypatch.setattr(memory, "_ARRAY_BYTES", 0)
    monkeypatch.setattr(memory, "_FEWEST_ROWS", rows)
    monkeypatch.setattr(memory, "_SHARE", 1)
    if not keep:
        monkeypatch.setattr(memory, "_EXACT_BYTES", 0)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("method", METHODS, ids=label)
def test_same_bits_for_any_number_of_threads(method, batch, monkeypatch):
    cut_into(monkeypatch, 20)  # four trials a chunk
    runs = [layers(NET, method, X, trials=50, seed=3, batch=batch, workers=w) for w in (1, 2, 4, None)]
    assert all(run == runs[0] for run in runs)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("method", METHODS, ids=label)
def test_pieces_and_blocks_of_inputs_change_rounding_only(method, batch, monkeypatch):
    """Down to one input of one trial at a time: the draws are the same, so figures agree to rounding."""
    whole = simulate(NET, method, X, trials=40, seed=1, batch=batch)
    for rows, keep in ((1, True), (1, False), (7, True), (16, False)):
        cut_into(monkeypatch, rows, keep=keep)
        cut = simulate(NET, method, X, trials=40, seed=1, batch=batch)
        for a, b in zip(whole.layers, cut.layers, strict=True):
            assert a.output.relative_error == pytest.approx(b.output.relative_error, rel=1e-11, abs=1e-28)
            assert a.output.cosine == pytest.approx(b.output.cosine, rel=1e-12, nan_ok=True)
            assert a.pre_activation.norm_ratio == pytest.approx(b.pre_activation.norm_ratio, rel=1e-12)
            if a.output.ci95 is not None:
                assert a.output.ci95 == pytest.approx(b.output.ci95, rel=1e-9, abs=1e-28)


def test_seed_decides_everything_and_more_trials_extend_fewer():
    method = get_method("bernoulli", 0.5)
    assert layers(NET, method, X, trials=30, seed=1) == layers(NET, method, X, trials=30, seed=1)
    assert layers(NET, method, X, trials=30, seed=1) != layers(NET, method, X, trials=30, seed=2)
    first, second, both = (simulate(NET, method, X[i], trials=1, seed=1) for i in (0, slice(0, 1), slice(0, 1)))
    assert first.to_dict()["layers"] == second.to_dict()["layers"] == both.to_dict()["layers"]


@pytest.mark.parametrize("method", [m for m in METHODS if m.claims.deterministic], ids=label)
def test_deterministic_method_is_one_trial_without_interval(method):
    profile = simulate(NET, method, X, trials=500, precision=0.01)
    assert profile.settings["trials"] == 1
    assert all(layer.output.ci95 is None for layer in profile.layers)


def test_exact_method_has_no_error():
    for plan in (get_method("exact"), [None] * 3):
        profile = simulate(NET, plan, X, trials=10, sample_output=True)
        assert profile.relative_error.max() < 1e-28
        assert all(layer.output.cosine == pytest.approx(1, rel=1e-14) for layer in profile.layers)


def test_unsampled_network_stays_unsampled_before_the_first_sampled_layer():
    profile = simulate(NET, [None, get_method("dropout", 0.5), None], X, trials=20)
    assert profile.relative_error[0] < 1e-28
    assert profile.relative_error[1] > 0.1
    assert profile.settings["sampled_layers"] == [2]


def test_figures_are_those_of_the_sampled_values():
    """One trial of one input, redone by hand with the same draws."""
    from approxmm.methods.draws import fill_scales
    from approxmm.random import Stream, make_key

    method, x = get_method("with_replacement", 0.5), X[:1]
    a, exact = x, NET.layers(x)
    profile = simulate(NET, method, x, trials=1, seed=9, sample_output=True)
    for k, W in enumerate(NET.weights):
        scales = np.empty_like(a)
        fill_scales(method.build([W]), 0, a, 1, make_key(9, Stream.SELECT, layer=k + 1), scales)
        z = (a * scales) @ W + NET.biases[k]
        a = np.maximum(z, 0) if k < 2 else z
        for figures, value, y in (
            (profile.layers[k].pre_activation, z, exact[0][k]),
            (profile.layers[k].output, a, exact[1][k]),
        ):
            assert figures.relative_error == pytest.approx(((value - y) ** 2).sum() / (y**2).sum(), rel=1e-10)
            assert figures.norm_ratio == pytest.approx((value**2).sum() / (y**2).sum(), rel=1e-10)
            cosine = (value * y).sum() / np.sqrt((value**2).sum() * (y**2).sum())
            assert figures.cosine == pytest.approx(cosine, rel=1e-10)


def test_interval_is_student_t_corrected_for_skewness():
    """Hall's transform of the trials' own errors, solved by bisection instead of by its inverse."""
    from scipy import optimize, stats

    method = get_method("dropout", 0.5)
    alone = [simulate(NET, method, X, trials=t, seed=4).layers[1].output.relative_error for t in range(1, 9)]
    each = np.diff(np.array([0.0, *(t * mean for t, mean in enumerate(alone, start=1))]))  # the trials' own errors
    mean, low_high = each.mean(), simulate(NET, method, X, trials=8, seed=4, confidence=0.9).layers[1].output.ci95
    sigma = each.std(ddof=1)
    skewness = ((each - mean) ** 3).mean() / sigma**3
    root = np.sqrt(8)

    def transformed(T):
        return T + skewness * (2 * T**2 + 1) / (6 * root) + skewness**2 * T**3 / 27 / 8

    quantile = stats.t.ppf(0.95, 7)
    solved = (optimize.brentq(lambda T, x: transformed(T) - x, -99, 99, args=(x,)) for x in (quantile, -quantile))
    bounds = [mean - T * sigma / root for T in solved]
    assert low_high == pytest.approx(bounds, rel=1e-8)
    assert abs(sum(bounds) / 2 / mean - 1) > 1e-4  # it is not the symmetric interval
    last = simulate(NET, method, X, trials=1).layers[1].output
    assert (last.ci95, last.norm_ratio_ci95, last.cosine_ci95) == ((0.0, np.inf), (0.0, np.inf), (-1.0, 1.0))


def test_precision_doubles_the_trials_until_it_is_met():
    method = get_method("dropout", 0.5)
    profile = simulate(NET, method, X, trials=16, precision=0.05, seed=1, sample_output=True)
    last = profile.layers[-1].output
    assert (last.ci95[1] - last.ci95[0]) / 2 <= 0.05 * last.relative_error
    trials = profile.settings["trials"]
    assert trials > 16
    assert (trials // 16).bit_count() == 1
    # Under stopping the reported interval, which must be short, is one at 0.8 of the error rate.
    half = simulate(NET, method, X, trials=trials // 2, seed=1, sample_output=True, confidence=0.96)
    coarse = half.layers[-1].output
    assert (coarse.ci95[1] - coarse.ci95[0]) / 2 > 0.05 * coarse.relative_error
    direct = layers(NET, method, X, trials=trials, seed=1, sample_output=True)
    assert direct[-1]["relative_error"] == pytest.approx(last.relative_error, rel=1e-12)
    exactly = simulate(NET, get_method("dropout", 1.0), X, trials=4, precision=0.01)
    assert exactly.settings["trials"] == 4


def test_precision_gives_up_at_the_largest_number_of_trials(monkeypatch):
    monkeypatch.setattr(module, "_MAX_TRIALS", 100)
    profile = simulate(NET, get_method("dropout", 0.5), X, trials=30, precision=1e-9)
    assert profile.settings["trials"] == 100


def test_inputs_of_a_minibatch_share_a_draw_of_pairs():
    linear = Network.random([6, 5, 4], activation="linear", seed=1)
    method = get_method("bernoulli", 0.5, probabilities="uniform")
    same = np.tile(np.random.default_rng(0).normal(size=6), (4, 1))
    shared = simulate(linear, method, same, trials=30, seed=2, batch=4, sample_output=True)
    one = simulate(linear, method, same[:1], trials=30, seed=2, sample_output=True)
    np.testing.assert_allclose(shared.relative_error, one.relative_error, rtol=1e-12)
    apart = simulate(linear, method, same, trials=30, seed=2, sample_output=True)
    assert abs(apart.relative_error[-1] / one.relative_error[-1] - 1) > 1e-3
    assert shared.settings["batch"] == 4
    masks = get_method("dropout", 0.5)  # of the output side: a draw for each input in any case
    assert layers(linear, masks, same, trials=30, batch=4) == layers(linear, masks, same, trials=30)


def test_progress_counts_trials(monkeypatch):
    cut_into(monkeypatch, 50)
    calls = []
    simulate(NET, get_method("dropout", 0.5), X, trials=35, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(9, 35), (18, 35), (27, 35), (35, 35)]


def test_exception_in_the_callers_progress_stops_the_run():
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(NET, get_method("dropout", 0.5), X, trials=35, progress=stop)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "trials=0 must be a whole number in [1, 1000000]"),
        ({"trials": 2.5}, "trials=2.5 must be a whole number"),
        ({"trials": 10**7}, "trials=10000000 must be a whole number"),
        ({"precision": 0.0}, "precision=0.0 must lie in (0, 1): 0.01 means ± 1 % of the error"),
        ({"precision": 1.5}, "precision=1.5 must lie in (0, 1)"),
        ({"precision": float("nan")}, "precision=nan must lie in (0, 1)"),
        ({"confidence": 1.0}, "confidence=1.0 must lie in (0, 1)"),
        ({"confidence": float("nan")}, "confidence=nan must lie in (0, 1)"),
        ({"seed": -1}, "seed=-1 is not an integer in [0, 2**63)"),
        ({"batch": 0}, "batch=0 must be a whole number of at least 1"),
        ({"batch": 1.5}, "batch=1.5 must be a whole number"),
        ({"workers": 0}, "workers=0 must be at least 1"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        simulate(NET, get_method("dropout", 0.5), X, **options)


def test_bad_inputs_and_plans_are_named():
    with pytest.raises(InputError, match="inputs have 3 features but the network takes 7"):
        simulate(NET, get_method("dropout", 0.5), X[:, :3])
    bad = X.copy()
    bad[1, 2] = np.nan
    with pytest.raises(InputError, match=re.escape("inputs[1, 2] is nan")):
        simulate(NET, get_method("dropout", 0.5), bad)
    with pytest.raises(InputError, match="2 methods for 3 layers"):
        simulate(NET, [None, None], X)


def test_memory_is_bounded_by_blocks_of_inputs_not_by_their_number(monkeypatch):
    """60,000 inputs: all layers of all inputs would take over 600 MB; scaled down tenfold together with the chunk."""
    cut_into(monkeypatch, 256, keep=False)
    network = Network.random([64, *[128] * 10, 10], seed=0)
    x = np.random.default_rng(0).normal(size=(6000, 64))
    method = get_method("dropout", 0.5)
    simulate(network, method, x[:10], trials=1, workers=1)
    tracemalloc.start()
    simulate(network, method, x, trials=1, workers=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 2**20  # all layers kept would be 6000 × 128 × 8 bytes × 22 arrays = 135 MB
