from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approxmm.ranking import fill_top

KERNELS = [fill_top, fill_top.py_func]
SCORES = st.lists(st.sampled_from([-np.inf, -1.0, 0.0, -0.0, 5e-324, 0.5, 0.5, 2.0, np.inf, np.nan]), max_size=150)


def expected(values, k):
    ranked = [-np.inf if np.isnan(v) else v for v in values]
    return sorted(sorted(range(len(values)), key=lambda j: (-ranked[j], j))[: max(k, 0)])


@settings(deadline=None, max_examples=200)
@given(scores=SCORES, k=st.integers(0, 160), dtype=st.sampled_from([np.float32, np.float64]))
def test_top_selection_equals_a_stable_sort(scores, k, dtype):
    values = np.array(scores, dtype)
    for kernel in KERNELS:
        index = np.full(len(scores), -1, np.int64)
        assert index[: kernel(values, k, index)].tolist() == expected(values, k)
    np.testing.assert_array_equal(values, np.array(scores, dtype))


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 400), scale=st.sampled_from([1e-300, 1e-30, 1.0, 1e300]))
def test_any_numbers_of_any_size(seed, size, scale):
    rng = np.random.default_rng(seed)
    values, index = scale * rng.standard_normal(size), np.empty(size, np.int64)
    k = int(rng.integers(1, size + 1))
    assert index[: fill_top(values, k, index)].tolist() == expected(values, k)


@pytest.mark.parametrize("order", ["ascending", "descending", "constant", "organ", "two"])
def test_regular_orders(order):
    n = 1501
    rising = np.arange(n) - 700.0
    values = {"ascending": rising, "descending": -rising, "constant": np.ones(n), "organ": abs(rising)}.get(order)
    values = rising % 2 if values is None else values
    for k in (1, 75, n - 1, n):
        index = np.empty(n, np.int64)
        assert index[: fill_top(values, k, index)].tolist() == expected(values, k)
