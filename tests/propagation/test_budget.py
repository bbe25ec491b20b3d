"""Advice on budgets: optimal on tiny stacks, verified by simulation, honest where nothing pays."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from stacks import relu, stack

from approxmm.errors import InputError, NotAvailableError
from approxmm.methods import Budget, get_method
from approxmm.methods.dropout import Dropout
from approxmm.network import Network
from approxmm.propagation import ENGINES, Task, advise, exact_moments, one_step_errors, propagate, simulate
from approxmm.propagation.advice_menu import budgeted
from approxmm.propagation.engines import _prediction

DRAWS = get_method("with_replacement", probabilities="weights")
DROPOUT = get_method("dropout")


@dataclass(frozen=True)
class NoLaw(Dropout):
    """Dropout that does not tell its moments."""

    def scale_moments(self, x, weights):
        raise NotAvailableError("no closed form")

    marginal_moments = scale_moments


def counted(network, plan):
    costs = [W.size if m is None else m.cost(1, *W.shape) for W, m in zip(network.weights, plan, strict=True)]
    paid = sum(c if isinstance(c, (int, float)) else c.product + c.selection for c in costs)
    return paid / sum(W.size for W in network.weights)


def true_optimum(network, method, x, target):
    """Return the least cost of all integer budgets whose exact error is at most `target`."""
    sizes = [method.side_length(W) for W in network.weights]
    best = math.inf
    for counts in itertools.product(*[[None, *range(1, size + 1)] for size in sizes]):
        plan = budgeted((method,) * len(sizes), counts)
        if counted(network, plan) < best and exact_moments(network, plan, x).relative_error[-1] <= target:
            best = counted(network, plan)
    return best


@pytest.mark.parametrize(("method", "seed"), [(DRAWS, 1), (DRAWS, 5), (DROPOUT, 2), (DROPOUT, 1)])
def test_nearly_the_true_optimum_of_a_tiny_linear_stack(method, seed):
    """The model's choice is never below the optimum of all integer budgets, and within 3 % of it."""
    network, x = stack(seed=seed, bias_std=0.2)
    advice = advise(network, method, x, target=0.5, sample_output=True, precision=0.1, trials=100)
    best = true_optimum(network, method, x, 0.5)
    assert advice.engine == "exact"
    assert exact_moments(network, advice.unequal.methods, x).relative_error[-1] <= 0.5
    assert advice.unequal.counted == pytest.approx(counted(network, advice.unequal.methods), rel=1e-12)
    assert best * (1 - 1e-12) <= advice.unequal.counted <= 1.03 * best
    assert advice.unequal.bound <= advice.unequal.counted


def test_nothing_pays_with_draws_in_a_deep_stack():
    network, x = relu()
    advice = advise(network, DRAWS, x, target=0.05, sample_output=True, trials=40, precision=0.1)
    assert advice.equal is None
    assert advice.draws > 4
    assert advice.unequal.counts == (None,) * 4
    assert (advice.unequal.error, advice.unequal.counted, advice.pays) == (0.0, 1.0, False)
    assert advice.depths.paying_depth(0.05) == 0
    text = " ".join(advice.statements)
    assert "No equal budget of up to 4 draws a pair reaches an error of 0.05" in text
    assert "leave the products exact" in text
    assert "does not pay at any depth" in text


@pytest.fixture(scope="module")
def relu_advice():
    network, x = relu()
    seen = set()
    advice = advise(
        network,
        DROPOUT,
        x,
        target=0.5,
        trials=60,
        precision=0.1,
        seed=3,
        workers=1,
        progress=lambda done, total, what: seen.add(what),
    )
    return network, x, advice, seen


def test_what_is_printed_is_what_simulate_gives(relu_advice):
    network, x, advice, _ = relu_advice
    assert advice.engine == "onestep"
    for plan in (advice.equal, advice.unequal):
        again = simulate(network, plan.methods, x, trials=60, precision=0.1, seed=3)
        assert again.relative_error[-1] == plan.error
        assert again.layers[-1].output.ci95 == plan.interval
        assert plan.interval[0] <= 0.5
        assert plan.interval[1] - plan.interval[0] <= 2 * 0.1 * plan.error * (1 + 1e-9)
        task = Task(network, plan.methods, x, False, {})
        predicted = propagate(task, "onestep")[0]["onestep"]
        assert predicted.relative_error[-1] == plan.predicted.relative_error[-1]
        assert plan.counted == pytest.approx(counted(network, plan.methods), rel=1e-12)
        assert plan.counts[-1] is None
    assert advice.unequal.counted <= advice.equal.counted
    assert len(set(advice.equal.counts[:-1])) == 1


