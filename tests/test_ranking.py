from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from approxmm.ranking import kth_largest

KERNELS = [kth_largest, kth_largest.py_func]
numbers = st.one_of(st.floats(allow_nan=False), st.integers(-3, 3).map(float))


@given(st.lists(numbers, min_size=1, max_size=40), st.data())
def test_every_rank_is_the_sorted_one(values, data):
    k = data.draw(st.integers(1, len(values)))
    for kernel in KERNELS:
        work = np.array(values)
        assert kernel(work, k) == sorted(values, reverse=True)[k - 1]
        np.testing.assert_array_equal(np.sort(work), np.sort(values))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("order", [np.arange(300.0), np.arange(300.0)[::-1], np.ones(300), np.arange(300.0) % 2])
def test_regular_orders(kernel, order):
    for k in (1, 2, 150, 299, 300):
        assert kernel(order.copy(), k) == np.sort(order)[-k]


def test_single_precision():
    values = np.random.default_rng(0).normal(size=99).astype(np.float32)
    assert kth_largest(values.copy(), 10) == np.sort(values)[-10]


@given(st.lists(st.one_of(st.floats(-2, 2), st.just(float("nan"))), min_size=1, max_size=30), st.data())
def test_search_ends_with_not_a_number_and_loses_nothing(values, data):
    k = data.draw(st.integers(1, len(values)))
    for kernel in KERNELS:
        work = np.array(values)
        kernel(work, k)
        np.testing.assert_array_equal(np.sort(work), np.sort(values))
