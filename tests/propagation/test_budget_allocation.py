"""Cheapest choices against brute force, the closed form against its optimality conditions and SciPy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from approxmm.errors import InputError
from approxmm.propagation import advice_allocation
from approxmm.propagation.advice_allocation import allocate, inverse_law_budgets

options = st.lists(
    st.tuples(st.integers(0, 30), st.one_of(st.floats(0.0, 1.0), st.just(math.inf))), min_size=1, max_size=7
)


def brute_force(costs, weights, limit):
    """Return the least cost among all choices, infinite if none is allowed."""
    best = math.inf
    for choice in itertools.product(*[range(len(cost)) for cost in costs]):
        if sum(weight[j] for weight, j in zip(weights, choice, strict=True)) <= limit:
            best = min(best, sum(cost[j] for cost, j in zip(costs, choice, strict=True)))
    return best


def split(menus):
    return [np.array([float(c) for c, _ in menu]) for menu in menus], [np.array([w for _, w in menu]) for menu in menus]


@given(st.lists(options, min_size=1, max_size=4), st.floats(0.0, 3.0))
def test_choice_is_the_cheapest(menus, limit):
    costs, weights = split(menus)
    best, found = brute_force(costs, weights, limit + 1e-12), allocate(costs, weights, limit)
    if found is None:
        assert best == math.inf
        return
    assert found.proven
    assert found.cost == best
    assert found.bound <= best * (1 + 1e-9) + 1e-12
    assert found.weight <= limit + 1e-11
    assert found.cost == sum(cost[j] for cost, j in zip(costs, found.choice, strict=True))


def steepest_first(costs, weights, limit):
    """Take the step that saves most weight for its cost until the limit is met: right for divisible goods only."""
    choice = [0] * len(costs)
    while sum(weight[j] for weight, j in zip(weights, choice, strict=True)) > limit:
        gains = [
            (weight[j] - weight[j + 1]) / (cost[j + 1] - cost[j]) if j + 1 < len(cost) else -1.0
            for cost, weight, j in zip(costs, weights, choice, strict=True)
        ]
        choice[int(np.argmax(gains))] += 1
    return sum(cost[j] for cost, j in zip(costs, choice, strict=True))


def test_brute_force_rejects_the_greedy_choice():
    costs, weights = split([[(0, 1.0), (10, 0.0)], [(0, 0.6), (7, 0.0)]])
    assert allocate(costs, weights, 1.0).cost == brute_force(costs, weights, 1.0) == 7.0
    assert steepest_first(costs, weights, 1.0) == 10.0


def test_thinned_search_is_allowed_and_says_so(monkeypatch):
    rng = np.random.default_rng(0)
    costs = [rng.integers(1, 1000, 40).astype(float) for _ in range(5)]
    weights = [rng.random(40) for _ in range(5)]
    best = allocate(costs, weights, 1.0)
    monkeypatch.setattr(advice_allocation, "_MOST_STATES", 2)
    thinned = allocate(costs, weights, 1.0)
    assert best.proven
    assert not thinned.proven
    assert thinned.weight <= 1.0
    assert thinned.bound <= best.cost <= thinned.cost
    assert thinned.bound == best.bound


def test_larger_limit_is_never_dearer():
    rng = np.random.default_rng(1)
    costs = [np.arange(1.0, 30.0)] * 4
    weights = [np.log1p(alpha / np.arange(1.0, 30.0)) for alpha in rng.lognormal(1.0, 1.0, 4)]
    found = [allocate(costs, weights, limit) for limit in np.linspace(0.1, 6.0, 40)]
    paid = [math.inf if choice is None else choice.cost for choice in found]
    assert paid[0] == math.inf
    assert all(later <= earlier for earlier, later in itertools.pairwise(paid))
    assert paid[-1] < 30.0


positive = st.floats(1e-3, 1e3)


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=6), st.floats(1e-4, 1e3))
def test_closed_form_is_stationary_and_tight(pairs, target):
    alpha, gamma = (np.array(column) for column in zip(*pairs, strict=True))
    c = inverse_law_budgets(alpha, gamma, target)
    assert np.log1p(alpha / c).sum() == pytest.approx(math.log1p(target), rel=1e-9)
    price = gamma * c * (c + alpha) / alpha  # Karush–Kuhn–Tucker: one price for all layers
    np.testing.assert_allclose(price, price[0], rtol=1e-9)


def test_first_order_budgets_are_rejected():
    """The additive solution Σ α_k/c_k = ε violates Π(1 + α_k/c_k) − 1 = ε as soon as ε is not small."""
    alpha, gamma, target = np.array([3.0, 10.0, 1.0]), np.ones(3), 1.0
    additive = np.sqrt(alpha / gamma) * np.sqrt(alpha * gamma).sum() / target
    assert np.expm1(np.log1p(alpha / additive).sum()) > 1.3 * target
    small = 1e-5
    np.testing.assert_allclose(inverse_law_budgets(alpha, gamma, small), additive * target / small, rtol=1e-4)


@pytest.mark.parametrize("target", [0.1, 2.0])
def test_closed_form_against_scipy(target):
    rng = np.random.default_rng(5)
    alpha, gamma = rng.lognormal(2.0, 1.0, 4), rng.lognormal(0.0, 1.0, 4)
    c = inverse_law_budgets(alpha, gamma, target)
    scale = alpha.sum() / target
    found = minimize(
        lambda u: gamma @ np.exp(u) * scale,
        np.zeros(4),
        constraints={
            "type": "eq",
            "fun": lambda u: np.log1p(alpha / (scale * np.exp(u))).sum() - math.log1p(target),
        },
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert found.success
    np.testing.assert_allclose(scale * np.exp(found.x), c, rtol=1e-4)
    assert gamma @ c <= found.fun * (1 + 1e-9)


def test_integers_cost_no_less_than_the_closed_form():
    rng = np.random.default_rng(6)
    alpha, gamma, target = rng.lognormal(2.0, 1.0, 3), np.array([3.0, 5.0, 7.0]), 1.5
    counts = np.arange(1.0, 200.0)
    found = allocate([g * counts for g in gamma], [np.log1p(a / counts) for a in alpha], math.log1p(target))
    real = inverse_law_budgets(alpha, gamma, target)
    assert gamma @ real <= found.bound * (1 + 1e-9) <= found.cost * (1 + 1e-9) <= gamma @ np.ceil(real) * (1 + 1e-9)


def test_layers_without_error_get_no_budget():
    np.testing.assert_array_equal(inverse_law_budgets(np.zeros(2), np.ones(2), 0.1), [0.0, 0.0])
    one = inverse_law_budgets(np.array([2.0, 0.0]), np.ones(2), 0.5)
    np.testing.assert_allclose(one, [4.0, 0.0])
    with pytest.raises(InputError, match="target=0"):
        inverse_law_budgets(np.ones(2), np.ones(2), 0.0)
