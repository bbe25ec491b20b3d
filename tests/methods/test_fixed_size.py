"""Sampling without replacement and winner-take-all: what their docstrings state, in rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from approxmm.methods import get_method
from approxmm.methods._pivotal import joint_inclusion
from approxmm.methods.bernoulli import keep_probabilities
from approxmm.network import Network
from approxmm.propagation import error_form, exact_moments, one_step_errors, simulate

positive = st.fractions(min_value=Fraction(1, 30), max_value=20, max_denominator=30)
# Rational unit vectors: the norms of their multiples are rational too.
DIRECTIONS = [(1, 0), (-1, 0), (0, 1), (Fraction(3, 5), Fraction(4, 5)), (Fraction(12, 13), Fraction(-5, 13))]
sides = st.lists(st.tuples(positive, st.sampled_from(DIRECTIONS)), min_size=2, max_size=6)


def split(side):
    """Return importances (n,) and terms (n, 2) of these norms, as exact arrays."""
    norms = np.array([w for w, _ in side], dtype=object)
    return norms, np.array([[w * Fraction(c) for c in direction] for w, direction in side], dtype=object)


def sure_set(norms, c):
    return keep_probabilities(norms, c) == 1


@given(sides, st.integers(1, 6))
def test_winner_take_all_is_never_worse_than_with_replacement(side, c):
    norms, terms = split(side)
    c = min(c, len(norms))
    winner, replaced = (
        get_method(name, c).moments_of(norms).squared_error(terms) for name in ("winner_take_all", "with_replacement")
    )
    assert winner <= replaced


@given(sides, st.integers(1, 6))
def test_sure_set_is_the_best_one_and_meets_the_theorem(side, c):
    norms, _ = split(side)
    c, total = min(c, len(norms)), norms.sum()
    sure = sure_set(norms, c)
    if sure.all():
        return
    ranked = sorted(norms, reverse=True)
    ratios = [(total - sum(ranked[:s])) / (c - s) for s in range(c)]
    assert norms[~sure].sum() / (c - int(sure.sum())) == min(ratios)
    assert norms[sure].sum() / total >= Fraction(int(sure.sum()), c)


def test_theorem_needs_its_condition():
    """One of four equal pairs kept surely with c = 3: P_C = 1/4 < 1/3, and terms exist for which that is worse."""
    _, terms = split([(1, DIRECTIONS[0])] * 2 + [(1, (Fraction(12, 13), Fraction(s * 5, 13))) for s in (1, -1)])
    rest, every = terms[1:].sum(axis=0), terms.sum(axis=0)
    assert (9 - rest @ rest) / Fraction(2) > (16 - every @ every) / Fraction(3)
    assert not sure_set(np.array([Fraction(1)] * 4, dtype=object), 3).any()


@given(sides, st.integers(1, 6), st.sampled_from(["optimal", "uniform"]))
def test_without_replacement_correlations_and_error_bound(side, k, probabilities):
    norms, terms = split(side)
    k = min(k, len(norms))
    law = get_method("without_replacement", k, probabilities=probabilities).moments_of(norms)
    covariance = law.covariance()
    assert all(covariance[i, j] <= 0 for i in range(k) for j in range(k) if i != j)
    # Their number is fixed: Σ_j π_j Cov(ξ_i, ξ_j) = 0.
    p = 1 / (1 + law.variance)
    assert sum(p) == k
    assert all(covariance @ p == 0)
    independent = sum((1 / q - 1) * (t @ t) for q, t in zip(p, terms, strict=True))
    assert law.squared_error(terms) <= 2 * independent


def test_uniform_without_replacement_has_the_textbook_covariance():
    law = get_method("without_replacement", 3, probabilities="uniform").moments_of(np.ones(8))
    np.testing.assert_allclose(law.variance, 8 / 3 - 1)
    np.testing.assert_allclose(law.covariance()[0, 1:], 8 / 3 * 2 / 7 - 1)


@pytest.mark.parametrize("seed", range(3))
def test_joint_inclusion_in_floats_is_the_exact_one(seed):
    """Rounding does not build up along the tournament, nor where partial sums are whole numbers."""
    w = np.random.default_rng(seed).integers(1, 40, 40)
    p = keep_probabilities(np.array([Fraction(int(v)) for v in w], dtype=object), 8)
    p = p[p < 1]
    np.testing.assert_allclose(joint_inclusion(p.astype(float)), joint_inclusion(p).astype(float), atol=1e-13)
    halves = joint_inclusion(np.full(4, 0.5))
    np.testing.assert_array_equal(halves[0], [0.5, 0.0, 0.25, 0.25])


@given(
    st.lists(st.fractions(min_value=0, max_value=20, max_denominator=30), min_size=1, max_size=6),
    st.fractions(Fraction(1, 10), Fraction(1), max_denominator=20),
    st.sampled_from([0.125, 0.5, 0.75]),
)
def test_mixture_keeps_its_count_and_its_floor(importance, fraction, mixture):
    n = len(importance)
    method = get_method("bernoulli", float(fraction), uniform_mixture=mixture)
    law = method.moments_of(np.array(importance, dtype=object))
    p = 1 / (1 + law.variance)
    expected = Fraction(method.budget.expected(n))
    assert sum(p) == expected
    assert all(q >= min(1, Fraction(mixture) * expected / n) for q in p)


def test_dense_covariance_reaches_the_propagation():
    """Recursion, adjoint form, one-step errors and simulation (its interval's level: 1e-9) agree on a linear stack."""
    network = Network.random([6, 8, 7], activation="linear", bias_std=0.2, seed=3)
    inputs = np.random.default_rng(1).normal(size=(5, 6))
    method = get_method("without_replacement", 0.5, probabilities="weights")
    profile = exact_moments(network, method, inputs, sample_output=True)
    form = error_form(network, method, sample_output=True)
    exact = ((network.layers(inputs)[1][-1]) ** 2).sum()
    assert profile.layers[-1].output.relative_error == pytest.approx(form.squared_errors(inputs).sum() / exact)
    steps = one_step_errors(network, method, inputs, sample_output=True)
    assert profile.layers[0].output.relative_error == pytest.approx(steps[0])
    drawn = simulate(network, method, inputs, trials=4000, sample_output=True, confidence=1 - 1e-9)
    low, high = drawn.layers[-1].output.ci95
    assert low <= profile.layers[-1].output.relative_error <= high
