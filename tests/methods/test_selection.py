"""The compiled draws of all methods, against the law and against the uncompiled twin."""

from __future__ import annotations

import numpy as np
import pytest
from method_cases import cases, fits, importance_laws, keeps_scale, label, lags, scale_free

from approxmm.methods import get_method, select
from approxmm.methods.draws import column_norms, fill_scales
from approxmm.random import Stream, make_key
from approxmm.testing.checks import check_draws, check_form, check_refresh, leaves, read_size, selected

METHODS = cases((0.25, 0.5, 3, 1.0))
LAWS = importance_laws(METHODS)
WEIGHTS = np.array([[0.3, -1.2, 0.0, 2.0], [1.0, 0.0, 0.5, -0.5], [0.0, 0.0, 0.0, 0.0], [2.0, 0.1, 0.1, 0.3]])
SIDES = {
    "plain": np.array([0.7, -1.1, 0.4, 0.2]),
    "zeros": np.array([0.0, 3.0, 1.0, 0.0]),
    "ties": np.array([1.0, 1.0, -1.0, 1.0]),
    "dominant": np.array([0.01, 50.0, 0.3, -0.02]),
    "nothing": np.zeros(4),
}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("method", LAWS, ids=label)
def test_draws_follow_the_law(method, side):
    check_draws(method, WEIGHTS, SIDES[side])


@pytest.mark.parametrize("method", importance_laws(cases((0.5,))), ids=label)
def test_single_precision_draws_follow_the_law(method):
    check_draws(method, WEIGHTS.astype(np.float32), SIDES["plain"].astype(np.float32))


@pytest.mark.parametrize("method", METHODS, ids=label)
def test_selection_is_well_formed(method):
    for x in SIDES.values():
        check_form(method, WEIGHTS, x)


@pytest.mark.parametrize("method", METHODS, ids=label)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_selection_is_its_uncompiled_twin(method, dtype):
    twin = select.implementation(type(method.build([WEIGHTS]))).py_func
    for item in range(30):
        key = make_key(9, Stream.SELECT, step=2, layer=1, item=item)
        for x in SIDES.values():
            index, scale = selected(method, WEIGHTS.astype(dtype), x.astype(dtype), key, dtype=dtype)
            slow_index, slow_scale = selected(method, WEIGHTS.astype(dtype), x.astype(dtype), key, twin, dtype)
            np.testing.assert_array_equal(index, slow_index)
            # A compiler may divide where the interpreter multiplies: the last bit is not promised.
            np.testing.assert_allclose(scale, slow_scale, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("method", METHODS, ids=label)
def test_same_key_same_bits_and_other_keys_differ(method):
    rng = np.random.default_rng(2)
    weights, x = rng.normal(size=(40, 40)), rng.normal(size=40)
    base = make_key(1, Stream.SELECT, step=1, layer=1, item=1)
    first = selected(method, weights, x, base)
    again = selected(method, weights, x, base)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    if method.claims.deterministic or (method.claims.exact_at_full_budget and method.budget.value == 1.0):
        return
    if method.claims.random_build:  # its draw is the build's, see test_alsh.py
        return
    for field in base._fields:
        other = selected(method, weights, x, base._replace(**{field: getattr(base, field) + 1}))
        assert len(first[0]) != len(other[0]) or (first[0] != other[0]).any(), field


@pytest.mark.parametrize("method", [m for m in METHODS if scale_free(m)], ids=label)
@pytest.mark.parametrize("factor", [1e-30, 1e30, 1e-310, 1e300])
def test_draws_do_not_depend_on_the_scale_of_the_input(method, factor):
    """Down to denormals: the chosen input is a few multiples of the smallest steps there."""
    x = np.array([4.0, 1.0, 2.0, 8.0])
    for item in range(20):
        key = make_key(4, Stream.SELECT, item=item)
        plain, scaled = (selected(method, np.ones((4, 4)), v, key) for v in (x, x * factor))
        np.testing.assert_array_equal(plain[0], scaled[0])
        np.testing.assert_allclose(plain[1], scaled[1], rtol=1e-12)


@pytest.mark.parametrize("method", [m for m in LAWS if m.claims.reads == "input"], ids=label)
def test_smallest_denormals_are_drawn_fairly(method):
    """Two equal pairs: sums on the denormals' coarse grid would draw one three times as often as the other."""
    check_draws(method, np.ones((2, 1)), np.full(2, 5e-324)) if fits(method, 2) else None


@pytest.mark.parametrize("method", METHODS, ids=label)
def test_one_item(method):
    if fits(method, 1):
        if method in LAWS:
            check_draws(method, np.array([[2.5]]), np.array([-1.5]), trials=4000)
        check_form(method, np.array([[2.5]]), np.array([-1.5]))


@pytest.mark.parametrize("method", cases((1.0,)), ids=label)
def test_full_budget_is_the_exact_product_where_claimed(method):
    if not method.claims.exact_at_full_budget:
        return
    rng = np.random.default_rng(0)
    for scale in (1.0, 1e-20, 1e20):
        weights, x = rng.lognormal(0, 3, (60, 60)), scale * rng.lognormal(0, 4, 60) * rng.choice([0, 1, -1], 60)
        for item in range(20):
            index, factors = selected(method, weights, x, make_key(0, item=item))
            np.testing.assert_array_equal(factors, 1.0)
            assert method.claims.side == "output" or set(np.flatnonzero(x)) <= set(index)
            assert method.claims.side == "inner" or len(index) == 60


@pytest.mark.parametrize("method", METHODS, ids=label)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_visible(method, bad):
    """A selection may not hide a diverged value by leaving it out (a law that reads no data may)."""
    x = np.array([0.5, bad, 1.0, 2.0])
    index, scale = selected(method, np.ones((4, 4)), x, make_key(5))
    if method.claims.reads != "nothing":
        assert 1 in index
        assert np.isfinite(scale).all()


@pytest.mark.parametrize("method", [m for m in cases((0.5,)) if not (lags(m) or m.claims.observes)], ids=label)
def test_refresh_equals_a_new_state(method):
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(7, 5))
    new = rng.normal(size=(2, 5) if method.claims.side == "inner" else (7, 2))
    longest = weights.copy()
    longest[0], longest[:, 0] = 4.0, 4.0  # item 0 of either side stays the longest
    for start in (longest,) if keeps_scale(method) else (weights, longest):
        check_refresh(method, start, [1, 4], new)
        check_refresh(method, start.astype(np.float32), [1, 4], new.astype(np.float32))


