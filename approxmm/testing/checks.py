"""The checks of the contract, one function each.

A check takes the method, and where draws matter a `draw` function (method, weights, x, trials, seed) → (trials, size)
scales. Checks of a law are exact. Checks of draws compare with the enumerated law by Bernstein's inequality, which
holds for any bounded variable and any number of draws: its false-alarm rate is at most ALARM for one call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from approxmm.methods import ImportanceLaw, Method, refresh, select
from approxmm.methods.draws import fill_scales
from approxmm.random import Key, Stream, make_key

__all__ = [
    "ALARM",
    "Draw",
    "bernstein_radius",
    "check_draws",
    "check_form",
    "check_full_budget",
    "check_moments",
    "check_outcomes",
    "check_product",
    "check_refresh",
    "check_same_bits",
    "check_squared_error",
    "check_unbiased",
    "compiled_draws",
    "draws_by",
    "exact_outcomes",
    "leaves",
    "read_size",
    "selected",
]

ALARM = 1e-9
Draw = Callable[[Method, np.ndarray, np.ndarray, int, int], np.ndarray]
Importance = Sequence[Fraction]


def _require(condition: object, message: str) -> None:
    """Raise an `AssertionError` with a message (a bare assert would vanish under ``python -O``)."""
    if not condition:
        raise AssertionError(message)


def compiled_draws(method: Method, weights: np.ndarray, x: np.ndarray, trials: int, seed: int) -> np.ndarray:
    """Return (trials, size) scales from the compiled selection."""
    read = np.tile(x, (trials, 1))
    out = np.empty((trials, method.side_length(weights)), dtype=read.dtype)
    fill_scales(method.build([weights]), 0, read, 1, make_key(seed, Stream.SELECT), out)
    return out


def draws_by(select_function: Callable[..., int]) -> Draw:
    """Return a `draw` that calls `select_function` in plain Python."""

    def draw(method: Method, weights: np.ndarray, x: np.ndarray, trials: int, seed: int) -> np.ndarray:
        size, state = method.side_length(weights), method.build([weights])
        out = np.zeros((trials, size))
        index, scale = np.empty(size, dtype=np.int64), np.empty(size)
        for t in range(trials):
            count = select_function(state, 0, x, make_key(seed, Stream.SELECT, item=t), index, scale)
            out[t, index[:count]] = scale[:count]
        return out

    return draw


def exact_outcomes(method: ImportanceLaw, weights: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the law for float arguments: probabilities as floats (K,), scales (K, size)."""
    importance = method.importance(np.asarray(x, dtype=np.float64), weights)
    pairs = list(method.outcomes_of([Fraction(float(w)) for w in importance]))
    probabilities = np.array([float(p) for p, _ in pairs])
    return probabilities, np.array([[float(s) for s in scales] for _, scales in pairs])


def check_outcomes(method: ImportanceLaw, importance: Importance) -> None:
    """Check that the outcomes are a law: positive probabilities that sum to 1, each vector once."""
    outcomes = list(method.outcomes_of(importance))
    _require(sum(p for p, _ in outcomes) == 1, "probabilities do not sum to 1")
    _require(all(p > 0 for p, _ in outcomes), "an outcome of probability 0 or less")
    _require(all(len(scales) == len(importance) for _, scales in outcomes), "an outcome of the wrong length")
    _require(len({scales for _, scales in outcomes}) == len(outcomes), "an outcome is listed twice")


def check_moments(method: ImportanceLaw, importance: Importance) -> None:
    """Check that mean and covariance of the outcomes are exactly those of `moments_of`."""
    outcomes, n = list(method.outcomes_of(importance)), len(importance)
    moments = method.moments_of(np.array(importance, dtype=object))
    mean = [sum(p * scales[i] for p, scales in outcomes) for i in range(n)]
    _require(list(moments.mean) == mean, "the mean is not that of the outcomes")
    covariance = moments.covariance()
    for i in range(n):
        for j in range(n):
            second = sum(p * scales[i] * scales[j] for p, scales in outcomes)
            _require(covariance[i, j] == second - mean[i] * mean[j], f"covariance of items {i}, {j} is wrong")
    _require(
        list(moments.variance) == [covariance[i, i] for i in range(n)], "the variance is not the covariance's diagonal"
    )