def test_depth_is_that_of_the_simulation_at_the_exact_cost(relu_advice):
    network, x, advice, _ = relu_advice
    largest = advice.depths.largest
    assert largest.counted < 1.0
    assert largest.counts == (39, 39, 39, None)
    assert advice.depths.paying_depth(0.5) == 4
    tight = float(largest.simulated.relative_error[1])
    assert advice.depths.paying_depth(tight * 0.999) == 1
    needed = advice.depths.share_needed(0.5)
    at_need = [one_step_errors(network, replace(DROPOUT, budget=Budget(float(share))), x)[0] for share in needed[:1]]
    assert at_need[0] == pytest.approx(0.5, rel=0.1)  # interpolated between budgets


def test_advice_depends_on_the_seed_alone(relu_advice):
    network, x, advice, _ = relu_advice
    again = advise(network, DROPOUT, x, target=0.5, trials=60, precision=0.1, seed=3, workers=2)
    first, second = advice.to_dict(), again.to_dict()
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_tables_figures_and_words(relu_advice):
    _, _, advice, seen = relu_advice
    json.dumps(advice.to_dict(), allow_nan=False)
    table = advice.to_pandas()
    assert list(table.index) == [1, 2, 3, 4]
    assert table.loc[1, "equal_budget"] == advice.equal.counts[0]
    assert table.loc[2, "equal_share"] == advice.equal.counts[1] / 40
    assert math.isnan(table.loc[4, "equal_budget"])
    assert table.loc[4, "equal_cost"] == 1.0
    figure = advice.plot()
    assert len(figure.axes) == 2
    assert str(advice.equal.counts[0]) in str(advice)
    assert f"{advice.equal.error:.4g}" in str(advice)
    assert "<table" in advice._repr_html_()
    assert {"errors of single layers", "gains of layers", "errors by depth", "verifying"} <= seen


def test_simulation_corrects_an_engine_that_is_wrong(monkeypatch):
    """A predictor that sees a tenth of the error is found out; any engine of the table can be asked for."""

    def optimist(task):
        profile = _prediction(task)
        layers = [
            replace(layer, output=replace(layer.output, relative_error=layer.output.relative_error / 10))
            for layer in profile.layers
        ]
        return replace(profile, layers=tuple(layers))

    monkeypatch.setitem(ENGINES, "optimist", optimist)
    network, x = stack((40, 40, 40, 40), seed=4)
    advice = advise(network, DROPOUT, x, target=0.4, engine="optimist", trials=100, precision=0.05)
    assert advice.engine == "optimist"
    for plan in (advice.equal, advice.unequal):
        assert plan.corrected
        assert plan.interval[0] <= 0.4
        assert plan.error >= 0.25  # and no more than the corrected budgets cost is spent
        assert plan.predicted.relative_error[-1] < 0.1


def test_law_without_moments_is_searched_by_simulation():
    network, x = stack((24, 24, 24, 24), seed=1)
    known = advise(network, DROPOUT, x, target=0.6, trials=100, precision=0.1)
    blind = advise(network, NoLaw(0.1), x, target=0.6, trials=100, precision=0.1)
    assert (known.engine, blind.engine) == ("exact", "simulate")
    assert blind.equal.interval[0] <= 0.6
    assert blind.equal.counts[0] == pytest.approx(known.equal.counts[0], abs=1)
    assert blind.unequal.counted == pytest.approx(known.unequal.counted, rel=0.05)
    np.testing.assert_array_equal(blind.gains, 1.0)


def test_error_for_a_cost():
    network, x = relu()
    advice = advise(network, DROPOUT, x, cost=0.8, trials=60, precision=0.1)
    for plan in (advice.equal, advice.unequal):
        assert plan.counted <= 0.8
    assert advice.unequal.error <= advice.equal.error
    assert advice.target is None
    assert len(advice.plot().axes) == 1
    json.dumps(advice.to_dict(), allow_nan=False)
    cheap = advise(network, DROPOUT, x, cost=0.01, trials=10)  # the last layer alone is dearer
    assert cheap.equal is None
    assert cheap.unequal is None
    assert "No budgets cost as little as 0.01" in str(cheap)


