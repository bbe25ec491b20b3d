from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approxmm.bits import list_members, mark, mark_from, marked, unmark, words_for


@settings(deadline=None, max_examples=50)
@given(size=st.integers(1, 200), seed=st.integers(0, 10**6))
@pytest.mark.parametrize("plain", [False, True])
def test_sets_are_those_of_python(plain, size, seed):
    functions = (words_for, mark, unmark, marked, list_members)
    count, put, take, has, listed = (f.py_func if plain else f for f in functions)
    rng, twin = np.random.default_rng(seed), set()
    words, index = np.zeros(count(size), np.uint64), np.empty(size, np.int64)
    for item in rng.integers(0, size, 60).tolist():
        (take if item % 3 == 0 else put)(words, item)
        twin = twin - {item} if item % 3 == 0 else twin | {item}
        assert has(words, item) == (item in twin)
    assert index[: listed(words, index)].tolist() == sorted(twin)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_limits_mark_what_is_not_below_and_never_what_is_not_a_number(dtype):
    values = np.random.default_rng(1).integers(-2, 3, 128).astype(dtype)
    values[[5, 64]] = np.nan
    words, index = np.empty(2, np.uint64), np.empty(128, np.int64)
    for kernel in (mark_from, mark_from.py_func):
        kernel(values, 1.0, words)
        assert index[: list_members(words, index)].tolist() == np.flatnonzero(values >= 1.0).tolist()
