"""The index as a whole: threads, upkeep, recall, inputs untouched."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approxmm.errors import InputError
from approxmm.hashing import (
    TRANSFORM_NAMES,
    build_index,
    check_fresh,
    draw_dense,
    draw_sparse,
    expected_recall,
    expected_size,
    find,
    index_bytes,
    make_transform,
    mips_angles,
    recode_items,
    rescale_index,
    step_index,
    update_index,
)
from approxmm.hashing.parallel import in_shards


def _setting(seed=0, n=60, d=12, K=4, L=5, name="sign_alsh", dtype=np.float32, draw=draw_dense, pool=1):
    rng = np.random.default_rng(seed)
    transform = make_transform(name)
    planes = draw(rng, d, K, L, transform, pool=pool, dtype=dtype)
    return rng.standard_normal((n, d)).astype(dtype), planes, transform, rng


def _same(one, two):
    for mine, other in zip(
        [one.scale, one.raw, one.squared_norms, *one.tables[1:]],
        [two.scale, two.raw, two.squared_norms, *two.tables[1:]],
        strict=True,
    ):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("draw", [draw_dense, draw_sparse])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_for_any_number_of_threads_and_any_layout(draw, dtype):
    items, planes, transform, _ = _setting(n=1003, dtype=dtype, draw=draw)
    frozen = items.copy()
    frozen.setflags(write=False)
    first = build_index(items, planes, transform)
    np.testing.assert_array_equal(items, frozen)
    for threads in (2, 4):
        _same(first, build_index(items, planes, transform, threads=threads))
    _same(first, build_index(frozen, planes, transform))
    _same(first, build_index(np.asfortranarray(items), planes, transform))
    wide = np.zeros((1003, 24), dtype)
    wide[:, ::2] = items
    _same(first, build_index(wide[:, ::2], planes, transform))


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 10**6),
    name=st.sampled_from(TRANSFORM_NAMES),
    draw=st.sampled_from([draw_dense, draw_sparse]),
    pool=st.sampled_from([1, 5]),
    K=st.sampled_from([3, 40]),
)
def test_incremental_update_equals_a_full_build(seed, name, draw, pool, K):
    items, planes, transform, rng = _setting(seed, name=name, draw=draw, pool=pool, K=K)
    index = build_index(items, planes, transform)
    longest = int(np.argmax(index.squared_norms))
    for size in (1, 3, 40):
        changed = np.setdiff1d(rng.integers(0, 60, size), [longest])
        items[changed] *= rng.uniform(-1.0, 1.0, (changed.size, 1)).astype(np.float32)
        update_index(index, items, changed, threads=2)
        _same(index, build_index(items, planes, transform))


def test_growing_items_keep_the_scale_until_rescaled():
    items, planes, transform, _ = _setting(name="simple_lsh")
    index = build_index(items, planes, transform)
    scale = index.scale[0]
    items[7] *= 10
    update_index(index, items, [7])
    assert index.scale[0] == scale
    rescale_index(index)
    _same(index, build_index(items, planes, transform))
    assert index.scale[0] < scale


@pytest.mark.parametrize("draw", [draw_dense, draw_sparse])
def test_gradient_steps_follow_the_items(draw):
    items, planes, transform, rng = _setting(name="sign_alsh", dtype=np.float64, draw=draw)
    index = build_index(items, planes, transform)
    total = 0
    for _ in range(20):
        changed = rng.choice(60, 7, replace=False)
        x = rng.standard_normal(12) * (rng.random(12) < 0.5)
        c = 0.3 * rng.standard_normal(7)
        total += step_index(index, changed, c, x, items[changed] @ x)
        items[changed] += np.outer(c, x)
    assert total > 20
    scale = index.scale.copy()
    fresh = build_index(items, planes, transform)
    np.testing.assert_allclose(index.raw, fresh.raw, atol=1e-12)
    np.testing.assert_allclose(index.squared_norms, fresh.squared_norms, rtol=1e-12)
    rescale_index(index)
    # Seeded: no projection lies within rounding of 0, so the codes agree exactly.
    np.testing.assert_array_equal(index.tables.items, fresh.tables.items)
    assert scale[0] != index.scale[0]
    assert recode_items.py_func(index, np.arange(60)) == 0


def test_stale_index_is_refused():
    for pool in (1, 3):
        items, planes, transform, rng = _setting(pool=pool)
        index = build_index(items, planes, transform)
        check_fresh(index, items)
        items[[5, 9]] += 0.01 * rng.standard_normal((2, 12)).astype(np.float32)
        with pytest.raises(
            InputError, match=r"index is stale for 2 items, first items\[5\]: must match the items; call"
        ):
            check_fresh(index, items)
        update_index(index, items, [5, 9])
        check_fresh(index, items)


def test_recall_against_brute_force_follows_the_closed_form():
    items, query_count, k = np.random.default_rng(5).standard_normal((200, 16)), 60, 10
    transform = make_transform("simple_lsh")
    rng = np.random.default_rng(6)
    recall, law, size = {}, {}, {}
    for K, L in ((2, 3), (4, 3), (4, 30)):
        found, expected, sizes = [], [], []
        for _ in range(query_count):
            query = rng.standard_normal(16)
            scores = items @ query
            top = np.argsort(-scores)[:k]
            index = build_index(items, draw_dense(rng, 16, K, L, transform, dtype=np.float64), transform)
            found.append(np.isin(top, find(index, query)).mean())
            theta, _ = mips_angles(items, query, transform)
            expected.append(expected_recall(theta, scores, k, K, L))
            sizes.append(expected_size(theta, K, L) / 200)
        recall[K, L], law[K, L], size[K, L] = np.mean(found), np.mean(expected), np.mean(sizes)
        # Hoeffding for independent means in [0, 1]: 2 exp(-2 N t²) ≤ 1e-9 at t = sqrt(ln(2e9)/(2N)).
        assert abs(recall[K, L] - law[K, L]) < np.sqrt(np.log(2e9) / (2 * query_count))
        assert law[K, L] > size[K, L]
    assert law[4, 3] < law[2, 3] < law[4, 30]
    assert recall[4, 3] < recall[4, 30]


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scales_give_the_codes_of_ordinary_ones(scale, dtype):
    items, planes, transform, _ = _setting(dtype=dtype)
    power = dtype(2.0 ** np.round(np.log2(scale)))
    one = build_index(items, planes, transform)
    np.testing.assert_array_equal(one.tables.codes, build_index(items * power, planes, transform).tables.codes)


def test_degenerate_shapes():
    items, planes, transform, _ = _setting(d=1, n=1)
    assert find(build_index(items, planes, transform), items[0]).tolist() == [0]
    empty = build_index(np.empty((0, 1), np.float32), planes, transform)
    assert find(empty, items[0]).size == 0
    assert update_index(empty, np.empty((0, 1)), []) == 0
    zeros = build_index(np.zeros((3, 1)), planes, make_transform("sign_alsh"))
    assert np.isfinite(zeros.scale).all()
    assert index_bytes(zeros) > 0


def test_bad_input_is_named():
    items, planes, transform, _ = _setting()
    index = build_index(items, planes, transform)
    broken = items.copy()
    broken[3, 4] = np.nan
    with pytest.raises(InputError, match="items has entries up to nan: must be finite"):
        build_index(broken, planes, transform)
    before = index.raw.copy()
    with pytest.raises(InputError, match="items has entries up to nan: must be finite"):
        update_index(index, broken, [3])
    np.testing.assert_array_equal(index.raw, before)
    with pytest.raises(InputError, match=r"items has shape \(60, 11\): must have 12 columns"):
        build_index(items[:, :11], planes, transform)
    with pytest.raises(InputError, match="items has 59 rows: must have the index's 60; build a new index"):
        update_index(index, items[:59], [3])
    with pytest.raises(InputError, match=r"changed contains 60: must lie in \[0, 60\)"):
        update_index(index, items, [60])
    with pytest.raises(InputError, match="changed contains -1"):
        update_index(index, items, [-1, 3])
    with pytest.raises(InputError, match=r"changed has shape \(1,\) and dtype float64"):
        update_index(index, items, [0.5])
    with pytest.raises(InputError, match="transform adds 1 coordinates: must be the 3"):
        build_index(items, planes, make_transform("simple_lsh"))
    with pytest.raises(InputError, match=r"query has shape \(11,\)"):
        find(index, np.ones(11))
    with pytest.raises(InputError, match="query contains inf: must be finite"):
        find(index, np.full(12, np.inf))
    with pytest.raises(InputError, match="changed has 2 entries with repetitions"):
        step_index(index, [1, 1], [0.0, 0.0], items[0], [0.0, 0.0])
    with pytest.raises(InputError, match=r"products has shape \(2,\)"):
        step_index(index, [1], [0.0], items[0], [0.0, 0.0])
    with pytest.raises(InputError, match="threads = 0"):
        build_index(items, planes, transform, threads=0)
    pooling = _setting(pool=2)
    with pytest.raises(InputError, match="index pools groups of 2: must not pool to be stepped"):
        step_index(build_index(*pooling[:3]), [1], [0.0], items[0], [0.0])


def test_shards_cover_the_range_once_and_raise():
    for count, threads, align, least in ((0, 3, 4, 1), (1, 3, 4, 1), (17, 3, 4, 1), (64, 2, 1, 40), (64, 4, 16, 2)):
        seen = []
        in_shards(lambda first, last, seen=seen: seen.append((first, last)), count, threads, align=align, least=least)
        edges = sorted(seen)
        assert edges[0][0] == 0
        assert edges[-1][1] == count
        assert all(a[1] == b[0] for a, b in pairwise(edges))
        assert all(first % align == 0 for first, _ in edges)

    def fail(first, last):
        if first > 0:
            raise ValueError("from a thread")

    with pytest.raises(ValueError, match="from a thread"):
        in_shards(fail, 8, 2)
