"""Column–row sampling with replacement (Drineas, Kannan, Mahoney 2006)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import factorial
from typing import ClassVar, NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.methods._rows import RowSampler, fill_importance, keep_all, norm_table, positive_ratios, refresh_row_norms
from approxmm.methods.contract import Claims, Cost, Outcome
from approxmm.methods.operations import refresh, select
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.random import Key, fill_uniform

__all__ = ["WithReplacement", "count_draws", "multinomial_outcomes"]


class WithReplacementState(NamedTuple):
    """Draws of each layer (L,) int64; row norms of all layers, float64; where each layer starts, int64 (L + 1,)."""

    draws: np.ndarray
    norms: np.ndarray
    start: np.ndarray
    by_input: bool
    by_weights: bool


@dataclass(frozen=True)
class WithReplacement(RowSampler):
    """c independent draws of pairs with probabilities p; pair i drawn n_i times gets the scale n_i/(c p_i).

    With ``probabilities="optimal"``, p_i ∝ |a_i|‖W_i·‖ minimises the expected squared error, which then is
    ((Σ|a_i|‖W_i·‖)² − ‖aW‖²)/c. Not claimed: exactness at any budget — c = n draws with
    replacement still miss pairs.
    """

    name: ClassVar[str] = "with_replacement"
    title: ClassVar[str] = "column–row sampling with replacement"

    @property
    def claims(self) -> Claims:
        """Unbiased; never exact."""
        return self.pair_claims(
            budget="number of draws, as a fraction of the pairs or a count (which may exceed the pairs)",
            citation="Drineas, Kannan, Mahoney, SIAM J. Comput. 36 (2006)",
            exact_at_full_budget=False,
        )

    def draws(self, size: int) -> int:
        """Return the number of draws c for a side of `size` pairs."""
        return self.budget.count(size, may_exceed=True)

    def build(self, weights: Sequence[np.ndarray]) -> WithReplacementState:
        """Return draws and row norms of every layer."""
        norms, start = norm_table(weights, self.by_weights)
        draws = np.array([self.draws(W.shape[0]) for W in weights], dtype=np.int64)
        return WithReplacementState(draws, norms, start, self.by_input, self.by_weights)

    def moments_of(self, importance: np.ndarray) -> ScaleMoments:
        """Mean 1, covariance (diag(1/p) − 11ᵀ)/c on the pairs of positive importance, 0 elsewhere."""
        c = self.draws(importance.size)
        support = (importance > 0) + importance * 0
        total = importance.sum()
        reciprocal = positive_ratios(total, importance)
        common = Fraction(-1, c) if importance.dtype == object else -1.0 / c
        return ScaleMoments(mean=support, diagonal=reciprocal / c, common=common, support=support)

    def outcomes_of(self, importance: Sequence[Fraction]) -> Iterator[Outcome]:
        """Yield every vector of counts with its multinomial probability."""
        c, total = self.draws(len(importance)), sum(importance)
        if total == 0:
            yield Fraction(1), (Fraction(0),) * len(importance)
            return
        p = [Fraction(w) / total for w in importance]
        for probability, counts in multinomial_outcomes(c, p):
            pairs = zip(counts, p, strict=True)
            yield probability, tuple(n_i / (c * p_i) if n_i else Fraction(0) for n_i, p_i in pairs)

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return multiplications for c pairs (an upper bound: repeated pairs are computed once)."""
        return Cost(
            product=float(batch * min(self.draws(n), n) * m),
            selection=self.selection_cost(batch, n),
            upkeep=self.upkeep(n, m),
        )


def multinomial_outcomes(draws: int, p: Sequence[Fraction]) -> Iterator[tuple[Fraction, tuple[int, ...]]]:
    """Yield every (probability, counts) of `draws` draws with probabilities `p`, if the probability is positive."""
    for counts in _compositions(draws, len(p)):
        probability = Fraction(factorial(draws))
        for n_i, p_i in zip(counts, p, strict=True):
            probability *= p_i**n_i / factorial(n_i)
        if probability:
            yield probability, counts


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield all tuples of `parts` non-negative integers with sum `total`."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, parts - 1):
            yield (first, *rest)


@select.register(WithReplacementState)
@compiled
def select_with_replacement(
    state: WithReplacementState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Draw c pairs by inverting the cumulative importance; merge repeated ones."""
    n, c = x.size, state.draws[layer]
    importance = np.empty(n)
    start = state.start[layer]
    fill_importance(x, state.norms[start : start + n], state.by_input, importance)
    total = importance.sum()
    if total == 0.0:  # an all-zero product needs no pair
        return 0
    if not math.isfinite(total):
        return keep_all(index, scale, n)
    counts = np.zeros(n, dtype=np.int64)
    count_draws(importance, c, key, counts)
    active = 0
    for i in range(n):
        if counts[i] > 0:
            index[active] = i
            scale[active] = counts[i] * (total / (c * importance[i]))
            active += 1
    return active


@compiled
def count_draws(importance: np.ndarray, draws: int, key: Key, counts: np.ndarray) -> None:
    """Add to `counts` (n,) how often each item comes in draws with probabilities ∝ `importance` (sum > 0)."""
    cumulative = np.cumsum(importance)
    uniforms = np.empty(draws)
    fill_uniform(key, uniforms)
    for draw in range(draws):
        counts[_first_above(cumulative, uniforms[draw] * cumulative[-1])] += 1


@compiled
def _first_above(cumulative: np.ndarray, target: float) -> int:
    """Return the first i with cumulative[i] > target: an item of positive importance.

    Rounding can lift the target to the total; then the first item that reaches the total is meant.
    """
    low, high = 0, cumulative.size - 1
    while low < high:
        middle = (low + high) // 2
        if cumulative[middle] > target or cumulative[middle] == cumulative[high]:
            high = middle
        else:
            low = middle + 1
    return low


refresh.register(WithReplacementState)(refresh_row_norms)
