"""Index methods in per-example training: sparse inputs, changes that are followed, threads that share a state."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from approxmm.compile import compiled
from approxmm.methods import (
    SparseVector,
    Usage,
    follow,
    follow_node,
    follow_nodes,
    follows,
    get_method,
    observe,
    refresh,
    select,
    select_sparse,
)
from approxmm.methods._hashed import index_of
from approxmm.methods._packed import matrix_of
from approxmm.methods._screening import BASIS, PROJECTED
from approxmm.random import Key, Stream, make_key

N, M = 40, 90
NOTHING = np.empty(0, np.int64)


def weights(seed=0):
    return np.random.default_rng(seed).standard_normal((N, M))


def sparse(x):
    items, values, where = np.zeros(x.size, np.int64), np.zeros_like(x), np.flatnonzero(x)
    items[: where.size], values[: where.size] = where, x[where]
    return SparseVector(x, items, values, where.size)


def thin(rng):
    return rng.standard_normal(N) * (rng.random(N) < 0.3)


def steps(count, seed=3, rate=0.02):
    """Random changes of six nodes by multiples of a sparse input."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield sparse(thin(rng)), np.sort(rng.choice(M, 6, replace=False)), rate * rng.standard_normal(6)


def full_build_codes(state, W):
    """Codes of these weights at the state's stored scale and with its hyperplanes, in plain NumPy."""
    index = index_of(state.indexes, 0)
    scale, transform, projections = index.scale[0], index.transform, index.projections
    squared = np.minimum((W**2).sum(axis=0) * scale**2, 1.0)[:, None]
    value = scale * (W.T @ projections.by_plane.T)
    for e in range(transform.extras):
        value += (transform.offset + transform.slope * squared ** (2**e)) * projections.extra_planes[e]
    bits = (value > 0).reshape(M, projections.tables, projections.bits)
    return (bits << np.arange(projections.bits)).sum(axis=2).T


