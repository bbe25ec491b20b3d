"""Adaptive dropout's probabilities, and what unscaled masks mean at test time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from approxmm.methods import get_method

NO_WEIGHTS = np.empty((1, 0))  # the law reads the pre-activations only


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30),
    st.floats(0.01, 0.99),
    st.sampled_from([0.0, 0.1, 1.0, -2.0]),
)
def test_offset_is_solved_for_the_budget(z, budget, alpha):
    method = get_method("adaptive_dropout", budget, alpha=alpha)
    z = np.array(z)
    p = method.importance(z, NO_WEIGHTS)
    # Where p jumps within one step of β (large |αz|), the sum is as near as β's own grid allows.
    grid = np.abs(alpha * z).max() * z.size * 1e-15
    assert p.sum() == pytest.approx(budget * z.size, rel=1e-12, abs=1e-12 + 10 * grid)
    order = np.argsort(alpha * z)
    assert (np.diff(p[order]) >= 0).all()


def test_zero_sharpness_is_plain_dropout():
    z = np.array([3.0, -1.0, 0.5, 7.0])
    np.testing.assert_allclose(get_method("adaptive_dropout", 0.25, alpha=0.0).importance(z, NO_WEIGHTS), 0.25)


def test_given_offset_and_published_probabilities():
    z = np.array([-800.0, -3.0, -2.0, -1.0, 0.0, 0.5, 4.0, 900.0])
    given_offset = get_method("adaptive_dropout", 0.5, alpha=2.0, beta=-0.5).importance(z, NO_WEIGHTS)
    np.testing.assert_allclose(given_offset, expit(2 * z - 0.5), rtol=1e-13)
    published = get_method("adaptive_dropout", variant="published").importance(z, NO_WEIGHTS)
    np.testing.assert_array_equal(published, [0, 0, 0, 0.5, 1, 1, 1, 1])


@pytest.mark.parametrize("alpha", [1e300, -1e300, 1.0])
def test_extreme_pre_activations_give_probabilities(alpha):
    z = np.array([1e300, -1e300, 1.0, 0.0])
    p = get_method("adaptive_dropout", 0.5, alpha=alpha).importance(z, NO_WEIGHTS)
    assert ((p >= 0) & (p <= 1)).all()


def test_test_time_scale_is_the_mean_of_the_scales():
    one = np.array([Fraction(1)] * 8, dtype=object)
    for scaled in (True, False):
        method = get_method("dropout", 0.25, scaled=scaled)
        assert set(method.moments_of(one).mean) == {Fraction(method.test_time_scale(8))}
    assert method.test_time_scale(8) == 0.25
    assert not method.claims.unbiased
