"""Tables and queries against plain-Python dictionaries and sets."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from approxmm.errors import InputError
from approxmm.hashing import (
    allocate_tables,
    bucket,
    fill_random,
    keep_most_frequent,
    list_in_order,
    probe_codes,
    query_workspace,
    rebuild_tables,
    retrieve,
    subsample,
    tables_bytes,
    update_tables,
)
from approxmm.hashing.query import _pick
from approxmm.random import make_key


def _codes(rng, n, K, L, spread=None):
    # Few distinct codes make full buckets; they are spread over the whole range for large K.
    pool = rng.integers(0, 2**K, size=spread or 5)
    return rng.choice(pool, size=(L, n))


def _build(codes, K):
    tables = allocate_tables(codes.shape[1], K, codes.shape[0])
    tables.codes[:] = codes
    rebuild_tables(tables, 0, codes.shape[0])
    return tables


def _dictionary(codes):
    table = defaultdict(list)
    for item, code in enumerate(codes.tolist()):
        table[code].append(item)
    return table


_SHAPES = st.tuples(
    st.integers(0, 10**6), st.integers(0, 60), st.sampled_from([1, 2, 6, 11, 12, 23, 62]), st.integers(1, 5)
)


@settings(deadline=None, max_examples=150)
@given(shape=_SHAPES)
def test_buckets_equal_a_dictionary(shape):
    seed, n, K, L = shape
    rng = np.random.default_rng(seed)
    codes = _codes(rng, n, K, L)
    tables = _build(codes, K)
    assert (tables.offsets.shape[1] > 0) != (tables.keys.shape[1] > 0) or n == 0
    for table in range(L):
        expected = _dictionary(codes[table])
        for code in [*expected, int(rng.integers(0, 2**K)), 0, 2**K - 1]:
            start, stop = bucket(tables, table, code)
            assert tables.items[table, start:stop].tolist() == expected.get(code, [])
    assert tables_bytes(n, K, L) == sum(array.nbytes for array in tables[1:])


@settings(deadline=None, max_examples=150)
@given(shape=_SHAPES, many=st.booleans())
def test_update_equals_rebuild(shape, many):
    seed, n, K, L = shape
    n = max(n, 1)
    rng = np.random.default_rng(seed)
    codes = _codes(rng, n, K, L)
    tables = _build(codes, K)
    for _ in range(4):
        changed = rng.integers(0, n, size=int(rng.integers(0, n + 1)) if many else 3)
        new = rng.choice(np.append(codes.ravel(), rng.integers(0, 2**K, size=3)), size=(L, n))
        expected = codes.copy()
        expected[:, changed] = new[:, changed]
        moved = update_tables(tables, changed, np.ascontiguousarray(new[:, changed]))
        assert moved == int((expected != codes).sum())
        codes = expected
        fresh = _build(codes, K)
        for mine, other in zip(tables[1:], fresh[1:], strict=True):
            np.testing.assert_array_equal(mine, other)


@settings(deadline=None, max_examples=100)
@given(shape=_SHAPES)
def test_union_frequency_and_ranking_equal_sets(shape):
    seed, n, K, L = shape
    rng = np.random.default_rng(seed)
    codes = _codes(rng, n, K, L)
    tables, work = _build(codes, K), query_workspace(n)
    for _ in range(3):
        wanted = np.stack([rng.choice(codes[t], size=1) if n else np.zeros(1, np.int64) for t in range(L)])
        wanted = np.hstack([wanted, wanted ^ 1])
        buckets = [_dictionary(codes[t])[int(c)] for t in range(L) for c in wanted[t]]
        frequency = Counter(item for found in buckets for item in found)
        count = retrieve(tables, wanted, work)
        found = work.found[:count].tolist()
        assert found == list(dict.fromkeys(item for items in buckets for item in items))
        limit = int(rng.integers(0, n + 1))
        kept = keep_most_frequent(tables, wanted, work, count, limit)
        assert work.found[:kept].tolist() == sorted(found, key=lambda item: -frequency[item])[:limit]


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 30), limit=st.integers(0, 30), minimum=st.integers(0, 40))
def test_cap_and_fill_keep_their_promises(seed, n, limit, minimum):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (2, n))
    tables, work = _build(codes, 2), query_workspace(n)
    count = retrieve(tables, codes[:, :1].copy(), work)
    retrieved = set(work.found[:count].tolist())
    capped = subsample(work, count, limit, make_key(seed))
    assert capped == min(count, limit)
    kept = work.found[:capped].tolist()
    assert set(kept) <= retrieved
    filled = fill_random(work, capped, minimum, make_key(seed, item=1))
    assert filled == max(capped, min(minimum, n))
    result = work.found[:filled].tolist()
    assert result[:capped] == kept
    assert len(set(result)) == filled
    index = np.empty(n, np.int64)
    assert index[: list_in_order(work, index)].tolist() == sorted(result)


@pytest.mark.parametrize("others", [4, 40])
@pytest.mark.parametrize("limit", [2, 4])
def test_cap_and_fill_are_uniform(limit, others):
    """What stays or what goes is drawn, whichever is less; new items from a list or until one is new."""
    draws, n = 6000, 5 + others
    codes = np.repeat([[0, 1]], [5, others], axis=1)
    tables, work = _build(codes, 1), query_workspace(n)
    capped, filled, probe = np.zeros(n, int), np.zeros(n, int), np.zeros((1, 1), np.int64)
    for draw in range(draws):
        count = retrieve(tables, probe, work)
        capped[work.found[: subsample(work, count, limit, make_key(3, item=draw))]] += 1
        count = retrieve(tables, probe, work)
        filled[work.found[5 : fill_random(work, count, 8, make_key(4, item=draw))]] += 1
    assert not capped[5:].any()
    assert not filled[:5].any()
    # Two-sided binomial tails at 1e-9, Bonferroni over the counts.
    for counts, p in ((capped[:5], limit / 5), (filled[5:], 3 / others)):
        tails = np.minimum(stats.binom.cdf(counts, draws, p), stats.binom.sf(counts - 1, draws, p))
        assert (tails > 1e-9 / (2 * n)).all()


def test_uniform_that_rounds_up_stays_within_the_end():
    assert _pick(np.nextafter(1.0, 0.0), 2**31 - 1) == 2**31 - 2


def test_results_do_not_depend_on_earlier_queries():
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 8, (3, 50))
    tables, used = _build(codes, 3), query_workspace(50)
    for query in [*range(20), 0]:
        results = []
        for work in (used, query_workspace(50)):
            count = retrieve(tables, codes[:, query : query + 1].copy(), work)
            count = subsample(work, count, 4, make_key(query))
            results.append(work.found[: fill_random(work, count, 20, make_key(query))].copy())
        np.testing.assert_array_equal(*results)


def test_probes_flip_the_least_confident_bits_first():
    projected = np.array([0.5, -0.1, 2.0, -3.0, 0.2, 0.2, 9.0, 9.0])
    probes = np.empty((2, 4), np.int64)
    probe_codes(projected, 3, np.array([0b101, 0b110]), probes)
    assert probes.tolist() == [[0b101, 0b111, 0b100, 0b001], [0b110, 0b100, 0b010, 0b111]]
    twin = np.empty_like(probes)
    probe_codes.py_func(projected, 3, np.array([0b101, 0b110]), twin)
    np.testing.assert_array_equal(twin, probes)


@pytest.mark.parametrize("K", [4, 40])
def test_compiled_equals_uncompiled(K):
    rng = np.random.default_rng(7)
    codes = _codes(rng, 30, K, 3)
    tables, twin = _build(codes, K), allocate_tables(30, K, 3)
    twin.codes[:] = codes
    rebuild_tables.py_func(twin, 0, 3)
    changed, new = np.array([3, 9]), np.ascontiguousarray(codes[:, [4, 5]])
    assert update_tables(tables, changed, new) == update_tables.py_func(twin, changed, new)
    for mine, other in zip(tables[1:], twin[1:], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert bucket(tables, 1, int(codes[1, 0])) == bucket.py_func(tables, 1, int(codes[1, 0]))
    results = []
    for function in (lambda f: f, lambda f: f.py_func):
        work = query_workspace(30)
        count = function(retrieve)(tables, codes[:, :1].copy(), work)
        count = function(keep_most_frequent)(tables, codes[:, :1].copy(), work, count, 10)
        count = function(subsample)(work, count, 5, make_key(1))
        results.append(work.found[: function(fill_random)(work, count, 12, make_key(2))].copy())
    np.testing.assert_array_equal(*results)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="bits = 63: must be an integer between 1 and 62"):
        allocate_tables(5, 63, 1)
    with pytest.raises(InputError, match="bits = 0"):
        allocate_tables(5, 0, 1)
    with pytest.raises(InputError, match="tables = 0"):
        allocate_tables(5, 6, 0)
    with pytest.raises(InputError, match="count = -1"):
        allocate_tables(-1, 6, 1)
    with pytest.raises(InputError, match="count = -1"):
        query_workspace(-1)
