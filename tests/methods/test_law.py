"""The laws of all methods, exactly: enumeration in rational arithmetic, compared with `==`."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from method_cases import BUDGETS, IMPORTANCES, cases, fits, importance_laws, label, scale_free

from approxmm.methods import ScaleMoments, get_method
from approxmm.methods.bernoulli import keep_probabilities
from approxmm.testing.checks import (
    check_full_budget,
    check_moments,
    check_outcomes,
    check_product,
    check_squared_error,
    check_unbiased,
)

METHODS = importance_laws(cases(BUDGETS))
rational = st.fractions(min_value=0, max_value=20, max_denominator=30)


@pytest.mark.parametrize("method", METHODS, ids=label)
def test_law_of_every_tiny_side(method):
    for importance in (row for row in IMPORTANCES if fits(method, len(row))):
        check_outcomes(method, importance)
        check_moments(method, importance)
        check_unbiased(method, importance)
        check_full_budget(method, importance)


@pytest.mark.parametrize("method", importance_laws(cases((0.5,))), ids=label)
@given(importance=st.lists(rational, min_size=1, max_size=4), shift=st.integers(1, 9))
def test_law_of_random_sides(method, importance, shift):
    check_outcomes(method, importance)
    check_moments(method, importance)
    check_unbiased(method, importance)
    terms = np.array([[Fraction((i + 2) * shift % 7 - 3, j + 1) for j in range(2)] for i in range(len(importance))])
    check_squared_error(method, importance, terms)
    check_product(method, importance, terms)


@pytest.mark.parametrize("method", [m for m in METHODS if scale_free(m)], ids=label)
def test_full_law_depends_on_importance_up_to_scale_only(method):
    importance = [Fraction(w) for w in (3, 1, 0, 4)]
    scaled = [w * Fraction(7, 3) for w in importance]
    assert list(method.outcomes_of(importance)) == list(method.outcomes_of(scaled))


@pytest.mark.parametrize("method", METHODS, ids=label)
def test_float_moments_are_the_exact_ones_rounded(method):
    weights = np.array([[3.0, 4.0, 0.0], [0.0, 5.0, 12.0], [8.0, 6.0, 0.0], [0.0, 0.0, 2.0]])
    x = np.array([0.5, -2.0, 0.0, 1.25]) if method.claims.side == "inner" else np.array([-0.5, 2.0, 0.75])
    exact = method.scale_moments(*(np.array([Fraction(v) for v in a.ravel()]).reshape(a.shape) for a in (x, weights)))
    plain = method.scale_moments(x, weights)
    assert plain.mean.dtype == np.float64
    np.testing.assert_allclose(plain.mean, exact.mean.astype(float), rtol=1e-15)
    np.testing.assert_allclose(plain.covariance(), exact.covariance().astype(float), rtol=1e-13, atol=1e-14)


def test_with_replacement_optimum_has_the_stated_error():
    terms = np.array([[3, 4], [-6, 8], [0, 5]], dtype=object) * Fraction(1, 7)
    norms = [Fraction(5, 7), Fraction(10, 7), Fraction(5, 7)]
    law = get_method("with_replacement", 2).moments_of(np.array(norms, dtype=object))
    total = terms.sum(axis=0)
    assert law.squared_error(terms) == (sum(norms) ** 2 - total @ total) / 2


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.data())
def test_with_replacement_optimum_beats_every_other_law(norms, data):
    other = data.draw(st.lists(st.integers(1, 9), min_size=len(norms), max_size=len(norms)))
    terms = np.diag([Fraction(w) for w in norms])
    method = get_method("with_replacement", 3)
    best = method.moments_of(np.array(norms, dtype=object) * Fraction(1)).squared_error(terms)
    worse = method.moments_of(np.array(other, dtype=object) * Fraction(1)).squared_error(terms)
    proportional = all(a * norms[0] == b * other[0] for a, b in zip(other, norms, strict=True))
    assert worse == best if proportional else worse > best


@given(
    st.lists(rational.filter(lambda w: w > 0), min_size=2, max_size=5),
    st.fractions(Fraction(1, 10), Fraction(1), max_denominator=20),
    st.data(),
)
def test_bernoulli_optimum_beats_every_other_law(norms, fraction, data):
    n = len(norms)
    p = keep_probabilities(np.array(norms, dtype=object), fraction * n)
    assert sum(p) == fraction * n
    i, j = data.draw(st.permutations(range(n)))[:2]
    step = min(1 - p[i], p[j]) * data.draw(st.fractions(0, Fraction(9, 10), max_denominator=10))
    q = p.copy()
    q[i], q[j] = p[i] + step, p[j] - step

    def error(keep):
        return sum((1 / k - 1) * w * w for k, w in zip(keep, norms, strict=True))

    assert error(q) > error(p) if step > 0 else error(q) == error(p)


@pytest.mark.parametrize("dense", [None, np.array([[2, 1, 0], [1, 3, Fraction(-1, 2)], [0, Fraction(-1, 2), 1]])])
@pytest.mark.parametrize("common", [0, Fraction(-1, 3)])
def test_scale_moments_agree_with_their_dense_covariance(common, dense):
    law = ScaleMoments(
        mean=np.array([Fraction(1), Fraction(1, 2), Fraction(0)]),
        diagonal=np.array([Fraction(2), Fraction(1, 3), Fraction(0)]),
        common=common,
        support=np.array([Fraction(1), Fraction(1), Fraction(0)]),
        dense=dense,
    )
    assert list(law.variance) == list(np.diagonal(law.covariance()))
    matrix = np.array([[Fraction(i + 2 * j + 1, 3) for j in range(3)] for i in range(3)])
    assert (law.covariance_hadamard(matrix) == matrix * law.covariance()).all()
    terms = np.array([[Fraction(1), Fraction(2)], [Fraction(-3), Fraction(1)], [Fraction(1), Fraction(4)]])
    bias = (law.mean - 1) @ terms
    second = sum(law.covariance()[i, j] * (terms[i] @ terms[j]) for i in range(3) for j in range(3))
    assert law.squared_error(terms) == second + bias @ bias


def test_moments_stay_finite_where_a_probability_underflows():
    for name in ("with_replacement", "bernoulli"):
        law = get_method(name, 1).scale_moments(np.array([1.0, 1e-310]), np.ones((2, 1)))
        assert np.isfinite(law.diagonal).all()
        assert np.isfinite(law.squared_error(np.array([[1.0], [1e-310]])))


def test_integer_inputs_have_the_law_of_their_floats():
    weights = np.array([[3, 4], [6, 8], [5, 12]])
    method = get_method("with_replacement", 2)
    integer, plain = (method.scale_moments(np.array([1, 2, 3]).astype(t), weights.astype(t)) for t in (int, float))
    np.testing.assert_array_equal(integer.diagonal, plain.diagonal)