@pytest.mark.parametrize("method", cases((0.5,)), ids=label)
def test_layers_of_different_sizes_share_a_state(method):
    rng = np.random.default_rng(8)
    stack = [rng.normal(size=shape) for shape in ((6, 3), (3, 9), (9, 4))]
    state = method.build(stack)
    for layer, weights in enumerate(stack):
        size = method.side_length(weights)
        x, key = rng.normal(size=read_size(method, weights)), make_key(6, item=layer)
        index, scale = np.empty(size, dtype=np.int64), np.empty(size)
        count = select(state, layer, x, key, index, scale)
        own = method.prepare([weights], key=make_key(0, Stream.BUILD, layer=1 + layer))
        alone = selected(method, weights, x, key, state=own)
        np.testing.assert_array_equal(index[:count], alone[0])
        np.testing.assert_array_equal(scale[:count], alone[1])


@pytest.mark.parametrize("method", cases((0.5,)), ids=label)
def test_read_only_and_strided_arrays_at_the_public_level(method):
    rng = np.random.default_rng(3)
    weights, x = rng.normal(size=(6, 6)), rng.normal(size=6)
    frozen, strided = weights.copy(), np.asfortranarray(weights)
    frozen.setflags(write=False)
    wide = np.repeat(x, 2)[::2]
    for W, v in ((frozen, x), (strided, wide)):
        if method in LAWS:
            law, expected = method.scale_moments(v, W), method.scale_moments(x, weights)
            np.testing.assert_allclose(law.diagonal, expected.diagonal, rtol=1e-13)
        for a, b in zip(leaves(method.build([W])), leaves(method.build([weights])), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)  # NumPy sums in another order


@pytest.mark.parametrize("method", [m for m in cases((0.5,)) if m.claims.side == "inner"], ids=label)
def test_shared_draw_is_the_draw_for_the_column_norms(method):
    rng = np.random.default_rng(4)
    weights, batch, key = rng.normal(size=(5, 5)), rng.normal(size=(3, 5)), make_key(2, Stream.SELECT)
    out = np.empty_like(batch)
    fill_scales(method.build([weights]), 0, batch, len(batch), key, out)
    index, scale = selected(method, weights, np.sqrt((batch**2).sum(axis=0)), key)
    expected = np.zeros(5)
    expected[index] = scale
    np.testing.assert_allclose(out, np.tile(expected, (3, 1)), rtol=1e-12)


def test_rows_of_separate_draws_are_keyed_by_item():
    method, weights = get_method("dropout", 0.5), np.ones((3, 20))
    whole, last = np.empty((4, 20)), np.empty((1, 20))
    fill_scales(method.build([weights]), 0, np.ones((4, 20)), 1, make_key(1, item=10), whole)
    fill_scales(method.build([weights]), 0, np.ones((1, 20)), 1, make_key(1, item=13), last)
    np.testing.assert_array_equal(whole[3], last[0])
    assert (whole[0] != whole[1]).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("factor", [1.0, 1e-30, 1e30])
def test_column_norms(dtype, factor):
    batch = (np.random.default_rng(0).normal(size=(5, 4)) * factor).astype(dtype)
    batch[:, 2] = 0
    for rows in (batch, batch[:1]):
        for kernel in (column_norms, column_norms.py_func):
            out = np.empty(4, dtype=dtype)
            kernel(rows, out)
            expected = np.linalg.norm(rows.astype(np.float64), axis=0)
            np.testing.assert_allclose(out, expected, rtol=8 * np.finfo(dtype).eps)
