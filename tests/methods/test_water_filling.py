"""Keep probabilities: the compiled loop against its twin and against the rational one; corners of rounding."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from approxmm.methods._rows import fill_importance, row_norms
from approxmm.methods.bernoulli import fill_keep_probabilities, keep_probabilities
from approxmm.methods.with_replacement import _first_above

weights = st.lists(st.floats(0, 1e6).map(lambda w: w if w > 1e-6 else 0.0), min_size=1, max_size=12)


def compiled(importance, expected, kernel=fill_keep_probabilities):
    p = np.array(importance, dtype=np.float64)
    kernel(p, expected)
    return p


@given(weights, st.floats(0.01, 1))
def test_three_ways_agree(importance, fraction):
    expected = fraction * len(importance)
    p = compiled(importance, expected)
    np.testing.assert_array_equal(p, compiled(importance, expected, fill_keep_probabilities.py_func))
    exact = keep_probabilities(np.array([Fraction(w) for w in importance], dtype=object), Fraction(expected))
    np.testing.assert_allclose(p, exact.astype(float), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(keep_probabilities(np.array(importance), expected), p, rtol=1e-9, atol=1e-15)


@given(weights, st.floats(0.01, 1))
def test_probabilities_fill_the_budget_and_keep_every_contributor_possible(importance, fraction):
    expected = fraction * len(importance)
    p, w = compiled(importance, expected), np.array(importance)
    assert ((p >= 0) & (p <= 1)).all()
    np.testing.assert_array_equal(p > 0, w > 0)
    np.testing.assert_allclose(p.sum(), min(expected, (w > 0).sum()), rtol=1e-12)
    order = np.argsort(w)
    assert (np.diff(p[order]) >= -1e-15).all()


@pytest.mark.parametrize("way", [compiled, lambda w, k: keep_probabilities(np.array(w), k)])
def test_rounding_that_uses_up_the_budget_leaves_small_pairs_a_positive_probability(way):
    for expected in (1.9999999999999998, 1.9999999999999996, 2.0):
        p = way([0.1, 0.1, 1e-20], expected)
        assert 0 < p[2] < 1e-3
        np.testing.assert_allclose(p[:2], 1.0, rtol=1e-15)


@pytest.mark.parametrize("way", [compiled, lambda w, k: keep_probabilities(np.array(w), k)])
def test_budget_for_all_contributors_keeps_them_surely(way):
    rng = np.random.default_rng(0)
    for _ in range(200):
        w = rng.lognormal(0, 5, 9) * rng.choice([0, 1], 9)
        np.testing.assert_array_equal(way(w, float((w > 0).sum())), (w > 0).astype(float))


def test_inversion_never_returns_a_pair_without_importance():
    for importance in ([0.0, 1.0, 0.0], [0.0, 0.0, 0.1, 0.7, 0.0, 0.2, 0.0, 0.0], [1.0], [0.1] * 10 + [0.0]):
        cumulative = np.cumsum(importance)
        total = cumulative[-1]
        for target in (0.0, *cumulative, np.nextafter(total, 0), total, *np.linspace(0, total, 50)):
            i = _first_above(cumulative, target)
            assert i == _first_above.py_func(cumulative, target)
            assert importance[i] > 0
            assert target >= total or i == np.searchsorted(cumulative, target, side="right")


def test_importance_is_relative_to_the_largest():
    x, norms = np.array([1.0, -3.0, 0.5]), np.array([2.0, 1.0, 4.0])
    for kernel in (fill_importance, fill_importance.py_func):
        out = np.empty(3)
        kernel(x, norms, True, out)
        np.testing.assert_allclose(out, [2 / 3, 1, 2 / 3], rtol=1e-15)
        kernel(x, norms, False, out)
        np.testing.assert_allclose(out, [0.5, 0.25, 1], rtol=1e-15)


def test_row_norms_of_single_precision_are_summed_in_double():
    W = np.full((2, 3), 1e25, dtype=np.float32)
    norms = row_norms(W)
    assert norms.dtype == np.float64
    np.testing.assert_allclose(norms, np.sqrt(3.0) * float(np.float32(1e25)), rtol=1e-15)


def test_irrational_norm_has_no_exact_law():
    exact = np.array([[Fraction(1), Fraction(1)]], dtype=object)
    with pytest.raises(ValueError, match="the squared row norm 2 has no rational root"):
        row_norms(exact)
