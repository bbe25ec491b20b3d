from __future__ import annotations

import numpy as np
import pytest
from broken_twins import TREE_TWINS

from approxmm.errors import InputError
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.propagation import simulate
from approxmm.random import make_key
from approxmm.testing.checks import check_draws, draws_by, selected
from approxmm.trees import build_data_trees, detect

METHOD = get_method("correlation_tree", threshold=1.0)
SIDES = [np.array([1.0, 2.0, 0.5, 1.5, 3.0]), np.array([0.0, 1.0, 1.0, 0.0, 1.0]), np.array([2.0, 2.0, 2.0, 2.0, 2.0])]


@pytest.mark.parametrize("threshold", [0.0, 0.7, -0.3])
@pytest.mark.parametrize("nodes", [1, 2, 3, 7, 64, 65])
def test_exactly_the_nodes_above_the_threshold(nodes, threshold):
    rng, weights = np.random.default_rng(nodes), np.ones((2, nodes))
    for _ in range(20):
        z = rng.choice([threshold, *rng.standard_normal(5)], nodes)
        index, scale = selected(get_method("correlation_tree", threshold=threshold), weights, z, make_key(0))
        np.testing.assert_array_equal(index, np.flatnonzero(z > threshold))
        np.testing.assert_array_equal(scale, 1.0)


def test_default_threshold_and_the_trees_of_a_fixed_data_set_agree():
    rng = np.random.default_rng(0)
    points, weights = rng.standard_normal((6, 40)) / 40**0.5, rng.standard_normal((40, 100))
    trees, method = build_data_trees(points, weights.T), get_method("correlation_tree")
    assert method.firing_threshold(100) == pytest.approx((0.4 * np.log(100)) ** 0.5)
    for i in range(6):
        index, _ = selected(method, weights, trees.nodes[i, :100], make_key(0))
        np.testing.assert_array_equal(index, detect(trees, i, method.firing_threshold(100)))


@pytest.mark.parametrize("depth", [1, 4, 8])
def test_no_error_at_any_depth_where_only_what_fires_counts(depth):
    network = Network.random([10, *[30] * depth, 3], bias_std=0.2, seed=1)
    inputs = np.random.default_rng(1).standard_normal((5, 10))
    profile = simulate(network, get_method("correlation_tree", threshold=0.0), inputs)
    assert all(layer.output.relative_error == 0.0 for layer in profile.layers)
    lossy = simulate(network, get_method("correlation_tree", threshold=0.5), inputs)
    assert lossy.layers[0].output.relative_error > 0.0


def _all_sides_are_right(select):
    for z in SIDES:
        check_draws(METHOD, np.ones((2, 5)), z, draws_by(select), trials=2)


@pytest.mark.parametrize("name", TREE_TWINS)
def test_broken_tree_is_rejected(name):
    with pytest.raises(AssertionError):
        _all_sides_are_right(TREE_TWINS[name])


def test_bad_threshold_is_named():
    with pytest.raises(InputError, match="threshold=nan must be finite"):
        get_method("correlation_tree", threshold=float("nan"))
