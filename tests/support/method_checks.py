"""Checks that every sampling method must pass, and every broken twin of `broken_twins` must fail.

A check takes the method, and where draws matter a `draw` function (method, weights, x, trials, seed) → (trials, size)
scales. Checks of a law are exact. Checks of draws compare with the enumerated law by Bernstein's inequality, which
holds for any bounded variable and any number of draws: its false-alarm rate is at most ALARM for one call.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from approxmm.methods import refresh, select
from approxmm.methods.draws import fill_scales
from approxmm.random import Stream, make_key

ALARM = 1e-9


def compiled_draws(method, weights, x, trials, seed):
    """Return (trials, size) scales from the compiled selection."""
    read = np.tile(x, (trials, 1))
    out = np.empty((trials, method.side_length(weights)), dtype=read.dtype)
    fill_scales(method.build([weights]), 0, read, 1, make_key(seed, Stream.SELECT), out)
    return out


def draws_by(select_function):
    """Return a `draw` that calls `select_function` in plain Python."""

    def draw(method, weights, x, trials, seed):
        size, state = method.side_length(weights), method.build([weights])
        out = np.zeros((trials, size))
        index, scale = np.empty(size, dtype=np.int64), np.empty(size)
        for t in range(trials):
            count = select_function(state, 0, x, make_key(seed, Stream.SELECT, item=t), index, scale)
            out[t, index[:count]] = scale[:count]
        return out

    return draw


def exact_outcomes(method, weights, x):
    """Return the law for float arguments: probabilities as floats (K,), scales (K, size)."""
    importance = method.importance(np.asarray(x, dtype=np.float64), weights)
    pairs = list(method.outcomes_of([Fraction(float(w)) for w in importance]))
    probabilities = np.array([float(p) for p, _ in pairs])
    return probabilities, np.array([[float(s) for s in scales] for _, scales in pairs])


def check_outcomes(method, importance):
    """The outcomes are a law: positive probabilities that sum to 1, each vector once."""
    outcomes = list(method.outcomes_of(importance))
    assert sum(p for p, _ in outcomes) == 1
    assert all(p > 0 for p, _ in outcomes)
    assert all(len(scales) == len(importance) for _, scales in outcomes)
    assert len({scales for _, scales in outcomes}) == len(outcomes)


def check_moments(method, importance):
    """Mean and covariance of the outcomes are exactly those of `moments_of`."""
    outcomes, n = list(method.outcomes_of(importance)), len(importance)
    moments = method.moments_of(np.array(importance, dtype=object))
    mean = [sum(p * scales[i] for p, scales in outcomes) for i in range(n)]
    assert list(moments.mean) == mean
    covariance = moments.covariance()
    for i in range(n):
        for j in range(n):
            second = sum(p * scales[i] * scales[j] for p, scales in outcomes)
            assert covariance[i, j] == second - mean[i] * mean[j], (i, j)
    assert list(moments.variance) == [covariance[i, i] for i in range(n)]


def check_unbiased(method, importance):
    """Items of positive importance have mean 1, if the method claims so."""
    moments = method.moments_of(np.array(importance, dtype=object))
    if method.claims.unbiased:
        assert all(m == 1 for m, w in zip(moments.mean, importance, strict=True) if w > 0)
    if method.claims.deterministic:
        assert all(v == 0 for v in moments.covariance().ravel())


def check_squared_error(method, importance, terms):
    """E‖Σ(ξ_i − 1)t_i‖² over the outcomes is exactly `ScaleMoments.squared_error` (terms: rational (n, m))."""
    expected = Fraction(0)
    for p, scales in method.outcomes_of(importance):
        error = (np.array(scales, dtype=object) - 1) @ terms
        expected += p * (error @ error)
    assert method.moments_of(np.array(importance, dtype=object)).squared_error(terms) == expected


def check_full_budget(method, importance):
    """At budget 1.0 every item that contributes is kept surely with scale 1, if the method claims exactness."""
    if method.claims.exact_at_full_budget and method.budget.value == 1.0:
        for _, scales in method.outcomes_of(importance):
            assert all(s == 1 for s, w in zip(scales, importance, strict=True) if w != 0)


def bernstein_radius(variance, bound, trials, level):
    """Return t with P(|mean of trials − μ| ≥ t) ≤ level for |X − μ| ≤ bound and the given variance."""
    log = math.log(2.0 / level)
    return log * bound / (3 * trials) + np.sqrt((log * bound / (3 * trials)) ** 2 + 2 * variance * log / trials)


def check_draws(method, weights, x, draw=compiled_draws, trials=40_000, seed=1):
    """The draws follow the enumerated law: each outcome's frequency, the means, the pair products."""
    probabilities, scales = exact_outcomes(method, weights, x)
    drawn = draw(method, weights, x, trials, seed)
    seen, counts = np.unique(drawn, axis=0, return_counts=True)
    tolerance = 1e-12 if drawn.dtype == np.float64 else 1e-5
    distance = np.abs(seen[:, None, :] - scales[None]) / np.maximum(1.0, scales[None])
    nearest = distance.max(axis=2).argmin(axis=1)
    assert distance.max(axis=2).min(axis=1).max() <= tolerance, "a draw that the law does not contain"
    if method.claims.deterministic:
        assert len(seen) == 1
        return
    frequency = np.bincount(nearest, weights=counts, minlength=len(scales)) / trials
    i, j = np.triu_indices(scales.shape[1])
    statistics = np.column_stack([np.eye(len(scales)), scales, scales[:, i] * scales[:, j]])
    expected = probabilities @ statistics
    variance = probabilities @ (statistics - expected) ** 2
    bound = np.abs(statistics - expected).max(axis=0)
    radius = bernstein_radius(variance, bound, trials, ALARM / statistics.shape[1])
    # 1e-10: the rounding of sums over the outcomes.
    assert (np.abs(frequency @ statistics - expected) <= radius + 1e-10 * (1 + np.abs(expected))).all()