def check_unbiased(method: ImportanceLaw, importance: Importance) -> None:
    """Check that items of positive importance have mean 1, if the method claims so."""
    moments = method.moments_of(np.array(importance, dtype=object))
    if method.claims.unbiased:
        _require(
            all(m == 1 for m, w in zip(moments.mean, importance, strict=True) if w > 0),
            "claims to be unbiased, but a mean is not 1",
        )
    if method.claims.deterministic:
        _require(
            all(v == 0 for v in moments.covariance().ravel()), "claims to be deterministic, but a variance is not 0"
        )


def check_squared_error(method: ImportanceLaw, importance: Importance, terms: np.ndarray) -> None:
    """Check that E‖Σ(ξ_i − 1)t_i‖² over the outcomes is exactly what the moments give (terms: rational (n, m))."""
    expected = Fraction(0)
    for p, scales in method.outcomes_of(importance):
        error = (np.array(scales, dtype=object) - 1) @ terms
        expected += p * (error @ error)
    stated = method.moments_of(np.array(importance, dtype=object)).squared_error(terms)
    _require(stated == expected, "the squared error is not that of the outcomes")


def check_product(method: ImportanceLaw, importance: Importance, terms: np.ndarray) -> None:
    """Check that mean, bias, covariance and variance of the product are exactly those of the outcomes."""
    products = [(p, np.array(scales, dtype=object) @ terms) for p, scales in method.outcomes_of(importance)]
    law = method.moments_of(np.array(importance, dtype=object))
    mean = sum(p * product for p, product in products)
    _require((law.product_mean(terms) == mean).all(), "the product's mean is not that of the outcomes")
    _require((law.product_bias(terms) == mean - terms.sum(axis=0)).all(), "the product's bias is wrong")
    covariance = sum(p * np.outer(product, product) for p, product in products) - np.outer(mean, mean)
    stated = law.product_covariance(terms)
    _require((stated == covariance).all(), "the product's covariance is not that of the outcomes")
    _require((law.product_variance(terms) == np.diagonal(stated)).all(), "the variance is not the diagonal")


def check_full_budget(method: ImportanceLaw, importance: Importance) -> None:
    """Check that budget 1.0 keeps every item that contributes surely and with scale 1, if the method claims so."""
    if method.claims.exact_at_full_budget and method.budget.value == 1.0:
        for _, scales in method.outcomes_of(importance):
            _require(all(s == 1 for s, w in zip(scales, importance, strict=True) if w != 0), "not exact at full budget")


def bernstein_radius(variance: np.ndarray, bound: np.ndarray, trials: int, level: float) -> np.ndarray:
    """Return t with P(|mean of trials − μ| ≥ t) ≤ level for |X − μ| ≤ bound and the given variance."""
    log = math.log(2.0 / level)
    radius: np.ndarray = log * bound / (3 * trials)
    return radius + np.sqrt(radius**2 + 2 * variance * log / trials)


def check_draws(
    method: ImportanceLaw,
    weights: np.ndarray,
    x: np.ndarray,
    draw: Draw = compiled_draws,
    trials: int = 40_000,
    seed: int = 1,
) -> None:
    """Check that draws follow the enumerated law: each outcome's frequency, the means, the pair products."""
    probabilities, scales = exact_outcomes(method, weights, x)
    drawn = draw(method, weights, x, trials, seed)
    seen, counts = np.unique(drawn, axis=0, return_counts=True)
    tolerance = 1e-12 if drawn.dtype == np.float64 else 1e-5
    distance = np.abs(seen[:, None, :] - scales[None]) / np.maximum(1.0, scales[None])
    nearest = distance.max(axis=2).argmin(axis=1)
    _require(distance.max(axis=2).min(axis=1).max() <= tolerance, "a draw that the law does not contain")
    if method.claims.deterministic:
        _require(len(seen) == 1, "claims to be deterministic, but draws differ")
        return
    frequency = np.bincount(nearest, weights=counts, minlength=len(scales)) / trials
    i, j = np.triu_indices(scales.shape[1])
    statistics = np.column_stack([np.eye(len(scales)), scales, scales[:, i] * scales[:, j]])
    expected = probabilities @ statistics
    variance = probabilities @ (statistics - expected) ** 2
    bound = np.abs(statistics - expected).max(axis=0)
    radius = bernstein_radius(variance, bound, trials, ALARM / statistics.shape[1])
    # 1e-10: the rounding of sums over the outcomes.
    _require(
        (np.abs(frequency @ statistics - expected) <= radius + 1e-10 * (1 + np.abs(expected))).all(),
        "draws do not follow the law",
    )


