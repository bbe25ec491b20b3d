"""Closed-form laws: accuracy against high precision, and frequencies over independent hash draws.

Statistical assertions use exact binomial tails, two-sided, at 1e-9 for one
assertion, divided by the number of counts in it (Bonferroni); seeds and numbers
of draws are fixed. Each is followed by twins that it must reject.
"""

import mpmath
import numpy as np
import pytest
from scipy import stats

from approxmm.errors import InputError
from approxmm.hashing import (
    bit_agreement,
    build_index,
    draw_dense,
    expected_recall,
    expected_size,
    find,
    hash_workspace,
    make_transform,
    mask_covariance,
    mips_angles,
    pair_retrieval,
    query_workspace,
    retrieval,
    weighted_mask,
)


def _consistent(counts, draws, probabilities, alpha=1e-9):
    counts, p = np.asarray(counts).ravel(), np.clip(np.asarray(probabilities).ravel(), 0.0, 1.0)
    tail = np.minimum(stats.binom.cdf(counts, draws, p), stats.binom.sf(counts - 1, draws, p))
    return bool((tail >= alpha / (2 * counts.size)).all())


def _scene(seed, n=7, d=5):
    rng = np.random.default_rng(seed)
    items = rng.standard_normal((n, d)) * rng.uniform(0.3, 1.5, (n, 1))
    items[-1] = 0.0
    items[-2] = 1.001 * items[0]
    return items, items[0] + 0.4 * rng.standard_normal(d)


