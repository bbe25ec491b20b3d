"""Held-out examples: shares of every class, and something to train on left."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from approxmm.errors import InputError
from approxmm.estimators.holdout import hold_out


@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=60),
    st.floats(0.01, 0.99),
    st.integers(0, 2**32),
    st.integers(1, 2),
)
def test_every_class_keeps_its_share(labels, fraction, seed, least):
    groups = np.array(labels)
    counts = np.bincount(groups)
    expected = np.minimum(np.floor(fraction * counts + 0.5), np.maximum(counts - 1, 0)).astype(int)
    if expected.sum() < least and counts.max() <= least:
        with pytest.raises(InputError, match="leaves fewer than"):
            hold_out(groups, fraction, seed, least)
        return
    train, held = hold_out(groups, fraction, seed, least)
    np.testing.assert_array_equal(np.sort(np.r_[train, held]), np.arange(len(groups)))
    if expected.sum() >= least:
        np.testing.assert_array_equal(np.bincount(groups[held], minlength=len(counts)), expected)
    assert len(held) >= least
    assert set(groups[train]) == set(groups)
    np.testing.assert_array_equal(held, hold_out(groups, fraction, seed, least)[1])


def test_it_depends_on_the_seed():
    groups = np.zeros(100, dtype=int)
    first, second = (hold_out(groups, 0.5, seed)[1] for seed in (1, 2))
    assert len(set(first) & set(second)) < 40  # 25 on average, 40 with a chance of 1e-9
