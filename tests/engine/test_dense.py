"""The register tiles against NumPy, and their sums whatever the cuts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from approxmm.engine.dense import add_outer, dot_rows, multiply

SIZES = st.tuples(st.integers(1, 23), st.integers(1, 150), st.integers(1, 70), st.integers(0, 2**31 - 1))


def case(sizes: tuple[int, int, int, int], dtype: type):
    batch, n, m, seed = sizes
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(n, int(rng.integers(1, n + 1)), replace=False))
    A, W, D = (rng.standard_normal(shape).astype(dtype) for shape in ((batch, chosen.size), (n, m), (batch, m)))
    return A, W, D, chosen, rng


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(sizes=SIZES)
def test_products_are_those_of_numpy(dtype: type, sizes: tuple[int, int, int, int]) -> None:
    A, W, D, chosen, rng = case(sizes, dtype)
    tolerance = 50 * np.finfo(dtype).eps * max(W.shape)
    before = rng.standard_normal((len(A), W.shape[1])).astype(dtype)
    Z = before.copy()
    multiply(A, W, chosen, Z, 0, W.shape[1])
    np.testing.assert_allclose(Z, before + A @ W[chosen], rtol=0, atol=tolerance)
    out = np.full((len(A), chosen.size), np.nan, dtype=dtype)
    dot_rows(D, W, chosen, out, 0, chosen.size)
    np.testing.assert_allclose(out, D @ W[chosen].T, rtol=0, atol=tolerance)
    target, expected = W.copy(), W.copy()
    expected[chosen] = dtype(0.75) * W[chosen] + A.T @ D
    add_outer(A, D, chosen, target, dtype(0.75), 0, chosen.size, 0)
    np.testing.assert_allclose(target, expected, rtol=0, atol=tolerance)
    untouched = np.setdiff1d(np.arange(len(W)), chosen)
    np.testing.assert_array_equal(target[untouched], W[untouched])


@given(sizes=SIZES, cuts=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_sums_do_not_depend_on_the_cuts(sizes: tuple[int, int, int, int], cuts: tuple[float, float]) -> None:
    A, W, D, chosen, _ = case(sizes, np.float32)
    m, c = W.shape[1], chosen.size
    whole, parts = (np.zeros((len(A), m), np.float32) for _ in range(2))
    multiply(A, W, chosen, whole, 0, m)
    for start, stop in ranges(m, cuts):
        multiply(A, W, chosen, parts, start, stop)
    np.testing.assert_array_equal(whole, parts)
    whole, parts = (np.zeros((len(A), c), np.float32) for _ in range(2))
    dot_rows(D, W, chosen, whole, 0, c)
    for start, stop in ranges(c, cuts):
        dot_rows(D, W, chosen, parts, start, stop)
    np.testing.assert_array_equal(whole, parts)
    whole, parts = W.copy(), W.copy()
    add_outer(A, D, chosen, whole, np.float32(1), 0, c, 0)
    for start, stop in ranges(c, cuts):
        add_outer(A, D, chosen, parts, np.float32(1), start, stop, start)
    np.testing.assert_array_equal(whole, parts)


def ranges(count: int, cuts: tuple[float, float]) -> list[tuple[int, int]]:
    edges = [0, *sorted(int(cut * count) for cut in cuts), count]
    return list(pairwise(edges))


def test_infinities_and_nan_reach_the_result() -> None:
    A, W = np.ones((6, 40), np.float32), np.ones((40, 37), np.float32)
    W[3, 5], W[39, 36] = np.inf, np.nan
    Z = np.zeros((6, 37), np.float32)
    multiply(A, W, np.arange(40), Z, 0, 37)
    assert np.isinf(Z[:, 5]).all()
    assert np.isnan(Z[:, 36]).all()
    assert np.isfinite(np.delete(Z, [5, 36], axis=1)).all()