def test_methods_by_layer_keep_exact_layers_exact():
    network, x = relu()
    advice = advise(network, [None, DROPOUT, None, DROPOUT], x, target=0.5, trials=40, precision=0.1)
    for plan in (advice.equal, advice.unequal):
        assert plan.counts[0] is None
        assert plan.counts[2] is None
    assert advice.sizes == (None, 40, None, 40)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target": 0.0}, "target=0.0 must be positive"),
        ({"target": -1.0}, "target=-1.0 must be positive"),
        ({"target": math.nan}, "target=nan must be positive"),
        ({"target": math.inf}, "target=inf must be positive"),
        ({}, "give one of them"),
        ({"target": 0.1, "cost": 0.5}, "give one of them"),
        ({"cost": 0.0}, "cost=0.0 must lie in"),
        ({"cost": 1.5}, "cost=1.5 must lie in"),
        ({"target": 0.1, "precision": 0.0}, "precision=0.0 must lie in"),
        ({"target": 0.1, "engine": "magic"}, "engine='magic' is unknown"),
        ({"target": 0.1, "method": get_method("exact")}, "has no budget to choose"),
        ({"target": 0.1, "method": [None] * 4}, "no layer is sampled"),
        ({"target": 0.1, "trials": 0}, "trials=0"),
        ({"target": 0.1, "batch": 0}, "batch=0"),
        ({"target": 0.1, "seed": -1}, "seed=-1"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    network, x = relu()
    method = arguments.pop("method", DROPOUT)
    with pytest.raises(InputError, match=words):
        advise(network, method, x, **arguments)


def test_engine_that_does_not_apply_says_so():
    network, x = relu()
    with pytest.raises(NotAvailableError, match="activation='relu'"):
        advise(network, DROPOUT, x, target=0.1, engine="exact")


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.35, 0.5, 1.0, 2.0, 4.0])
def test_draws_stop_to_pay_between_two_depths_in_relu_stacks(target):
    """Norm-optimal draws, as many as nodes, in ReLU stacks after He: the second moment grows by g = 1 + 1/π a layer.

    As ⟨ŷ, y⟩ is on average at least ‖y‖², the error is at most g^L − 1, and by the triangle inequality at least
    (g^{L/2} − 1)²: so draws pay up to a depth between ln(1 + ε)/ln g and 2 ln(1 + √ε)/ln g. With c draws a layer,
    g = 1 + n/(πc), and the same bounds say how many draws a given depth needs. All of them are of wide networks.
    """
    width, depth = 400, 9
    network = Network.random([width] * (depth + 1), seed=11)
    x = np.maximum(np.random.default_rng(11).normal(size=(6, width)), 0.0)
    method = get_method("with_replacement")
    advice = advise(network, method, x, target=target, sample_output=True, trials=100, precision=0.05)
    log_growth = math.log1p(1.0 / math.pi)
    certain, possible = math.log1p(target) / log_growth, 2.0 * math.log1p(math.sqrt(target)) / log_growth
    paying = advice.depths.paying_depth(target)
    assert math.floor(certain) - 1 <= paying <= possible + 1
    assert paying < depth
    assert advice.draws > 1.0
    assert advice.equal is None or advice.equal.counted >= 1.0
    fewest = 1.0 / math.pi / math.expm1(2.0 * math.log1p(math.sqrt(target)) / depth)
    enough = 1.0 / math.pi / math.expm1(math.log1p(target) / depth)
    assert 0.95 * fewest <= advice.draws <= 1.05 * enough


@pytest.mark.parametrize(
    ("network", "x", "equal"),
    [
        (Network((np.eye(2), -np.eye(2), np.ones((2, 1))), None, "relu"), np.array([[1.0, 2.0]]), (1, 1, None)),
        (Network.random([4, 4, 4]), np.zeros((2, 4)), (1, None)),
        (Network.random([1, 1, 1], activation="linear"), np.ones((2, 1)), (1, None)),
    ],
    ids=["dead layer", "zero input", "one node"],
)
def test_degenerate_networks_get_an_answer(network, x, equal):
    advice = advise(network, DROPOUT, x, target=0.1, trials=10, precision=0.5)
    assert advice.equal.counts == equal
    assert advice.unequal.error == 0.0
    json.dumps(advice.to_dict(), allow_nan=False)
    advice.plot().canvas.draw()
