"""The formulas and programs that the proofs expose, against routes of their own."""

import importlib
import math
import random
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from approxmm import proofs


def module(name):
    return importlib.import_module(f"{proofs.__name__}.{name}")


law, converse = module("error_compounds_geometrically"), module("depth_needs_a_larger_ratio")
draws, growth = module("more_draws_than_nodes"), module("growth_factors_of_wide_relu_layers")
kernel, relu, direction = (
    module("arc_cosine_kernel"),
    module("relu_moments_of_a_gaussian"),
    module("direction_has_a_stable_fixed_point"),
)
lsh, angles = module("lsh_retrieval_probabilities"), module("signed_projections_collide_with_angle")
vectors, trees = module("orthogonal_vectors_reduce_to_detection"), module("correlation_trees_are_exact_and_cheap")
budgets, bernoulli = module("optimal_budgets_over_layers"), module("optimal_bernoulli_probabilities")


def test_the_published_values():
    values = [float(law.relative_to_estimate(sp.Integer(5), k)) for k in range(1, 8)]
    assert values == [0.2, 0.44, 0.728, 1.0736, 1.48832, 1.985984, 2.5831808]


def test_the_converse_inverts_the_law():
    ratio = converse.needed_ratio(sp.Rational(1, 2), sp.Integer(6))
    assert float(law.relative_to_estimate(ratio, 6)) == pytest.approx(0.5, rel=1e-12)
    assert float(converse.allowed_depth(sp.Rational(1, 2), ratio)) == pytest.approx(6, rel=1e-12)


def test_draws_by_iterating_the_map():
    """Needed and sufficient numbers of draws enclose the error of the mean-field recursion, iterated in floats."""
    n, depth, tolerance = 1000, 8, 0.5

    def error(c):
        g, rho = float(growth.growth_norm_optimal(n, c)), 1.0
        for layer in range(depth):
            rho = (math.sqrt(max(0, 1 - rho**2)) + rho * (math.pi - math.acos(min(1, rho)))) / math.pi / math.sqrt(g)
            size = g ** (layer + 1)
        return size - 2 * math.sqrt(size) * rho + 1

    arguments = (sp.Integer(n), sp.Integer(depth), sp.Rational(1, 2))
    assert error(float(draws.draws_for_error(*arguments)) * 0.999) > tolerance
    assert error(float(draws.draws_that_suffice(*arguments))) <= tolerance


def test_kernel_and_moments_by_sampling():
    """5-sigma bands on 4e5 samples: false alarms below 1e-6 for each."""
    rng = np.random.default_rng(7)
    u, v = rng.standard_normal((2, 400_000))
    rho = 0.6
    pair = np.maximum(u, 0) * np.maximum(rho * u + math.sqrt(1 - rho**2) * v, 0)
    assert abs(pair.mean() - float(kernel.kernel_of_correlation(sp.Rational(3, 5))) / 2) < 5 * pair.std() / 632
    shifted = np.maximum(u - 0.7, 0)
    assert abs(shifted.mean() - float(relu.relu_mean(sp.Rational(-7, 10)))) < 5 * shifted.std() / 632
    assert abs((shifted**2).mean() - float(relu.relu_square(sp.Rational(-7, 10)))) < 5 * (shifted**2).std() / 632


def test_fixed_point_of_the_direction():
    rho = float(direction.fixed_point(2.0))
    assert float(kernel.kernel_of_correlation(sp.Float(rho))) / math.sqrt(2) == pytest.approx(rho, abs=1e-12)


def test_joint_collisions_by_sampling():
    rng = np.random.default_rng(3)
    nodes = rng.standard_normal((3, 5))
    signs = np.sign(rng.standard_normal((200_000, 5)) @ nodes.T)
    unit = nodes / np.linalg.norm(nodes, axis=1, keepdims=True)
    theta = np.arccos(np.clip(unit @ unit.T, -1, 1))
    expected = float(angles.joint_collision(theta[0, 1], theta[0, 2], theta[1, 2]))
    found = (np.abs(signs.sum(axis=1)) == 3).mean()
    assert abs(found - expected) < 5 * math.sqrt(expected * (1 - expected) / 200_000)


def test_retrieval_of_one_node_twice_is_retrieval():
    s, tables = sp.Rational(1, 7), 4
    assert lsh.both_retrieved(s, s, s, tables) == lsh.retrieved(s, tables)


@pytest.mark.parametrize("seed", range(6))
def test_the_reduction_on_random_instances(seed):
    rng = random.Random(seed)
    for dimension in (4, 6, 9):
        share = rng.choice((0.4, 0.6, 0.8))
        left, right = (
            [tuple(int(rng.random() < share) for _ in range(dimension)) for _ in range(12)] for _ in range(2)
        )
        found = vectors.solve_orthogonal_vectors(left, right, vectors.TreeDetector(12, dimension + 1))
        assert (found is not None) == vectors.brute_force(left, right)
        if found:
            assert sum(a * b for a, b in zip(left[found[0]], right[found[1]], strict=True)) == 0


def test_trees_on_random_leaves():
    rng = random.Random(5)
    leaves = [rng.gauss(0, 1) for _ in range(256)]
    tree = trees.MaxTree(leaves)
    for _ in range(40):
        leaf, value, threshold = rng.randrange(256), rng.gauss(0, 1), rng.gauss(1, 0.5)
        leaves[leaf] = value
        assert tree.update(leaf, value) == 8
        wanted = [i for i, v in enumerate(leaves) if v > threshold]
        assert tree.above(threshold) == wanted
        assert tree.visited <= 1 + 2 * len(wanted) * 8
    with pytest.raises(ValueError, match="power of two, not 3"):
        trees.MaxTree([1.0, 2.0, 3.0])


def test_water_filling_is_exact():
    probabilities = bernoulli.water_filled((Fraction(8), Fraction(3), Fraction(2), Fraction(1)), 2)
    assert probabilities == [1, Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    assert bernoulli.water_filled((Fraction(1),) * 4, 4) == [1] * 4


def test_budgets_of_unequal_layers_meet_any_target():
    errors, prices = (4.0, 1.0, 0.5), (1.0, 2.0, 8.0)

    def spent(multiplier):
        chosen = [float(budgets.optimal_budget(e, w, multiplier)) for e, w in zip(errors, prices, strict=True)]
        return math.prod(1 + e / c for e, c in zip(errors, chosen, strict=True)) - 1, chosen

    low, high = 1e-3, 1e6
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if spent(middle)[0] > 0.3 else (low, middle)
    error, best = spent(high)
    cost = sum(w * c for w, c in zip(prices, best, strict=True))
    assert error == pytest.approx(0.3, rel=1e-6)
    for factors in ((1.1, 0.95), (0.9, 1.05)):
        other = [best[0] * factors[0], best[1] * factors[1]]
        rest = 1.3 / math.prod(1 + e / c for e, c in zip(errors[:2], other, strict=True)) - 1
        if rest > 0:
            assert sum(w * c for w, c in zip(prices, [*other, errors[2] / rest], strict=True)) > cost
