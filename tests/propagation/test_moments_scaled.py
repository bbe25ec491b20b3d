"""Numbers with an exponent of their own, against rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from approxmm.propagation.scaled import Scaled, metrics_from_scaled

EXPONENTS = st.integers(-3000, 3000)
VALUES = st.floats(-1e300, 1e300).filter(lambda v: v == 0 or abs(v) > 1e-300)


def exact(number):
    return [Fraction(float(v)) * Fraction(2) ** number.exponent for v in np.ravel(number.values)]


def numbers(values, exponent):
    return Scaled(np.array(values), exponent)


@given(st.lists(VALUES, min_size=2, max_size=2), EXPONENTS)
def test_balancing_changes_no_large_number(values, exponent):
    before, after = numbers(values, exponent), numbers(values, exponent).balanced()
    largest = max(abs(v) for v in exact(before))
    if largest == 0:
        assert after.is_zero
        return
    assert not after.is_zero
    assert 2.0**-130 < np.abs(after.values).max() < 2.0**130
    for old, new in zip(exact(before), exact(after), strict=True):
        assert old == new or abs(old) < largest * Fraction(2) ** -900


@given(st.lists(VALUES, min_size=2, max_size=2), EXPONENTS, EXPONENTS)
def test_sums_have_one_rounding(values, first, second):
    a, b = numbers(values[:1], first).balanced(), numbers(values[1:], second).balanced()
    total = a + b
    if a.is_zero and b.is_zero:
        assert total.is_zero
        return
    (x,), (y,), (got,) = exact(a) if not a.is_zero else [0], exact(b) if not b.is_zero else [0], exact(total)
    assert abs(got - (x + y)) <= Fraction(2) ** -53 * (abs(x) + abs(y))


@given(st.integers(-1000, 1000), st.integers(-2000, 2000))
def test_logarithms_and_inner_products(small, exponent):
    a = Scaled(np.array([3.0, 4.0]), exponent)
    assert a.inner(a).log() == pytest.approx(math.log(25) + 2 * exponent * math.log(2), rel=1e-14)
    assert Scaled(np.asarray(0.0), small).log() == -math.inf


def test_plain_numbers_keep_exponent_zero_where_float64_holds_them():
    assert Scaled(np.array([3.0]), 100).balanced().plain() == (np.array([3.0 * 2.0**100]), 0)
    values, exponent = Scaled(np.array([3.0]), 1100).balanced().plain()
    assert (values[0], exponent) == (3.0, 1100)
    assert Scaled(np.zeros(1), 77).balanced().plain() == (np.zeros(1), 0)


@pytest.mark.parametrize("exponent", [0, 40, 3000, -3000])
def test_figures_do_not_depend_on_a_common_exponent(exponent):
    moments = [Scaled(np.asarray(v), exponent) for v in (4.0, 9.0, -3.0, 19.0)]
    figures = metrics_from_scaled(*moments)
    assert figures.relative_error == 4.75
    assert figures.cosine == -0.5
    assert figures.norm_ratio == 2.25
    assert figures.relative_to_estimate == pytest.approx(19 / 9)


def test_figures_beyond_float64_are_logarithms():
    exact_norm = Scaled(np.asarray(4.0))
    far = metrics_from_scaled(
        exact_norm, Scaled(np.asarray(1.0), 2000), Scaled(np.asarray(-2.0), 900), Scaled(np.asarray(2.0), 2000)
    )
    assert far.relative_error == far.norm_ratio == math.inf
    assert far.log10_relative_error == pytest.approx(1999 * math.log10(2))
    assert far.log10_norm_ratio == pytest.approx(1998 * math.log10(2))
    assert far.cosine == pytest.approx(-(2.0**-100))
    near = metrics_from_scaled(exact_norm, Scaled(np.asarray(1.0), -2000), Scaled(np.asarray(0.0)), exact_norm)
    assert (near.relative_error, near.norm_ratio, near.cosine) == (1.0, 0.0, 0.0)
    assert near.log10_norm_ratio == pytest.approx(-2002 * math.log10(2))


def test_a_small_exact_value_makes_ratios_overflow():
    small, large = Scaled(np.asarray(2.0**-120)), Scaled(np.asarray(2.0**120), 800)
    figures = metrics_from_scaled(small, large, Scaled(np.asarray(0.0)), large)
    assert figures.relative_error == math.inf
    assert figures.log10_relative_error == pytest.approx(1040 * math.log10(2))


def test_no_exact_value_and_no_error_is_no_error():
    zero = Scaled(np.asarray(0.0))
    assert metrics_from_scaled(zero, zero, zero, zero).relative_error == 0.0
    some = Scaled(np.asarray(1.0), 5000)
    assert metrics_from_scaled(zero, some, zero, some).relative_error == math.inf
