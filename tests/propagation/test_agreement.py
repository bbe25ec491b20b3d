"""Exact moments and simulation agree over a grid of methods, widths, budgets, depths, biases, mixtures and seeds.

Each case is an independent run (a seed of its own); its statistic is the last layer's relative error, in units of
its own standard error over trials. Four assertions, each with a false-alarm rate of 1e-9, so at most 4e-9 in all: no
case lies outside its t interval at 1e-9 divided by the number of cases; the cases outside their 99.9 % interval are no
more than a binomial of that rate gives; all deviations together have the mean, and the spread, of standard normals. The
levels are those of Student's t, which is exact for normal means only: 4000 trials of four inputs, budgets of at
least a half and at most three layers keep the means near normal, and the test of all deviations sees whether
they are. Seeds are fixed: the suite passes always or never.
"""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from method_cases import OPTIONS
from scipy import stats

from approxmm.methods import ImportanceLaw, available_methods, get_method
from approxmm.network import Network
from approxmm.propagation.moments import exact_moments
from approxmm.propagation.onestep import one_step_errors
from approxmm.propagation.simulate import simulate

TRIALS, ALARM = 4000, 1e-9


def _plan(method, depth):
    """A law that reads the data stands in the one layer whose input is not random; blind ones stand everywhere."""
    if method.claims.reads == "nothing":
        return [method] * depth
    blind = get_method("dropout", 0.75)
    return (
        [method, *[blind] * (depth - 1)] if zlib.crc32(repr(method).encode()) % 2 else [*[None] * (depth - 1), method]
    )


def _grid():
    for name in available_methods():
        for options in OPTIONS.get(name, [{}]):
            for budget in (0.5, 0.75, 7):
                method = get_method(name, budget, **options)
                if method.claims.deterministic or not isinstance(method, ImportanceLaw):
                    continue
                for depth in (1, 2, 3):
                    for bias_std in (0.0, 0.5):
                        yield _plan(method, depth), bias_std


def _mixtures(count):
    """Methods, budgets and widths that differ by layer, some layers exact; all of the laws blind to the data."""
    blind = [
        method for plan, _ in _grid() for method in plan if method is not None and method.claims.reads == "nothing"
    ]
    blind = [*dict.fromkeys(blind), None]
    rng = np.random.default_rng(12)
    for i in range(count):
        yield [blind[j] for j in rng.integers(0, len(blind), 2 + i % 2)], 0.5 * (i // 2 % 2)


CASES = [*_grid(), *(case for case in _mixtures(40) if any(case[0]))]


def _deviation(case):
    """Return (simulated − exact) / standard error for one case, beyond rounding.

    Rounding matters where nothing is random: a dropout mask of 0 or 2 has the squared error 1 either way.
    """
    plan, bias_std = case
    seed = zlib.crc32(repr(([method and method.describe() for method in plan], bias_std)).encode())
    rng = np.random.default_rng(seed)
    widths = rng.integers(8, 14, len(plan) + 1)
    network = Network.random(widths, activation="linear", init="lecun", bias_std=bias_std, seed=seed)
    x = rng.normal(size=(4, widths[0]))
    exact = exact_moments(network, plan, x).relative_error[-1]
    run = simulate(network, plan, x, trials=TRIALS, seed=seed, confidence=0.999, workers=1).layers[-1].output
    half, difference = (run.ci95[1] - run.ci95[0]) / 2, run.relative_error - exact
    if abs(difference) <= 1e-12 * exact:
        return 0.0
    return difference / (half / stats.t.ppf(0.9995, TRIALS - 1))


@pytest.fixture(scope="module")
def deviations():
    return np.array([_deviation(case) for case in CASES])


def test_grid_is_large_enough():
    assert len(CASES) >= 200


def test_no_case_lies_outside_its_corrected_interval(deviations):
    limit = stats.t.isf(ALARM / len(CASES) / 2, TRIALS - 1)
    worst = int(np.abs(deviations).argmax())
    assert abs(deviations[worst]) <= limit, CASES[worst]


def test_misses_at_99_9_percent_are_as_many_as_chance_gives(deviations):
    misses = int((np.abs(deviations) > stats.t.ppf(0.9995, TRIALS - 1)).sum())
    assert stats.binom.sf(misses - 1, len(CASES), 0.001) > ALARM


def test_deviations_as_a_whole_are_those_of_a_standard_normal(deviations):
    """Sharper than single cases: a small common error would move the mean or the spread (1e-9 each, two-sided)."""
    z = stats.norm.isf(ALARM / 2)
    assert abs(deviations.mean()) * np.sqrt(len(CASES)) < z
    tail = stats.chi2.cdf((deviations**2).sum(), len(CASES))
    assert ALARM / 2 < tail < 1 - ALARM / 2


def test_grid_notices_a_wrong_law():
    """A broken twin: moments at a budget 5 % too large must leave the interval."""
    network = Network.random([10, 10, 10], activation="linear", init="lecun", seed=1)
    x = np.random.default_rng(1).normal(size=(4, 10))
    wrong = exact_moments(network, get_method("dropout", 0.525), x, sample_output=True).relative_error[-1]
    run = simulate(network, get_method("dropout", 0.5), x, trials=TRIALS, sample_output=True, confidence=1 - 1e-9)
    low, high = run.layers[-1].output.ci95
    assert not low <= wrong <= high


@pytest.mark.parametrize("batch", [2, 5])
@pytest.mark.parametrize("probabilities", ["optimal", "weights", "uniform"])
@pytest.mark.parametrize("name", ["with_replacement", "bernoulli"])
def test_minibatches_agree_with_their_exact_one_step_error(name, probabilities, batch):
    """One layer, pairs drawn once a minibatch (the last one smaller); t interval at 1e-9 each, 8000 trials."""
    network = Network.random([9, 6], init="lecun", seed=3)
    x = np.random.default_rng(3).normal(size=(7, 9))
    method = get_method(name, 0.5, probabilities=probabilities)
    exact = one_step_errors(network, method, x, sample_output=True, batch=batch)[0]
    run = simulate(network, method, x, trials=8000, seed=6, sample_output=True, batch=batch, confidence=1 - ALARM)
    low, high = run.layers[0].pre_activation.ci95
    assert low <= exact <= high
    assert (high - low) / exact < 0.2
