"""Sampled products of two matrices against enumeration, in each of training's three roles."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from method_cases import cases, importance_laws, label

import approxmm
from approxmm import matmul, product_error
from approxmm.errors import InputError
from approxmm.methods import get_method
from approxmm.random import Stream, make_key

INNER = [m for m in cases((0.5, 2, 1.0)) if m.claims.side == "inner"]
OUTPUT = [m for m in importance_laws(cases((0.5,))) if m.claims.side == "output"]
RNG = np.random.default_rng(11)
BATCH, WEIGHTS, DELTA = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 5)), RNG.normal(size=(3, 5))
ROLES = {
    "forward": (BATCH, WEIGHTS),
    "forward, one example": (BATCH[:1], WEIGHTS),
    "input_gradient": (DELTA, WEIGHTS.T),
    "input_gradient, one example": (DELTA[:1], WEIGHTS.T),
    "weight_gradient": (BATCH.T, DELTA),
    "weight_gradient, one example": (BATCH[:1].T, DELTA[:1]),
}


def enumerate_products(method, a, b):
    """Return (probability, estimate) of every outcome of the law at these matrices."""
    importance = method.importance(np.linalg.norm(a, axis=0), b)
    for probability, scales in method.outcomes_of([Fraction(w) for w in importance]):
        yield float(probability), (a * np.array(scales, dtype=float)) @ b


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("method", INNER, ids=label)
def test_each_role_follows_the_law(method, role):
    a, b = ROLES[role]
    if isinstance(method.budget.value, int) and method.budget.value > a.shape[1]:
        return
    assert role.partition(",")[0] in method.claims.products
    outcomes = list(enumerate_products(method, a, b))
    mean = sum(p * estimate for p, estimate in outcomes)
    exact, error = a @ b, product_error(a, b, method)
    if method.claims.unbiased:
        np.testing.assert_allclose(mean, exact, atol=1e-12)
    assert error.bias == pytest.approx(np.linalg.norm(mean - exact), abs=1e-12)
    variance = sum(p * ((estimate - mean) ** 2).sum() for p, estimate in outcomes)
    assert error.standard_deviation**2 == pytest.approx(variance, rel=1e-9, abs=1e-12)
    squared = sum(p * ((estimate - exact) ** 2).sum() for p, estimate in outcomes)
    assert error.relative_error == pytest.approx(squared / (exact**2).sum(), rel=1e-9, abs=1e-13)
    possible = np.array([estimate.ravel() for _, estimate in outcomes])
    for seed in range(20):
        drawn = matmul(a, b, method, seed=seed).ravel()
        assert np.abs(possible - drawn).max(axis=1).min() < 1e-9


@pytest.mark.parametrize("method", OUTPUT, ids=label)
def test_output_masks_carry_over_to_both_gradients(method):
    """A mask drawn for one example acts on δ: the means of δ∘μ Wᵀ and aᵀ(δ∘μ) are those with the law's mean."""
    assert {"input_gradient", "weight_gradient"} <= method.claims.products
    a, delta = BATCH[:1], DELTA[:1]
    importance = method.importance((a @ WEIGHTS)[0], WEIGHTS)
    outcomes = [
        (float(p), np.array(scales, dtype=float)) for p, scales in method.outcomes_of([Fraction(w) for w in importance])
    ]
    law = method.moments_of(importance)
    for product in (lambda mask: (delta * mask) @ WEIGHTS.T, lambda mask: a.T @ (delta * mask)):
        np.testing.assert_allclose(sum(p * product(mask) for p, mask in outcomes), product(law.mean), atol=1e-12)
    exact = delta @ WEIGHTS.T
    squared = sum(p * (((delta * mask) @ WEIGHTS.T - exact) ** 2).sum() for p, mask in outcomes)
    assert sum(law.product_error(delta, WEIGHTS.T)) == pytest.approx(squared, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("dtypes", [("f4", "f4"), ("f8", "f8"), ("f4", "f8"), ("i4", "f4")])
def test_dtypes_orders_and_untouched_inputs(dtypes):
    a, b = (10 * BATCH).astype(dtypes[0]), np.asfortranarray(WEIGHTS.astype(dtypes[1]))
    before = a.copy(), b.copy()
    for array in (a, b):
        array.setflags(write=False)
    full = matmul(a, b, budget=1.0)
    assert full.dtype == np.result_type(np.float64 if dtypes[0] == "i4" else a, b)
    np.testing.assert_allclose(full, a @ b, rtol=1e-5)
    assert matmul(a, b, budget=0.5).shape == (3, 5)
    for array, old in zip((a, b), before, strict=True):
        np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_estimate_scales_with_the_matrices(scale):
    plain = matmul(BATCH, WEIGHTS, budget=2, seed=4)
    np.testing.assert_allclose(matmul(BATCH * scale, WEIGHTS, budget=2, seed=4), plain * scale, rtol=1e-12)
    relative = product_error(BATCH * scale, WEIGHTS, budget=2).relative_error
    assert relative == pytest.approx(product_error(BATCH, WEIGHTS, budget=2).relative_error, rel=1e-9)


def test_empty_sides_and_zero_matrices():
    for shape in ((0, 4, 5), (3, 0, 5), (3, 4, 0)):
        estimate = matmul(np.ones(shape[:2]), np.ones(shape[1:]))
        np.testing.assert_array_equal(estimate, np.zeros((shape[0], shape[2])))
    for method in ("bernoulli", "with_replacement", "without_replacement", "winner_take_all", "top_k"):
        np.testing.assert_array_equal(matmul(np.zeros((3, 4)), WEIGHTS, method, 2), np.zeros((3, 5)))
        error = product_error(np.zeros((3, 4)), WEIGHTS, method, 2)
        assert error.relative_error == 0.0


def test_seeds_keys_and_generators():
    first = matmul(BATCH, WEIGHTS, budget=2, seed=3)
    np.testing.assert_array_equal(first, matmul(BATCH, WEIGHTS, budget=2, seed=3))
    np.testing.assert_array_equal(first, matmul(BATCH, WEIGHTS, budget=2, seed=make_key(3, Stream.SELECT)))
    one, other = (np.random.default_rng(5) for _ in range(2))
    draws = [matmul(BATCH, WEIGHTS, budget=2, seed=one) for _ in range(8)]
    np.testing.assert_array_equal(draws[0], matmul(BATCH, WEIGHTS, budget=2, seed=other))
    assert any((draw != draws[0]).any() for draw in draws[1:])


@pytest.mark.parametrize("method", [m for m in INNER if m.budget.value == 2], ids=label)
@pytest.mark.parametrize("target", [0.5, 0.05])
def test_budget_for_a_target_is_the_smallest(method, target):
    a, b = RNG.normal(size=(6, 9)), RNG.normal(size=(9, 7))
    pairs = product_error(a, b, method).budget_for(target)

    def error(budget):
        return product_error(a, b, get_method(**{**method.describe(), "budget": budget})).relative_error

    assert error(pairs) <= target * (1 + 1e-12)
    if pairs > 1:
        assert error(pairs - 1) > target


def test_error_with_replacement_is_inverse_to_the_budget():
    one, ten = (product_error(BATCH, WEIGHTS, "with_replacement", c) for c in (1, 10))
    assert one.relative_error == pytest.approx(10 * ten.relative_error)
    assert one.relative_deviation == pytest.approx(one.relative_error**0.5)
    assert one.budget_for(one.relative_error / 1000) in (1000, 1001)


def test_comparison_loads_into_pandas():
    methods = ("exact", "bernoulli", "top_k")
    table = pd.concat([product_error(BATCH, WEIGHTS, m).to_pandas() for m in methods])
    assert list(table["method"]) == list(methods)
    assert (table["multiplications"] > 0).all()
    assert table["relative_error"].iloc[0] == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((BATCH, WEIGHTS.T), "A has 4 columns but B has 5 rows"),
        ((BATCH[0], WEIGHTS), "A has shape (4,); a matrix has two dimensions"),
        ((BATCH, WEIGHTS.astype(complex)), "B has dtype complex128; give float32 or float64"),
        ((np.where(BATCH[1, 2] == BATCH, np.nan, BATCH), WEIGHTS), "A[1, 2]=nan is not a finite number"),
        ((BATCH, WEIGHTS, "dropout"), "method='dropout' samples the output side"),
        ((BATCH, WEIGHTS, "bernouli"), "did you mean 'bernoulli'"),
        ((BATCH, WEIGHTS, "bernoulli", 5), "budget=5 exceeds the 4 items"),
    ],
)
def test_bad_matrices_are_named(arguments, message):
    for function in (matmul, product_error):
        with pytest.raises(InputError, match=re.escape(message)):
            function(*arguments)


def test_large_but_finite_matrices_pass():
    huge = np.full((3, 4), 1e308)
    with np.errstate(over="ignore", invalid="ignore"):
        assert matmul(huge, np.full((4, 2), 1e-300), budget=2).shape == (3, 2)


def test_bad_targets_and_seeds():
    error = product_error(BATCH, WEIGHTS, budget=2)
    with pytest.raises(InputError, match="relative_error=0 must be positive"):
        error.budget_for(0)
    with pytest.raises(InputError, match="seed=-1"):
        matmul(BATCH, WEIGHTS, seed=-1)
    with pytest.raises(InputError, match="leave nothing to sample"):
        product_error(np.ones((0, 2)), np.ones((2, 2)))


def test_exported_lazily():
    assert approxmm.matmul is matmul
    assert approxmm.product_error is product_error