def check_tables(state):
    """Check that each table is a permutation, by code and item, with offsets that fit its codes."""
    tables = index_of(state.indexes, 0).tables
    for table in range(tables.codes.shape[0]):
        order = np.lexsort((np.arange(M), tables.codes[table]))
        np.testing.assert_array_equal(tables.items[table], order)
        edges = np.searchsorted(tables.codes[table][order], np.arange(tables.offsets.shape[1]))
        np.testing.assert_array_equal(tables.offsets[table], edges)
    assert not tables.locks.any()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("alsh", {"bits": 3, "tables": 4}),
        ("alsh", {"bits": 2, "tables": 3, "ranking": "frequency", "probes": 2, "pool": 3}),
        ("alsh", {"bits": 40, "tables": 2, "density": 0.4, "transform": "sign_alsh"}),
        ("alsh_unbiased", {"bits": 2, "tables": 3, "pool": 2}),
        ("alsh_unbiased", {"bits": 2, "tables": 3}),
        ("subspace_screen", {"rank": 5}),
        ("oracle_active", {}),
    ],
)
def test_sparse_selection_is_the_selection(name, options):
    method, rng, W = get_method(name, 0.2, **options), np.random.default_rng(1), weights()
    state, size = method.prepare([W]), N if method.claims.reads == "input" else M
    for item in range(25):
        x = np.resize(thin(rng), size)
        if item % 6 == 0:
            x[:] = 0.0
            x[2] = (0.0, np.nan, np.inf, 1e-300)[item // 6 % 4]
        results = []
        for function, read in ((select, x), (select_sparse, sparse(x))):
            index, scale = np.full(M, -1), np.full(M, np.nan)
            count = function(state, 0, read, make_key(2, Stream.SELECT, item=item), index, scale)
            results.append((index[:count].tolist(), scale[:count].tolist()))
        assert results[0] == results[1]
        assert results[0][0] == sorted(set(results[0][0]))


@pytest.mark.parametrize("name", ["alsh", pytest.param("alsh_unbiased", marks=pytest.mark.slow)])
def test_followed_codes_are_those_of_a_full_build_at_the_stored_scale(name):
    """Steps of both kinds, norms that grow and then shrink: 64-bit sums, so no projection lies within rounding of 0."""
    method = get_method(name, 0.2, bits=4, tables=3, **({"rebuild": "incremental"} if name == "alsh" else {}))
    W = weights() if name == "alsh" else np.asfortranarray(weights())
    state, scales = method.prepare([W]), set()
    assert follows(state)
    for number, (x, nodes, c) in enumerate(steps(2501)):
        where = x.items[: x.size]
        if number % 2:
            products = W[:, nodes].T @ x.dense
            W[:, nodes] += np.outer(x.dense, c)
            follow(state, 0, x, nodes, c, products, W)
        else:
            few = nodes[:2]
            rate = 0.2 if number < 1000 else -0.6
            changes = np.ascontiguousarray(0.05 * x.values[: x.size] + rate * W[np.ix_(where, few)].T)
            W[np.ix_(where, few)] += changes.T
            if number % 4 or name == "alsh":  # one operation fewer to compile where the test is not slow
                follow_nodes(state, 0, few, where, changes, W)
            else:
                for j in range(2):
                    follow_node(state, 0, int(few[j]), where, changes[j], W)
        refresh(state, 0, W, NOTHING)
        scales.add(float(index_of(state.indexes, 0).scale[0]))
        if number % 250 == 0:
            np.testing.assert_array_equal(index_of(state.indexes, 0).tables.codes, full_build_codes(state, W))
    index = index_of(state.indexes, 0)
    longest = np.sqrt((W**2).sum(axis=0).max()) * index.scale[0]
    assert 0.4 * index.transform.limit < longest < 1.0
    assert 1 < len(scales) < 30
    np.testing.assert_allclose(index.squared_norms, (W**2).sum(axis=0), rtol=1e-10, atol=1e-9)
    np.testing.assert_array_equal(index.tables.codes, full_build_codes(state, W))
    check_tables(state)
    if name == "alsh_unbiased":
        np.testing.assert_array_equal(matrix_of(state.columns.flat, state.columns.layout[0, 0]), W.T)
    # The same steps at twice the rate are another index.
    x, nodes, c = next(steps(1, rate=3.0))
    follow(state, 0, x, nodes, c, W[:, nodes].T @ x.dense, W)
    assert (index.tables.codes != full_build_codes(state, W)).any()


def test_schedules_that_lag_and_pooled_weights_are_not_followed():
    for options in ({}, {"rebuild": "every"}, {"rebuild": "incremental", "pool": 2}):
        assert not follows(get_method("alsh", **options).prepare([weights()]))
    assert not follows(get_method("oracle_active").prepare([weights()]))


def test_screening_follows_gradient_steps_and_renews_what_it_does_not_follow():
    W, bias = weights(), np.zeros(M)
    state = get_method("subspace_screen", 0.2, rank=6, project=30).prepare([W], [bias])
    basis, projected = (matrix_of(state.arrays.flat, state.arrays.layout[0, part]) for part in (BASIS, PROJECTED))
    stale = 0
    for number, (x, nodes, c) in enumerate(steps(400)):
        followed = number < 200
        W[:, nodes] += np.outer(x.dense, c)
        if followed:
            follow(state, 0, x, nodes, c, c, W)
        else:
            follow_node(state, 0, int(nodes[0]), x.items[: x.size], c[0] * x.values[: x.size], W)
            follow_nodes(state, 0, nodes[1:], x.items[: x.size], np.outer(c[1:], x.values[: x.size]), W)
        observe(state, 0, x.dense[None], bias)
        refresh(state, 0, np.asfortranarray(W) if number % 2 else W, NOTHING)
        error = np.abs(projected - basis.T @ W).max()
        assert not followed or error < 1e-12
        stale += error > 1e-12
        assert state.seen[0] - state.projected[0] < 30 or followed
    assert 150 < stale < 200
    refresh(state, 0, W, np.arange(M))
    np.testing.assert_allclose(projected, basis.T @ W, atol=1e-12)


@compiled
def hammer(state, rows, items, values, sizes, nodes, coefficients, products, W, rounds, seed):
    """Select and follow in turn; return how many selections were not well-formed."""
    index, scale, bad = np.empty(W.shape[1], np.int64), np.empty(W.shape[1]), 0
    for r in range(rounds):
        t = (r * 7 + seed) % rows.shape[0]
        x = SparseVector(rows[t], items[t], values[t], sizes[t])
        count = select_sparse(state, 0, x, Key(seed, 3, r, 1, 0), index, scale)
        bad += count != 18
        for i in range(count):
            bad += not (0 <= index[i] < W.shape[1]) or (i > 0 and index[i] <= index[i - 1])
        follow(state, 0, x, nodes[t], coefficients[t], products[t], W)
    return bad


def test_threads_that_share_tables_leave_them_whole():
    method, W, rng = (
        get_method("alsh", 0.2, bits=4, tables=3, rebuild="incremental"),
        weights(),
        np.random.default_rng(5),
    )
    assert method.claims.lock_free
    state, vectors = method.prepare([W]), [sparse(thin(rng)) for _ in range(50)]
    rows, items, values = (np.stack([v[k] for v in vectors]) for k in range(3))
    nodes = np.stack([np.sort(rng.choice(M, 6, replace=False)) for _ in range(50)])
    # Large steps back and forth: nearly every round moves nodes between buckets.
    arguments = (rows, items, values, np.array([v.size for v in vectors]), nodes, 2.0 * rng.standard_normal((50, 6)))
    arguments = (state, *arguments, np.zeros((50, 6)), W)
    assert hammer(*arguments, 1, 0) == 0
    bad = []
    threads = [threading.Thread(target=lambda s=s: bad.append(hammer(*arguments, 40_000, s))) for s in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bad == [0, 0]
    check_tables(state)
    assert (index_of(state.indexes, 0).tables.codes != full_build_codes(state, W)).any()
    refresh(state, 0, W, np.arange(M))
    np.testing.assert_array_equal(index_of(state.indexes, 0).tables.codes, full_build_codes(state, W))
    check_tables(state)


def test_work_counts_renewals_where_they_fall():
    method = get_method("subspace_screen", 0.1, rank=8, renew=64, buffer=32, project=20)
    n, m, r = 50, 60, 8
    renewals = method.renewals(300)
    assert renewals == [1, 2, 4, 8, 16, 32, 64, 128, 192, 256]
    basis = sum((4 if s == 1 else 1) * 2 * r * n * (min(s, 32) + r) for s in renewals)
    late = [52, 84, 104, 124, 148, 168, 188, 212, 232, 252, 276, 296]  # every 20 inputs after each renewal
    for rank_one, upkeep in ((True, r * (300 * 9 + 300 * 6)), (False, r * n * m * len(late))):
        whole = method.work(Usage(300, 300 * 9, 300 * 6, 300 * 54, rank_one=rank_one), n, m)
        assert whole.product == 300 * 54
        assert whole.selection == r * (300 * 9 + 300 * m)
        assert whole.upkeep == basis + r * n * m * len(renewals) + upkeep
        parts = [
            method.work(Usage(150, 150 * 9, 150 * 6, 150 * 54, before=b, rank_one=rank_one), n, m) for b in (0, 150)
        ]
        assert sum(part.total for part in parts) == whole.total


def test_work_of_hashing_and_of_laws_that_read_everything():
    usage, planes = Usage(1000, 9000.0, 50_000.0, 450_000.0), 6 * 5
    published = get_method("alsh", 0.05).work(usage, 100, 200)
    kept = get_method("alsh", 0.05, rebuild="incremental").work(usage, 100, 200)
    assert published.selection == kept.selection == 9000 * planes
    assert published.upkeep == 10 * 100 * 200 * planes
    assert kept.upkeep == planes * (9000 + 50_000 * (1 + 1 + 3))
    assert get_method("oracle_active", 0.05).work(usage, 100, 200).product == 9000 * 200
    assert get_method("alsh_unbiased").work(usage, 100, 200).selection == 9000 * planes + 450_000
