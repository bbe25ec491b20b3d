from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from approxmm.errors import InputError
from approxmm.methods import Budget, get_method


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("1.0", 1.0), ("50", 50), ("0.1", 0.1), ("1e-3", 0.001), (" 7 ", 7), (".5", 0.5)],
)
def test_text_means_a_count_or_a_fraction(text, value):
    budget = Budget.of(text)
    assert budget.value == value
    assert type(budget.value) is type(value)


def test_one_is_a_pair_and_one_point_zero_is_all_of_them():
    assert Budget.of("1").count(40) == 1
    assert Budget.of("1.0").count(40) == 40


@pytest.mark.parametrize(("number", "value"), [(np.int64(3), 3), (np.float32(0.5), 0.5), (np.float64(0.25), 0.25)])
def test_numpy_numbers_are_numbers(number, value):
    budget = Budget.of(number)
    assert budget.value == value
    assert type(budget.value) is type(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "budget=0 as a count must be at least 1; for a fraction write it as a float"),
        (-3, "budget=-3 as a count must be at least 1"),
        ("0", "budget=0 as a count must be at least 1"),
        (0.0, "budget=0.0 as a fraction must satisfy 0 < budget <= 1; for a count write it as an int"),
        (1.5, "budget=1.5 as a fraction must satisfy 0 < budget <= 1"),
        (-0.1, "budget=-0.1 as a fraction must satisfy"),
        (float("nan"), "budget=nan as a fraction must satisfy"),
        ("inf", "budget=inf as a fraction must satisfy"),
        (True, "budget=True must be a fraction (0 < b <= 1, a float) or a count (an int >= 1)"),
        (None, "budget=None must be a fraction"),
        ("half", "budget='half' is not a number; give a fraction such as 0.1 or a count such as 50"),
        ("", "budget='' is not a number"),
        ("10%", "budget='10%' is not a number"),
    ],
)
def test_what_is_no_budget_is_refused_in_one_line(value, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        Budget.of(value)
    assert "\n" not in str(caught.value)


def test_count_beyond_the_side_is_refused_unless_draws_repeat():
    with pytest.raises(InputError, match=re.escape("budget=11 exceeds the 10 items of the sampled side; lower it")):
        Budget(11).count(10)
    assert Budget(11).count(10, may_exceed=True) == 11
    weights = [np.ones((10, 10))]
    assert get_method("with_replacement", 11).build(weights).draws[0] == 11
    for name in ("bernoulli", "dropout", "oracle_active"):
        with pytest.raises(InputError, match="budget=11 exceeds the 10 items"):
            get_method(name, 11).build(weights)


@given(st.floats(0, 1, exclude_min=True), st.integers(1, 10**6))
def test_count_is_the_nearest_whole_number_but_at_least_one(fraction, size):
    count = Budget(fraction).count(size)
    assert 1 <= count <= size
    assert abs(count - fraction * size) <= 0.5 or (count == 1 and fraction * size < 0.5)
    assert Budget(fraction).expected(size) == fraction * size


@given(st.integers(1, 50), st.integers(0, 50))
def test_count_stays_a_count(value, more):
    assert Budget(value).count(value + more) == value
    assert Budget(value).expected(value + more) == value
