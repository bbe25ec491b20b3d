"""The menus and the model that budgets are chosen by: exact where the laws are, monotone, with costs as declared."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from stacks import relu, stack

from approxmm.methods import get_method
from approxmm.propagation import one_step_errors
from approxmm.propagation.advice_menu import budgeted, make_menus
from approxmm.propagation.advice_model import BudgetModel


@pytest.mark.parametrize("name", ["with_replacement", "bernoulli", "without_replacement"])
def test_menu_is_exact_between_the_points_of_its_grid(name):
    network, x = stack((40, 30, 20))
    method = get_method(name, probabilities="uniform")
    menus, lawful = make_menus(network, (method, None), x, 1, None, lambda done, total: None)
    assert lawful
    (menu,) = menus
    steps = [one_step_errors(network, budgeted((method, None), (int(c), None)), x)[0] for c in menu.counts]
    np.testing.assert_array_equal(menu.counts, np.arange(1, 41))
    np.testing.assert_allclose(menu.errors, steps, rtol=1e-9, atol=1e-14)
    assert (menu.inverse is not None) == (name == "with_replacement")
    assert menu.accepts(80) == (name == "with_replacement")


@pytest.mark.parametrize("name", ["bernoulli", "winner_take_all", "top_k", "oracle_active"])
def test_menus_fall_and_follow_the_law(name):
    network, x = relu(24, 2)
    menus, _ = make_menus(network, (get_method(name), None), x, 1, None, lambda done, total: None)
    menu = menus[0]
    assert (np.diff(menu.errors) <= 0).all()
    steps = [one_step_errors(network, budgeted((menu.method, None), (c, None)), x)[0] for c in (1, 3, 12, 24)]
    np.testing.assert_allclose(menu.errors[[0, 2, 11, 23]], steps, rtol=0.2, atol=2e-2 * steps[0])


def model_of(method, network, x, *, upkeep=False, batch=1):
    plan = (method,) * network.depth
    menus, _ = make_menus(network, plan, x, batch, None, lambda done, total: None)
    return BudgetModel(network, plan, tuple(menus), batch, upkeep, True, np.ones(network.depth))


def test_model_is_monotone_and_the_two_questions_are_inverse():
    network, x = relu(30, 3)
    model = model_of(get_method("bernoulli"), network, x)
    errors = np.geomspace(1e-3, 50.0, 15)
    costs = [model.counted(model.cost(model.cheapest(error))) for error in errors]
    assert all(later <= earlier for earlier, later in itertools.pairwise(costs))
    for error, cost in zip(errors, costs, strict=True):
        assert model.error(model.cheapest(error)) <= error * (1 + 1e-9)
        assert model.error(model.most_accurate(cost)) <= error * (1 + 1e-9)
    share = model.largest_share(0.5)
    assert model.counted(model.cost(model.equal(share))) <= 0.5
    assert model.counted(model.cost(model.equal(share + 1 / 30))) > 0.5


def test_upkeep_is_counted_if_asked_for():
    network, x = relu(30, 3)
    inference = model_of(get_method("bernoulli"), network, x)
    training = model_of(get_method("bernoulli"), network, x, upkeep=True)
    counts = inference.equal(0.5)
    cost = inference.cost(counts)
    assert training.counted(cost) == pytest.approx(inference.counted(cost) + cost.upkeep)
    assert cost.upkeep == pytest.approx(1.0)
    assert training.largest_share(1.0, strictly=True) is None  # norms cost as much as the products of one example
    np.testing.assert_allclose(training.fractions(counts), np.array(inference.fractions(counts)) + 1.0)
    shared = model_of(get_method("bernoulli"), network, x, upkeep=True, batch=4)
    assert shared.cost(counts).upkeep == pytest.approx(0.25)  # one upkeep for four examples
    assert shared.largest_share(1.0, strictly=True) > 0.5