def read_size(method: Method, weights: np.ndarray) -> int:
    """Return the length of what the law reads for one example."""
    return int(weights.shape[0]) if method.claims.reads == "input" else method.side_length(weights)


def leaves(state: Any) -> list[Any]:
    """Return the arrays and numbers of a state, also of the tuples inside it."""
    return [leaf for field in state for leaf in (leaves(field) if isinstance(field, tuple) else [field])]


def selected(
    method: Method,
    weights: np.ndarray,
    x: np.ndarray,
    key: Key,
    function: Callable[..., int] = select,
    dtype: Any = np.float64,
    state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what one selection writes: (index, scale) of the active items."""
    state = method.build([weights]) if state is None else state
    size = method.side_length(weights)
    index, scale = np.full(size, -1, dtype=np.int64), np.full(size, np.nan, dtype=dtype)
    count = function(state, 0, x, key, index, scale)
    _require(0 <= count <= size, "the number of active items is out of range")
    return index[:count].copy(), scale[:count].copy()


def check_form(
    method: Method, weights: np.ndarray, x: np.ndarray, function: Callable[..., int] = select, draws: int = 50
) -> None:
    """Check that active items are in range, increasing, each once, scales positive and finite, inputs untouched."""
    before = x.copy(), weights.copy()
    for item in range(draws):
        index, scale = selected(method, weights, x, make_key(3, Stream.SELECT, item=item), function)
        _require((np.diff(index) > 0).all(), "active items are not increasing, each once")
        _require(((index >= 0) & (index < method.side_length(weights))).all(), "an active item is out of range")
        _require(np.isfinite(scale).all(), "a scale is not finite")
        _require((scale > 0).all(), "a scale is not positive")
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(weights, before[1])


def check_refresh(
    method: Method,
    weights: np.ndarray,
    changed: Sequence[int],
    new: np.ndarray,
    refresh_function: Callable[..., None] = refresh,
) -> None:
    """Check that after some items' weights changed a refreshed state equals a new one (to rounding of the norms).

    The method must also accept it where it comes out of a file. A state that follows the longest item's norm only now
    and then passes if that item is not among the changed ones, and stays the longest.
    """
    state = method.build([weights])
    weights = weights.copy()
    along: Any = (changed, slice(None)) if method.claims.side == "inner" else (slice(None), changed)
    weights[along] = new
    refresh_function(state, 0, weights, np.asarray(changed, dtype=np.int64))
    new_state = method.build([weights])
    method.check_state(state, new_state)
    if "clock" in new_state._fields:  # counts refreshes
        state = state._replace(clock=new_state.clock)
    for old, fresh in zip(leaves(state), leaves(new_state), strict=True):
        np.testing.assert_allclose(old, fresh, rtol=1e-14)


def check_same_bits(method: Method, weights: np.ndarray, x: np.ndarray) -> None:
    """Check that a key decides the draw, to the bit, for two states built alike."""
    key = make_key(11, Stream.SELECT, step=3, layer=2, item=5)
    first, second = selected(method, weights, x, key), selected(method, weights, x, key)
    _require(np.array_equal(first[0], second[0]), "the same key selects other items")
    _require(np.array_equal(first[1], second[1]), "the same key gives other scales")
