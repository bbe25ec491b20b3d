"""Projections and codes: against plain NumPy, uncompiled twins, dense against sparse queries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approxmm.errors import InputError
from approxmm.hashing import (
    TRANSFORM_NAMES,
    draw_dense,
    draw_sparse,
    hash_rows,
    hash_sparse,
    hash_vector,
    hash_workspace,
    make_transform,
    pack_items,
    pool_rows,
    project_items,
    projections_bytes,
    squared_norms_into,
    transform_items,
    transform_query,
)


def _draw(kind, seed=0, d=11, K=5, L=4, name="l2_alsh", **options):
    transform = make_transform(name)
    draw = draw_dense if kind == "dense" else draw_sparse
    return draw(np.random.default_rng(seed), d, K, L, transform, **options), transform


def _matrix(planes):
    """All planes as one (groups + extras, K·L) matrix."""
    total = planes.bits * planes.tables
    if planes.by_plane.shape[0]:
        main = planes.by_coordinate[:, :total].astype(np.float64)
        np.testing.assert_array_equal(main, planes.by_plane.T)
        assert not planes.by_coordinate[:, total:].any()
    else:
        main = np.zeros((planes.starts.size - 1, total))
        for c in range(main.shape[0]):
            entries = slice(planes.starts[c], planes.starts[c + 1])
            plane = planes.plane[entries]
            main[c, np.maximum(plane, ~plane)] = np.where(plane >= 0, 1, -1)
    return np.vstack([main, planes.extra_planes])


def _codes(values, K):
    """Plain-Python packing, (items, K·L) to (L, items)."""
    bits = values > 0
    tables = values.shape[1] // K
    return [[sum(int(row[t * K + b]) << b for b in range(K)) for row in bits] for t in range(tables)]


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("pool", [1, 3])
@pytest.mark.parametrize("name", TRANSFORM_NAMES)
def test_codes_equal_those_of_the_written_out_transform(kind, pool, name):
    planes, transform = _draw(kind, pool=pool, name=name, dtype=np.float64)
    rng = np.random.default_rng(5)
    items, query = rng.standard_normal((9, 11)), rng.standard_normal(11)
    before = items.copy(), query.copy()
    pooled = pool_rows(items, pool)
    raw, squared, codes = np.empty((9, 20)), np.empty(9), np.empty((4, 9), np.int64)
    signs = np.empty((9, 1), np.int64)
    project_items(planes, pooled, np.arange(9), 0, 9, raw)
    squared_norms_into(pooled, np.arange(9), 0, 9, squared)
    scale = transform.limit / np.sqrt(squared.max())
    pack_items(planes, transform, scale, raw, squared, codes, signs)
    values = transform_items(pooled, transform) @ _matrix(planes)
    assert codes.tolist() == _codes(values, 5)
    assert signs[:, 0].tolist() == ((values > 0) @ 2 ** np.arange(20)).tolist()
    work, mine = hash_workspace(planes), np.empty(4, np.int64)
    hash_vector(planes, transform, query, work, mine)
    pooled_query = pool_rows(query[None], pool)[0]
    values = transform_query(pooled_query, transform) @ _matrix(planes)
    assert mine.tolist() == [row[0] for row in _codes(values[None], 5)]
    np.testing.assert_allclose(work.projected[:20], values * np.linalg.norm(pooled_query), atol=1e-13)
    np.testing.assert_array_equal(items, before[0])
    np.testing.assert_array_equal(query, before[1])


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["dense", "sparse"]), pool=st.sampled_from([1, 2, 4]))
def test_sparse_query_equals_dense_query(seed, kind, pool):
    planes, transform = _draw(kind, seed, pool=pool, dtype=np.float64)
    rng = np.random.default_rng(seed)
    # Integers over powers of two: sums are exact in any order, zeros and cancelling groups are common.
    query = rng.integers(-1, 2, 11).astype(float)
    where = rng.permutation(np.flatnonzero(query)) if rng.random() < 0.5 else rng.permutation(11)
    work, dense, sparse = hash_workspace(planes), np.empty(4, np.int64), np.empty(4, np.int64)
    hash_vector(planes, transform, query, work, dense)
    projected = work.projected.copy()
    hash_sparse(planes, transform, where, query[where], work, sparse)
    np.testing.assert_allclose(work.projected, projected, atol=1e-13)
    if kind == "sparse" or (np.abs(projected[:20]) > 1e-12).all():
        np.testing.assert_array_equal(dense, sparse)
    assert not work.pooled.any()


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("pool", [1, 4])
def test_compiled_equals_uncompiled(kind, pool):
    planes, transform = _draw(kind, pool=pool, dtype=np.float64)
    if kind == "dense":
        # Small integers: every order of summation is exact.
        planes.by_plane[:] = np.round(2 * planes.by_plane)
        planes.by_coordinate[:, :20] = planes.by_plane.T
    rng = np.random.default_rng(1)
    query = 4.0 * rng.integers(-3, 4, 11)
    items = rng.integers(-3, 4, (6, planes.by_plane.shape[1])).astype(float)
    results = []
    for function in (lambda f: f, lambda f: f.py_func):
        raw, squared, packed = np.empty((6, 20)), np.empty(6), np.empty((4, 6), np.int64)
        signs = np.empty((6, 1), np.int64)
        function(project_items)(planes, items, np.arange(6), 0, 6, raw)
        function(squared_norms_into)(items, np.arange(6), 0, 6, squared)
        function(pack_items)(planes, transform, 0.5 / np.sqrt(squared.max()), raw, squared, packed, signs)
        work, dense, sparse = hash_workspace(planes), np.empty(4, np.int64), np.empty(4, np.int64)
        function(hash_vector)(planes, transform, query, work, dense)
        function(hash_sparse)(planes, transform, np.arange(11), query, work, sparse)
        results.append([raw, squared, packed, signs, dense, sparse, work.projected])
    for compiled, plain in zip(*results, strict=True):
        np.testing.assert_allclose(compiled, plain, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 7, 16, 123, 1000])
def test_a_projection_depends_on_its_item_alone(dtype, d):
    planes, _ = _draw("dense", d=d, dtype=dtype)
    items = np.random.default_rng(2).standard_normal((57, d)).astype(dtype)
    whole = np.empty((57, 20), dtype)
    project_items(planes, items, np.arange(57), 0, 57, whole)
    for rows in ([3], [56, 0], [5, 9, 9, 1, 40], list(range(56, -1, -1))):
        part = np.empty((len(rows), 20), dtype)
        project_items(planes, items, np.array(rows), 0, len(rows), part)
        np.testing.assert_array_equal(part, whole[rows])
    np.testing.assert_allclose(whole, items @ planes.by_plane.T, rtol=0, atol=(20 + 3 * d) * np.finfo(dtype).eps)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_a_batch_of_queries_hashes_as_its_rows(kind):
    planes, transform = _draw(kind)
    rows = np.random.default_rng(3).standard_normal((6, 11)).astype(np.float32)
    rows[2] = 0.0
    work, together, alone = hash_workspace(planes), np.empty((6, 4), np.int64), np.empty(4, np.int64)
    hash_rows(planes, transform, rows, work, together)
    for row, codes in zip(rows, together, strict=True):
        hash_vector(planes, transform, row, work, alone)
        np.testing.assert_array_equal(codes, alone)
    hash_rows.py_func(planes, transform, rows[:1], work, alone[None])
    np.testing.assert_array_equal(alone, together[0])


def test_zero_and_negative_zero_hash_to_code_zero():
    for kind in ("dense", "sparse"):
        planes, transform = _draw(kind)
        work, codes = hash_workspace(planes), np.full(4, -1)
        for query in (np.zeros(11, np.float32), np.full(11, -0.0, np.float32)):
            hash_vector(planes, transform, query, work, codes)
            assert not codes.any()


def test_sixty_two_bits():
    planes, transform = _draw("dense", K=62, L=2, d=3, name="none", dtype=np.float64)
    query = np.array([0.3, -1.0, 0.5])
    codes = np.empty(2, np.int64)
    hash_vector(planes, transform, query, hash_workspace(planes), codes)
    assert codes.tolist() == [row[0] for row in _codes((query @ planes.by_plane.T)[None], 62)]
    assert (codes >= 0).all()


def test_sparse_planes_have_their_density_and_are_never_empty():
    planes, _ = _draw("sparse", d=400, K=10, L=30, name="none", density=0.1)
    # Binomial(120000, 0.1); 6.2 standard deviations of 104: false alarm 1e-9.
    assert abs(planes.plane.size - 12_000) < 6.2 * np.sqrt(120_000 * 0.09)
    assert abs(2 * int((planes.plane >= 0).sum()) - planes.plane.size) < 6.2 * np.sqrt(planes.plane.size)
    tiny, _ = _draw("sparse", d=2, density=1e-6)
    assert np.bincount(np.maximum(tiny.plane, ~tiny.plane), minlength=20).tolist() == [1] * 20
    assert projections_bytes(planes) < 12_600 * 4 + 8 * 401 + 4 * 300 * 6
    again, _ = _draw("sparse", d=400, K=10, L=30, name="none", density=0.1)
    np.testing.assert_array_equal(planes.plane, again.plane)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"K": 63}, "bits = 63: must be an integer between 1 and 62; a code is packed into 62 bits; use more tables"),
        ({"K": 0}, "bits = 0: must be an integer between 1 and 62"),
        ({"K": 2.5}, "bits = 2.5: must be an integer"),
        ({"L": 0}, "tables = 0: must be an integer at least 1; at least one table"),
        ({"d": 0}, "dimension = 0"),
        ({"pool": 12}, "pool = 12: must be an integer between 1 and 11"),
    ],
)
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_bad_input_is_named(kind, change, message):
    with pytest.raises(InputError, match=message):
        _draw(kind, **change)


def test_bad_density_is_named():
    with pytest.raises(InputError, match=r"density = 1\.5: must be above 0 and at most 1"):
        _draw("sparse", density=1.5)