def read_size(method, weights):
    """Return the length of what the law reads for one example."""
    return weights.shape[0] if method.claims.reads == "input" else method.side_length(weights)


def leaves(state):
    """Return the arrays and numbers of a state, also of the tuples inside it."""
    return [leaf for field in state for leaf in (leaves(field) if isinstance(field, tuple) else [field])]


def selected(method, weights, x, key, function=select, dtype=np.float64, state=None):
    """Return what one selection writes: (index, scale) of the active items."""
    state = method.build([weights]) if state is None else state
    size = method.side_length(weights)
    index, scale = np.full(size, -1, dtype=np.int64), np.full(size, np.nan, dtype=dtype)
    count = function(state, 0, x, key, index, scale)
    assert 0 <= count <= size
    return index[:count].copy(), scale[:count].copy()


def check_form(method, weights, x, function=select, draws=50):
    """Active items are in range, increasing, each once, with positive finite scales; inputs stay untouched."""
    before = x.copy(), weights.copy()
    for item in range(draws):
        index, scale = selected(method, weights, x, make_key(3, Stream.SELECT, item=item), function)
        assert (np.diff(index) > 0).all()
        assert ((index >= 0) & (index < method.side_length(weights))).all()
        assert np.isfinite(scale).all()
        assert (scale > 0).all()
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(weights, before[1])


def check_refresh(method, weights, changed, new, refresh_function=refresh):
    """After some items' weights change, a refreshed state equals a new one (to rounding of the norms)."""
    state = method.build([weights])
    weights = weights.copy()
    along = (changed, slice(None)) if method.claims.side == "inner" else (slice(None), changed)
    weights[along] = new
    refresh_function(state, 0, weights, np.asarray(changed, dtype=np.int64))
    new_state = method.build([weights])
    if "clock" in new_state._fields:  # counts refreshes
        state = state._replace(clock=new_state.clock)
    for old, fresh in zip(leaves(state), leaves(new_state), strict=True):
        np.testing.assert_allclose(old, fresh, rtol=1e-14)
