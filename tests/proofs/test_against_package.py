"""Numbers from the proofs against the package: closed forms, enumeration, simulation. The two share no code."""

from __future__ import annotations

import importlib
import itertools
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from approxmm import proofs
from approxmm.activations import get_activation
from approxmm.activations import value as phi
from approxmm.hashing.laws import pair_retrieval, retrieval
from approxmm.hashing.transforms import make_transform, transform_items, transform_query
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.propagation import compounding, one_step_errors, ratio_for_depth, simulate
from approxmm.trees.correlation import build_data_trees, detect


def theorem_module(name: str):
    return importlib.import_module(f"{proofs.__name__}.{name}")


def test_the_law_is_the_theorem() -> None:
    theorem = theorem_module("error_compounds_geometrically")
    for text, depth in itertools.product(("1", "5", "7/2", "1/3"), (1, 2, 7, 30)):
        law = compounding(float(sp.Rational(text)), depth=depth)
        ratio = sp.Rational(Fraction(float(sp.Rational(text))))
        assert law.relative_to_estimate[-1] == float(theorem.relative_to_estimate(ratio, depth))
        assert law.relative_to_exact[-1] == float(theorem.relative_to_exact(ratio, depth))


def test_the_needed_ratio_is_the_converse() -> None:
    converse = theorem_module("depth_needs_a_larger_ratio")
    for error, depth in itertools.product((0.1, 0.5, 3.0), (1, 4, 12)):
        expected = float(converse.needed_ratio(sp.Rational(Fraction(error)), sp.Integer(depth)))
        assert ratio_for_depth(depth, error) == pytest.approx(expected, rel=1e-12)


def test_water_filling_is_the_proved_optimum() -> None:
    theorem = theorem_module("optimal_bernoulli_probabilities")
    for norms in ((1, 1, 1), (5, 1, 1), (9, 4, 1, 1), (1, 2, 3, 4, 5), (100, 50, 1, 1, 1)):
        for budget in range(1, len(norms) + 1):
            exact = tuple(Fraction(w) for w in norms)
            law = get_method("bernoulli", budget).moments_of(np.array(exact, dtype=object))
            # The variance of a scale is (1 − p)/p, so p = 1/(1 + variance).
            mine = [1 / (1 + v) for v in law.diagonal]
            assert mine == theorem.water_filled(exact, budget)


@pytest.mark.parametrize(("bits", "tables"), [(1, 1), (6, 5), (9, 50)])
def test_retrieval_probabilities_are_the_proved_ones(bits: int, tables: int) -> None:
    theorem = theorem_module("lsh_retrieval_probabilities")
    theta = np.array([0.3, 1.2])
    between = 1.0
    agree = [(1 - sp.Float(t, 60) / sp.pi.n(60)) ** bits for t in theta]
    joint = (1 - (sp.Float(theta[0], 60) + sp.Float(theta[1], 60) + between) / (2 * sp.pi.n(60))) ** bits
    single = retrieval(theta, bits, tables)
    for mine, bucket in zip(single, agree, strict=True):
        assert mine == pytest.approx(float(theorem.retrieved(bucket, tables)), rel=1e-12)
    pairs = pair_retrieval(theta, np.array([[0.0, between], [between, 0.0]]), bits, tables)
    assert pairs[0, 1] == pytest.approx(float(theorem.both_retrieved(*agree, joint, tables)), rel=1e-11)


def test_growth_factors_of_wide_layers_in_simulation() -> None:
    """E‖ẑ‖²/E‖z‖² of one He layer is the proved growth factor, to sampling and finite-width error.

    Width 1500 and 400 inputs make the one-step error's own spread about 1 %, so 5 % is beyond 5 standard deviations.
    """
    growth = theorem_module("growth_factors_of_wide_relu_layers")
    n, draws = 1500, 300
    network = Network.random([n, n, n], seed=4)
    x = np.random.default_rng(4).standard_normal((400, n))
    for probabilities, factor in (("uniform", growth.growth_uniform), ("optimal", growth.growth_norm_optimal)):
        method = get_method("with_replacement", draws, probabilities=probabilities)
        step = one_step_errors(network, [None, method], x)[1]
        assert 1 + step == pytest.approx(float(factor(sp.Integer(n), sp.Integer(draws))), rel=0.05)


def test_dropout_growth_in_simulation() -> None:
    """The factor 1/p, in one layer, within the simulation's own interval (level 1 − 1e-9)."""
    network = Network.random([60, 80, 10], activation="linear", seed=1)
    x = np.random.default_rng(1).standard_normal((5, 60))
    layer = simulate(network, get_method("dropout", 0.25), x, trials=4000, confidence=1 - 1e-9).layers[0]
    low, high = layer.output.ci95
    assert low <= 1 / 0.25 - 1 <= high


def test_relu_moments_against_quadrature_of_the_packages_relu() -> None:
    theorem = theorem_module("relu_moments_of_a_gaussian")
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    weights = weights / weights.sum()
    relu = get_activation("relu")
    for mean in (-1.5, 0.0, 0.7):
        values = np.array([phi(relu, mean + t) for t in nodes])
        m = sp.Float(mean, 30)
        # The kink costs the quadrature its exponential accuracy: 200 nodes give about three digits.
        assert weights @ values == pytest.approx(float(theorem.relu_mean(m).evalf()), abs=3e-3)
        assert weights @ values**2 == pytest.approx(float(theorem.relu_square(m).evalf()), abs=3e-3)


def test_the_counterexample_holds_for_the_packages_transforms() -> None:
    """Under the published pairing, the item with the smaller inner product has the smaller angle."""
    theorem = theorem_module("published_alsh_pairing_is_not_monotone")
    items = np.array([[float(v) for v in w] for w in theorem.find_counterexample()])
    query = np.zeros(items.shape[1])
    query[0] = 1.0
    inner = items @ query
    cosines = {}
    for name in ("l2_alsh", "simple_lsh"):
        transform = make_transform(name, U=0.83, m=3)
        rows, asked = transform_items(items, transform), transform_query(query, transform)
        cosines[name] = rows @ asked / np.linalg.norm(rows, axis=1) / np.linalg.norm(asked)
    assert inner[0] > inner[1]
    assert cosines["l2_alsh"][0] < cosines["l2_alsh"][1]
    assert cosines["simple_lsh"][0] > cosines["simple_lsh"][1]


def test_orthogonal_vectors_through_the_packages_trees() -> None:
    """The reduction, run on the package's own detection structure, finds what brute force finds."""
    theorem = theorem_module("orthogonal_vectors_reduce_to_detection")
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(40):
        left = [tuple(map(int, row)) for row in rng.integers(0, 2, (4, 5))]
        right = [tuple(map(int, row)) for row in rng.integers(0, 2, (6, 5))]
        trees = build_data_trees(np.array(left, dtype=float), -np.array(right, dtype=float))
        # ⟨u, v⟩ = 0 exactly where −⟨u, v⟩ exceeds −1/2.
        hit = any(detect(trees, i, -0.5).size for i in range(len(left)))
        assert hit == theorem.brute_force(left, right)
        found += hit
    assert 0 < found < 40
