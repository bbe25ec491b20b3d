"""The checks have teeth: the suite's own check functions reject every broken twin, and pass the sound ones."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from broken_twins import BERNOULLI, DRAWS, LAWS, SOUND

from approxmm.methods.bernoulli import Bernoulli
from approxmm.testing.checks import (
    check_draws,
    check_form,
    check_full_budget,
    check_moments,
    check_outcomes,
    check_refresh,
    check_squared_error,
    check_unbiased,
    draws_by,
)

WEIGHTS = np.array([[0.3, -1.2, 0.0, 2.0], [1.0, 0.0, 0.5, -0.5], [0.2, 0.0, 0.0, 0.1], [2.0, 0.1, 0.1, 0.3]])
X = np.array([2.7, -1.1, 3.0, 0.2])  # optimal importance clips the first pair at half the budget
TIES = np.array([1.0, 1.0, -1.0, 1.0])
TRIALS = 20_000


def _draws_are_right(method, select_function):
    for x in (X, TIES):
        check_draws(method, WEIGHTS, x, draws_by(select_function), TRIALS)


@pytest.mark.parametrize("name", SOUND)
def test_sound_plain_selection_passes(name):
    _draws_are_right(*SOUND[name])


@pytest.mark.parametrize("name", DRAWS)
def test_broken_selection_is_rejected(name):
    with pytest.raises(AssertionError):
        _draws_are_right(*DRAWS[name])


def _law_is_right(method, importance):
    for check in (check_outcomes, check_moments, check_unbiased):
        check(method, importance)


@pytest.mark.parametrize("method", LAWS, ids=lambda m: type(m).__name__)
def test_broken_law_is_rejected(method):
    importance = (Fraction(1), Fraction(2), Fraction(3, 2))
    terms = np.array([[Fraction(1)], [Fraction(2)], [Fraction(-1)]])
    with pytest.raises(AssertionError):
        _law_is_right(method, importance)
    if type(method).__name__ in ("VarianceWithoutMean", "NoCovariance"):
        with pytest.raises(AssertionError):
            check_squared_error(method, importance, terms)


def test_inexact_full_budget_is_rejected():
    class Leaky(Bernoulli):
        def outcomes_of(self, importance):
            return Bernoulli(0.5).outcomes_of(importance)

    with pytest.raises(AssertionError):
        check_full_budget(Leaky(1.0), (Fraction(1), Fraction(2)))


def test_stale_norms_are_rejected():
    with pytest.raises(AssertionError):
        check_refresh(BERNOULLI, WEIGHTS, [1], 7.0, refresh_function=lambda *ignored: None)


def _form(entries):
    def select(state, layer, x, key, index, scale):
        for position, (i, factor) in enumerate(entries):
            index[position], scale[position] = i, factor
        return len(entries)

    return select


@pytest.mark.parametrize(
    "entries",
    [[(2, 1.0), (1, 1.0)], [(1, 1.0), (1, 1.0)], [(0, 1.0), (4, 1.0)], [(-1, 1.0)], [(0, np.inf)], [(0, 0.0)]],
    ids=["unsorted", "twice", "beyond", "negative", "infinite", "zero"],
)
def test_malformed_selection_is_rejected(entries):
    with pytest.raises(AssertionError):
        check_form(BERNOULLI, WEIGHTS, X, _form(entries))


def test_selection_that_writes_to_its_input_is_rejected():
    def select(state, layer, x, key, index, scale):
        x[0] += 1.0
        index[0], scale[0] = 0, 1.0
        return 1

    with pytest.raises(AssertionError):
        check_form(BERNOULLI, WEIGHTS, X.copy(), select)
