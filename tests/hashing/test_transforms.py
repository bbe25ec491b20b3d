"""MIPS transforms: their identities, zero vectors, checks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approxmm.errors import InputError
from approxmm.hashing import (
    TRANSFORM_NAMES,
    fit_scale,
    item_extra,
    make_transform,
    mips_angles,
    pairwise_angles,
    pool_rows,
    query_angles,
    transform_items,
    transform_query,
)

_SEEDS = st.integers(0, 2**32 - 1)


def _random(seed, n=7, d=5):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * rng.uniform(0.1, 3, (n, 1)), rng.standard_normal(d)


@settings(deadline=None, max_examples=60)
@given(seed=_SEEDS, m=st.integers(1, 5), U=st.floats(0.05, 0.99))
def test_identities_of_the_sources(seed, m, U):
    items, query = _random(seed)
    scale = U / np.linalg.norm(items, axis=1).max()
    r = (np.linalg.norm(items, axis=1) * scale) ** 2
    inner = items @ query * scale / np.linalg.norm(query)
    for name in ("l2_alsh", "sign_alsh", "simple_lsh"):
        transform = make_transform(name, U, m)
        P, Q = transform_items(items, transform), transform_query(query, transform)
        assert P.shape == (7, 5 + transform.extras)
        assert Q.shape == (5 + transform.extras,)
        if name == "l2_alsh":
            distance = np.sum((P - Q) ** 2, axis=1)
            np.testing.assert_allclose(distance, 1 + m / 4 - 2 * inner + r ** (2**m), rtol=1e-12)
        else:
            np.testing.assert_allclose(P @ Q, inner, atol=1e-14)
            np.testing.assert_allclose(np.linalg.norm(Q), 1.0, rtol=1e-14)
            squared = m / 4 + r ** (2**m) if name == "sign_alsh" else np.ones(7)
            np.testing.assert_allclose(np.sum(P**2, axis=1), squared, rtol=1e-12)


def test_simple_lsh_orders_by_inner_product():
    items, query = _random(3, n=50)
    theta, _ = mips_angles(items, query, make_transform("simple_lsh"))
    np.testing.assert_array_equal(np.argsort(theta), np.argsort(-(items @ query)))


@pytest.mark.parametrize("name", TRANSFORM_NAMES)
def test_virtual_extras_equal_written_ones_and_inputs_stay(name):
    items, query = _random(4)
    before = items.copy(), query.copy()
    transform = make_transform(name, 0.9, 3)
    scale = fit_scale(transform, np.sum(items**2, axis=1))
    P = transform_items(items, transform)
    transform_query(query, transform)
    np.testing.assert_array_equal(items, before[0])
    np.testing.assert_array_equal(query, before[1])
    for j in range(items.shape[0]):
        r = float(np.sum(items[j] ** 2)) * scale**2
        for e in range(transform.extras):
            assert item_extra(transform, r, e) == pytest.approx(P[j, 5 + e], rel=1e-12)
            assert item_extra.py_func(transform, r, e) == item_extra(transform, r, e)
    # An item that outgrew the scale keeps real coordinates.
    assert np.isfinite(transform_items(items * 5, transform, scale)).all()
    assert all(np.isfinite(item_extra(transform, 7.0, e)) for e in range(transform.extras))


@pytest.mark.parametrize("name", TRANSFORM_NAMES)
def test_zero_vectors(name):
    transform = make_transform(name)
    assert not transform_query(np.zeros(4), transform).any()
    zeros = transform_items(np.zeros((2, 4)), transform)
    assert np.isfinite(zeros).all()
    assert zeros.any() == (name in ("sign_alsh", "simple_lsh"))
    assert fit_scale(transform, np.zeros(2)) == 1.0
    assert fit_scale(transform, np.zeros(0)) == 1.0


def test_angles_are_accurate_near_zero_and_pi():
    t = np.array([0.0, 1e-15, 1e-9, 1e-4, 0.1, 1.0, np.pi / 2, 3.0, np.pi - 1e-9, np.pi])
    circle = np.stack([np.cos(t), np.sin(t)], axis=1) * np.array([1e-200, 1, 1e200] * 3 + [1])[:, None]
    np.testing.assert_allclose(query_angles(circle, [1.0, 0.0]), t, rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(pairwise_angles(circle), np.abs(t[:, None] - t), rtol=1e-6, atol=4e-16)
    near = pairwise_angles(circle[:3])
    assert near[0, 1] == pytest.approx(1e-15, rel=1e-12)
    # The zero vector: π/2 with others, 0 with itself.
    rows = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    np.testing.assert_array_equal(query_angles(rows, [0.0, 0.0]), [0.0, np.pi / 2, 0.0])
    np.testing.assert_array_equal(query_angles(rows, [1.0, 0.0]), [np.pi / 2, 0.0, np.pi / 2])
    half = np.pi / 2
    np.testing.assert_array_equal(pairwise_angles(rows), [[0, half, 0], [half, 0, half], [0, half, 0]])


def test_pooling_averages_groups():
    items = np.arange(14.0).reshape(2, 7)
    np.testing.assert_array_equal(pool_rows(items, 3), [[1, 4, 6], [8, 11, 13]])
    assert pool_rows(items, 1) is items
    pooled = mips_angles(items, items[0] + 1, make_transform("simple_lsh"), pool=3)[0]
    direct = mips_angles(pool_rows(items, 3), pool_rows(items[:1] + 1, 3)[0], make_transform("simple_lsh"))[0]
    np.testing.assert_array_equal(pooled, direct)


def test_bad_input_is_named():
    with pytest.raises(InputError, match=r"U = 1\.0: must lie strictly between 0 and 1; the literature uses 0\.83"):
        make_transform("simple_lsh", U=1.0)
    with pytest.raises(InputError, match="U = nan"):
        make_transform("simple_lsh", U=float("nan"))
    with pytest.raises(InputError, match="m = 0: must be an integer at least 1"):
        make_transform("l2_alsh", m=0)
    with pytest.raises(InputError, match="name = 'lsh': must be one of none, l2_alsh"):
        make_transform("lsh")
    with pytest.raises(InputError, match="items contains nan: must be finite"):
        transform_items(np.array([[1.0, np.nan]]), make_transform("none"))
    with pytest.raises(InputError, match=r"query has shape \(3,\): must be \(2,\)"):
        query_angles(np.ones((1, 2)), np.ones(3))
    with pytest.raises(InputError, match="items has 1 dimensions: must have 2"):
        transform_items(np.ones(3), make_transform("none"))
    with pytest.raises(InputError, match="pool = 0"):
        mips_angles(np.ones((1, 2)), np.ones(2), make_transform("none"), pool=0)
    with pytest.raises(InputError, match="dtype complex128: must be float32 or float64"):
        query_angles(np.ones((1, 2), complex), np.ones(2))
