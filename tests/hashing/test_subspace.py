"""Principal-subspace screening."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approxmm.errors import InputError
from approxmm.hashing import (
    add_rows,
    principal_basis,
    project_weights,
    refresh_columns,
    screening_bound,
    step_columns,
    subspace_bytes,
)


def _low_rank(rng, B=40, n=24, rank=5, noise=0.05):
    return rng.standard_normal((B, rank)) * 3 @ rng.standard_normal((rank, n)) + noise * rng.standard_normal((B, n))


def _scores(basis, projected, a, bias):
    t, s = np.zeros(basis.shape[1], basis.dtype), bias.astype(basis.dtype)
    where = np.flatnonzero(a)
    add_rows(basis, where, a[where], t)
    add_rows(projected, np.arange(t.size), t, s)
    return t, s


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    rank=st.integers(1, 12),
    dtype=st.sampled_from([np.float32, np.float64]),
    near=st.booleans(),
)
def test_scores_stay_within_the_screening_bound(seed, rank, dtype, near):
    rng = np.random.default_rng(seed)
    inputs = _low_rank(rng).astype(dtype)
    weights, bias = rng.standard_normal((24, 30)).astype(dtype), rng.standard_normal(30).astype(dtype)
    basis = principal_basis(inputs, rank)
    projected = project_weights(basis, weights)
    a = inputs[0] if near else rng.standard_normal(24).astype(dtype)
    _, s = _scores(basis, projected, a, bias)
    wide = weights.astype(np.float64)
    exact = a.astype(np.float64) @ wide + bias
    rounding = 200 * np.finfo(dtype).eps * (np.linalg.norm(a) * np.linalg.norm(wide, axis=0) + np.abs(bias))
    bound = screening_bound(basis, a[None], weights)[0]
    assert (np.abs(s - exact) <= bound + rounding).all()
    if dtype == np.float64 and not near:
        # Half of it, a broken twin, is exceeded by weights along the residual.
        residual = a - basis @ (basis.T @ a)
        along = residual[:, None]
        gap = abs(a @ along[:, 0] - (a @ basis) @ (basis.T @ along)[:, 0])
        assert gap == pytest.approx(screening_bound(basis, a[None], along)[0, 0], rel=1e-9)


@pytest.mark.parametrize("randomised", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_basis_is_orthonormal_deterministic_and_captures_the_energy(randomised, dtype):
    data = _low_rank(np.random.default_rng(1), B=80, n=50).astype(dtype)
    before = data.copy()

    def fresh():
        return np.random.default_rng(7) if randomised else None

    basis = principal_basis(data, 5, rng=fresh())
    np.testing.assert_array_equal(data, before)
    np.testing.assert_array_equal(basis, principal_basis(data, 5, rng=fresh()))
    assert basis.shape == (50, 5)
    assert basis.dtype == dtype
    assert basis.flags.c_contiguous
    np.testing.assert_allclose(basis.T @ basis, np.eye(5), atol=20 * np.finfo(dtype).eps)
    assert (basis[np.argmax(np.abs(basis), axis=0), np.arange(5)] > 0).all()
    optimum = np.sum(np.linalg.svd(data.astype(np.float64), compute_uv=False)[5:] ** 2)
    left = np.sum((data - (data @ basis) @ basis.T).astype(np.float64) ** 2)
    assert left <= optimum * (1 + 1e-3)


def test_full_rank_basis_loses_nothing_and_zero_buffer_still_gives_a_basis():
    rng = np.random.default_rng(2)
    data, weights = rng.standard_normal((9, 6)), rng.standard_normal((6, 4))
    basis = principal_basis(data, 6)
    assert screening_bound(basis, data, weights).max() < 1e-13
    for source in (None, rng):
        frame = principal_basis(np.zeros((9, 6)), 3, rng=source)
        np.testing.assert_allclose(frame.T @ frame, np.eye(3), atol=1e-12)


def test_upkeep_follows_the_weights():
    rng = np.random.default_rng(3)
    data, weights = _low_rank(rng), rng.standard_normal((24, 30))
    basis = principal_basis(data, 6)
    projected = project_weights(basis, weights)
    for _ in range(10):
        changed, c, a = rng.choice(30, 5, replace=False), rng.standard_normal(5), rng.standard_normal(24)
        t, _ = _scores(basis, projected, a, np.zeros(30))
        weights[:, changed] += np.outer(a, c)
        step_columns(projected, t, changed, c)
    np.testing.assert_allclose(projected, basis.T @ weights, atol=1e-12)
    weights[:, [0, 29]] = 7.0
    refresh_columns(projected, basis, weights, [0, 29])
    np.testing.assert_allclose(projected, basis.T @ weights, atol=1e-12)


@pytest.mark.parametrize("rank", [1, 3, 8, 17])
def test_kernel_equals_numpy_twin_for_inputs_in_any_order(rank):
    rng = np.random.default_rng(rank)
    basis, projected = rng.integers(-3, 4, (20, rank)).astype(float), rng.integers(-3, 4, (rank, 33)).astype(float)
    a, bias = rng.integers(-2, 3, 20).astype(float), rng.integers(-2, 3, 33).astype(float)
    t, s = _scores(basis, projected, a, bias)
    np.testing.assert_array_equal(t, a @ basis)
    np.testing.assert_array_equal(s, a @ basis @ projected + bias)
    where = rng.permutation(np.flatnonzero(a))
    for kernel in (add_rows, add_rows.py_func):
        twin = np.zeros(rank)
        kernel(basis, where, a[where], twin)
        np.testing.assert_array_equal(twin, t)
    assert subspace_bytes(20, 33, rank, 8) == basis.nbytes + projected.nbytes


def test_divergence_stays_visible_in_scores():
    bias = np.zeros(5)
    bias[2], bias[3] = np.nan, np.inf
    _, s = _scores(np.ones((4, 2)), np.ones((2, 5)), np.ones(4), bias)
    assert np.isnan(s[2])
    assert np.isinf(s[3])


def test_bad_input_is_named():
    data = np.ones((4, 6))
    with pytest.raises(InputError, match="rank = 5: must be an integer between 1 and 4; buffer more inputs"):
        principal_basis(data, 5)
    with pytest.raises(InputError, match="rank = 0"):
        principal_basis(data, 0)
    with pytest.raises(InputError, match="inputs contains nan"):
        principal_basis(data * np.nan, 1)
    with pytest.raises(InputError, match="weights has 5 rows: must have the basis's 6"):
        project_weights(np.ones((6, 2)), np.ones((5, 3)))
    with pytest.raises(InputError, match="weights has 5 rows: must have the basis's 6"):
        screening_bound(np.ones((6, 2)), data, np.ones((5, 3)))
    with pytest.raises(InputError, match=r"inputs has shape \(4, 6\): must have 7 columns"):
        screening_bound(np.ones((7, 2)), data, np.ones((7, 3)))
    with pytest.raises(InputError, match=r"changed contains 3: must lie in \[0, 3\)"):
        refresh_columns(np.ones((2, 3)), np.ones((6, 2)), np.ones((6, 3)), [3])
    with pytest.raises(InputError, match=r"coefficients has shape \(2,\)"):
        step_columns(np.ones((2, 3)), np.ones(2), [1], [1.0, 2.0])
