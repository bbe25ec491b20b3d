"""Correlation trees against brute-force detection."""

import numpy as np
import pytest
from scipy import stats

from approxmm.errors import InputError
from approxmm.trees import (
    build_data_trees,
    build_weight_trees,
    detect,
    firing_threshold,
    gram_change,
    leaves_above,
    products_change,
    update_data_trees,
    update_weight_trees,
)


def _setting(n=9, m=37, d=5, seed=0, integers=False):
    rng = np.random.default_rng(seed)
    if integers:
        return rng.integers(-3, 4, (n, d)).astype(float), rng.integers(-3, 4, (m, d)).astype(float), rng
    points = rng.standard_normal((n, d))
    return points / np.linalg.norm(points, axis=1, keepdims=True), rng.standard_normal((m, d)), rng


@pytest.mark.parametrize("threshold", [-np.inf, -1.0, 0.0, 2.0, 5.0, np.inf])
def test_detection_is_exact_with_ties(threshold):
    points, weights, _ = _setting(integers=True)
    data, weight = build_data_trees(points, weights), build_weight_trees(points, weights)
    products = points @ weights.T
    for i in range(points.shape[0]):
        np.testing.assert_array_equal(detect(data, i, threshold), np.flatnonzero(products[i] > threshold))
    for r in range(weights.shape[0]):
        np.testing.assert_array_equal(detect(weight, r, threshold), np.flatnonzero(products[:, r] > threshold))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_detection_equals_the_stored_products_after_updates(dtype):
    points, weights, rng = _setting(seed=3)
    points, weights = points.astype(dtype), weights.astype(dtype)
    inputs = points.copy(), weights.copy()
    data, weight = build_data_trees(points, weights), build_weight_trees(points, weights)
    np.testing.assert_array_equal(points, inputs[0])
    np.testing.assert_array_equal(weights, inputs[1])
    for r in rng.integers(weights.shape[0], size=60):
        weights[r] += rng.standard_normal(weights.shape[1]).astype(dtype)
        products = products_change(points, weights[r])
        update_data_trees(data, r, products)
        update_weight_trees(weight, r, products)
        i = int(rng.integers(points.shape[0]))
        stored = data.nodes[i, : weights.shape[0]]
        threshold = float(rng.choice(stored))
        np.testing.assert_array_equal(detect(data, i, threshold), np.flatnonzero(stored > threshold))
        np.testing.assert_array_equal(detect(weight, r, 0.5), np.flatnonzero(weight.nodes[r, : points.shape[0]] > 0.5))
    exact = points.astype(np.float64) @ weights.astype(np.float64).T
    np.testing.assert_allclose(data.nodes[:, : weights.shape[0]], exact, atol=40 * np.finfo(dtype).eps)


def test_gram_update_equals_recomputation():
    points, weights, rng = _setting(n=40, d=7, seed=5)
    gram = points @ points.T
    data = build_data_trees(points, weights)
    for r in (0, 11, 36):
        fired = np.flatnonzero(data.nodes[:, r] > 0.5)
        step = rng.standard_normal(fired.size)
        weights[r] += step @ points[fired]
        products = data.nodes[:, r].copy()
        gram_change(gram, fired, step, products)
        np.testing.assert_allclose(products, products_change(points, weights[r]), atol=1e-13)
        update_data_trees(data, r, products)
    np.testing.assert_allclose(data.nodes[:, : weights.shape[0]], points @ weights.T, atol=1e-13)
    # In integers the two are the same, to the bit, and so are the compiled kernel and its twin.
    whole, neurons, rng = _setting(n=8, integers=True, seed=6)
    products = whole @ neurons[0]
    twin = products.copy()
    step = rng.integers(-2, 3, 3).astype(float)
    gram_change(whole @ whole.T, np.array([1, 4, 5]), step, products)
    gram_change.py_func(whole @ whole.T, np.array([1, 4, 5]), step, twin)
    np.testing.assert_array_equal(products, whole @ (neurons[0] + step @ whole[[1, 4, 5]]))
    np.testing.assert_array_equal(products, twin)


def test_update_kernels_equal_uncompiled():
    points, weights, _ = _setting(seed=8)
    trees, twins = build_data_trees(points, weights), build_data_trees(points, weights)
    update_data_trees(trees, 3, np.arange(9.0))
    update_data_trees.py_func(twins, 3, np.arange(9.0))
    np.testing.assert_array_equal(trees.nodes, twins.nodes)
    trees, twins = build_weight_trees(points, weights), build_weight_trees(points, weights)
    update_weight_trees(trees, 3, np.arange(9.0))
    update_weight_trees.py_func(twins, 3, np.arange(9.0))
    np.testing.assert_array_equal(trees.nodes, twins.nodes)


def test_shifted_relu_fires_rarely_and_queries_stay_sublinear():
    m, d, n = 4000, 30, 20
    points, weights, _ = _setting(n=n, m=m, d=d, seed=9)
    b = firing_threshold(m)
    assert b == pytest.approx(np.sqrt(0.4 * np.log(m)))
    assert stats.norm.sf(b) <= m**-0.2
    trees = build_data_trees(points, weights)
    out = np.empty(m, np.int32)
    for i in range(n):
        count, visited = leaves_above(trees, i, b, out)
        # False alarm: each count is binomial(m, P(fire)), 20 of them, in all below 1e-9.
        assert count <= stats.binom.isf(5e-11, m, stats.norm.sf(b))
        assert visited <= 1 + 2 * count * 12


def test_bad_input_is_named():
    points, weights, _ = _setting()
    with pytest.raises(InputError, match="weights has 4 columns: must have the points' 5"):
        build_data_trees(points, weights[:, :4])
    with pytest.raises(InputError, match="points contains nan or infinity"):
        build_weight_trees(points * np.nan, weights)
    with pytest.raises(InputError, match=r"weights has shape \(5,\)"):
        build_data_trees(points, weights[0])
    with pytest.raises(InputError, match=r"which = 9: must lie in \[0, 9\)"):
        detect(build_data_trees(points, weights), 9, 0.0)
    with pytest.raises(InputError, match="neurons = 0"):
        firing_threshold(0)