def _simulate(items, query, transform, K, L, draws, seed, *, pool=1, reuse=False):
    """Retrieval masks (draws, n) over independent hyperplanes, through the product's own index."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((draws, items.shape[0]), bool)
    work = None
    for t in range(draws):
        planes = draw_dense(rng, items.shape[1], K, L, transform, pool=pool, dtype=np.float64)
        if reuse:
            for array, axis in ((planes.by_plane, 0), (planes.by_coordinate, 1), (planes.extra_planes, 1)):
                first = np.take(array, range(K), axis=axis)
                for table in range(L):
                    part = [slice(None)] * 2
                    part[axis] = slice(table * K, table * K + K)
                    array[tuple(part)] = first
            planes.query_shift[:] = np.tile(planes.query_shift[:K], L)
        work = work or (hash_workspace(planes), query_workspace(items.shape[0]))
        masks[t, find(build_index(items, planes, transform), query, work)] = True
    return masks


def _both(masks):
    return masks.T.astype(np.int64) @ masks.astype(np.int64)


@pytest.mark.parametrize(("name", "pool"), [("none", 1), ("l2_alsh", 1), ("sign_alsh", 1), ("simple_lsh", 2)])
def test_frequencies_of_nodes_and_pairs_match_the_law(name, pool):
    K, L, draws = 3, 4, 20_000
    transform = make_transform(name)
    items, query = _scene(1)
    theta, pairs = mips_angles(items, query, transform, pool=pool)
    masks = _simulate(items, query, transform, K, L, draws, 11, pool=pool)
    assert _consistent(masks.sum(axis=0), draws, retrieval(theta, K, L))
    upper = np.triu_indices(items.shape[0], 1)
    law = pair_retrieval(theta, pairs, K, L)
    assert _consistent(_both(masks)[upper], draws, law[upper])
    # Wrong exponents, and pairs taken as independent, are caught.
    assert not _consistent(masks.sum(axis=0), draws, retrieval(theta, K + 1, L))
    assert not _consistent(masks.sum(axis=0), draws, retrieval(theta, K, L - 1))
    assert not _consistent(_both(masks)[upper], draws, np.outer(*[retrieval(theta, K, L)] * 2)[upper])
    # Angles before the transform are caught.
    if name != "none":
        plain = mips_angles(items, query, make_transform("none"), pool=pool)[0]
        assert not _consistent(masks.sum(axis=0), draws, retrieval(plain, K, L))


def test_zero_query_follows_the_law_too():
    K, L, draws = 2, 3, 3000
    items, _ = _scene(2)
    for name in ("none", "l2_alsh"):
        transform = make_transform(name)
        theta, pairs = mips_angles(items, np.zeros(5), transform)
        masks = _simulate(items, np.zeros(5), transform, K, L, draws, 12)
        assert _consistent(masks.sum(axis=0), draws, retrieval(theta, K, L))
        upper = np.triu_indices(items.shape[0], 1)
        assert _consistent(_both(masks)[upper], draws, pair_retrieval(theta, pairs, K, L)[upper])


def test_reused_hyperplanes_are_caught():
    K, L, draws = 3, 4, 1500
    transform = make_transform("simple_lsh")
    items, query = _scene(1)
    theta, _ = mips_angles(items, query, transform)
    masks = _simulate(items, query, transform, K, L, draws, 13, reuse=True)
    assert not _consistent(masks.sum(axis=0), draws, retrieval(theta, K, L))
    # They follow the law of a single table, as they should.
    assert _consistent(masks.sum(axis=0), draws, retrieval(theta, K, 1))


def _precise(ti, tj, tij, K, L):
    """P_i, S_ij − P_i P_j in 60 digits, from the formulas as they are printed."""
    with mpmath.workdps(400):
        a, b, c = mpmath.mpf(float(ti)), mpmath.mpf(float(tj)), mpmath.mpf(float(tij))
        si, sj = (1 - a / mpmath.pi) ** K, (1 - b / mpmath.pi) ** K
        sij = (1 - (a + b + c) / (2 * mpmath.pi)) ** K
        Pi, Pj = 1 - (1 - si) ** L, 1 - (1 - sj) ** L
        both = 1 - (1 - si) ** L - (1 - sj) ** L + (1 - si - sj + sij) ** L
        return float(Pi), float(both), float(both - Pi * Pj)


@pytest.mark.parametrize(("K", "L"), [(1, 1), (6, 5), (9, 100), (62, 1000)])
def test_formulas_keep_their_digits(K, L):
    for ti, tj, tij in [
        (1.5, 1.6, 1.4),
        (1e-9, 1e-9, 1e-9),
        (1e-9, 1.0, 1.0),
        (0.3, 3.0, 2.9),
        (3.1, 3.1, 0.05),
        (1.0, 1.0, 1e-12),
        (2.0, 2.0, 2 * np.pi - 4.0 - 1e-6),
        (np.pi / 2, np.pi / 2, 1.1),
    ]:
        theta, pairs = np.array([ti, tj]), np.array([[0, tij], [tij, 0]])
        P, S, covariance = _precise(ti, tj, tij, K, L)
        assert retrieval(theta, K, L)[0] == pytest.approx(P, rel=1e-11, abs=1e-300)
        assert pair_retrieval(theta, pairs, K, L)[0, 1] == pytest.approx(S, rel=1e-9, abs=1e-22)
        # The angles' own rounding limits a covariance that is a difference of almost equal terms.
        assert mask_covariance(theta, pairs, K, L)[0, 1] == pytest.approx(covariance, rel=1e-8, abs=1e-16 * S)


def test_extremes_and_consistency():
    theta = np.array([0.0, 1e-12, 1.0, np.pi / 2, 3.1, np.pi])
    P = retrieval(theta, 6, 5)
    assert P[0] == 1.0
    assert P[-1] == 0.0
    assert (np.diff(P) <= 0).all()
    assert retrieval(np.pi * (1 - 1e-9), 30, 2) == pytest.approx(2 * (1e-9) ** 30, rel=1e-5)
    items, query = _scene(5, n=30)
    angles, pairs = mips_angles(items, query, make_transform("sign_alsh"))
    covariance = mask_covariance(angles, pairs, 6, 5)
    P = retrieval(angles, 6, 5)
    np.testing.assert_allclose(np.diag(covariance), P * (1 - P), rtol=1e-10)
    np.testing.assert_allclose(np.diag(pair_retrieval(angles, pairs, 6, 5)), P, rtol=1e-10)
    np.testing.assert_allclose(covariance, covariance.T, atol=1e-16)
    assert np.linalg.eigvalsh(covariance).min() > -1e-13
    assert bit_agreement(np.pi) == 0.0


def test_weighted_mask_is_unbiased_where_reachable():
    items, query = _scene(6)
    theta, pairs = mips_angles(items, query, make_transform("simple_lsh"))
    moments = weighted_mask(theta, pairs, 2, 3)
    P, S = retrieval(theta, 2, 3), pair_retrieval(theta, pairs, 2, 3)
    assert moments.reachable.all()
    np.testing.assert_array_equal(moments.mean, 1.0)
    np.testing.assert_allclose(moments.covariance, S / np.outer(P, P) - 1, atol=1e-12)
    far = weighted_mask([np.pi, 1.0, np.pi * (1 - 1e-6)], np.zeros((3, 3)), 62, 1)
    assert far.reachable.tolist() == [False, True, False]
    assert far.weights[0] == far.mean[0] == far.covariance[0, 1] == 0.0
    assert np.isfinite(far.covariance).all()


def test_expected_size_and_recall_match_simulation():
    K, L, draws = 4, 6, 1500
    rng = np.random.default_rng(8)
    items, query = rng.standard_normal((40, 6)), rng.standard_normal(6)
    transform = make_transform("simple_lsh")
    theta, pairs = mips_angles(items, query, transform)
    masks = _simulate(items, query, transform, K, L, draws, 14)
    top = np.argsort(-(items @ query))[:4]
    # Normal tail 6.2 sigma: 1e-9 two-sided, with the exact standard errors of the law.
    spread = np.sqrt(mask_covariance(theta, pairs, K, L).sum() / draws)
    assert abs(masks.sum(axis=1).mean() - expected_size(theta, K, L)) < 6.2 * spread
    spread = np.sqrt(mask_covariance(theta, pairs, K, L)[np.ix_(top, top)].sum() / draws) / 4
    recall = expected_recall(theta, items @ query, 4, K, L)
    assert abs(masks[:, top].mean() - recall) < 6.2 * spread
    assert recall > expected_size(theta, K, L) / 40 + 0.1


def test_bad_input_is_named():
    with pytest.raises(InputError, match="bits = 63: must be an integer between 1 and 62"):
        retrieval(1.0, 63, 1)
    with pytest.raises(InputError, match="tables = 0"):
        retrieval(1.0, 6, 0)
    with pytest.raises(InputError, match=r"theta has entries outside \[0, pi\]"):
        retrieval(np.nan, 6, 5)
    with pytest.raises(InputError, match=r"theta has entries outside \[0, pi\]"):
        retrieval(-0.1, 6, 5)
    with pytest.raises(InputError, match=r"theta_pairs has shape \(2, 3\)"):
        mask_covariance(np.ones(2), np.ones((2, 3)), 6, 5)
    with pytest.raises(InputError, match=r"scores has shape \(3,\)"):
        expected_recall(np.ones(2), np.ones(3), 1, 6, 5)
    with pytest.raises(InputError, match="k = 3"):
        expected_recall(np.ones(2), np.ones(2), 3, 6, 5)
