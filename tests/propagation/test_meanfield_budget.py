"""Budgets that a depth needs: the inverse of mean field, and the bounds in closed form."""

from __future__ import annotations

import math

import pytest

from approxmm.errors import InputError, NotAvailableError
from approxmm.methods import get_method
from approxmm.propagation import Ensemble, budget_for_depth, draws_for_depth, mean_field


@pytest.mark.parametrize("name", ["bernoulli", "with_replacement", "dropout"])
def test_smallest_budget(name):
    stack = Ensemble((200,) * 5)
    found = budget_for_depth(get_method(name), stack, 0.5)
    assert found.relative_error <= 0.5 < found.one_less
    again = mean_field(stack, get_method(name, found.count), sample_output=True)
    assert again.layers[-1].output.relative_error == found.relative_error
    assert found.exceeds_nodes == (name == "with_replacement")


def test_more_draws_than_nodes_beyond_the_depth_of_the_theorem():
    """E_L ≤ ε between the necessary and the sufficient number of draws; inputs rectified like all others."""
    width, target, method = 1000, 0.1, get_method("with_replacement")
    for depth in (4, 16, 64):
        draws = draws_for_depth(width, depth, target)
        # The first product sees Gaussian inputs: leave it exact, and sample `depth` products of rectified ones.
        plan = [None, *[get_method("with_replacement", math.floor(draws.necessary))] * depth]
        stack = Ensemble((width,) * (depth + 2))
        error = mean_field(stack, plan, gradients=False, correction=False).layers[-1].output.relative_error
        assert error > target
        plan = [None, *[get_method("with_replacement", math.ceil(draws.sufficient))] * depth]
        error = mean_field(stack, plan, gradients=False, correction=False).layers[-1].output.relative_error
        assert error <= target
        assert draws.necessary < draws.sufficient
        assert (draws.second_moment > width) == (depth > math.pi * target * width / (width - math.pi))
    assert draws_for_depth(width, 2, target).necessary > width  # 2 > 2π√0.1 does hold: 1.99
    assert budget_for_depth(method, Ensemble((width,) * 17), target).exceeds_nodes


def test_what_cannot_be_reached_is_said():
    stack = Ensemble((50,) * 4)
    with pytest.raises(NotAvailableError, match="ignores its budget"):
        budget_for_depth(get_method("correlation_tree"), stack, 0.1)
    with pytest.raises(InputError, match="target="):
        budget_for_depth(get_method("dropout"), stack, 0.0)
    with pytest.raises(InputError, match="depth=1"):
        draws_for_depth(100, 1, 0.1)
