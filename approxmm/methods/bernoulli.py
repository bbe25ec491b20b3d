"""Bernoulli column–row sampling: each pair is kept or not, independently (Adelman et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import ClassVar, NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.errors import InputError
from approxmm.methods._rows import RowSampler, fill_importance, keep_all, norm_table, positive_ratios, refresh_row_norms
from approxmm.methods.contract import Claims, Cost, Outcome
from approxmm.methods.operations import refresh, select
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.random import Key, fill_uniform

__all__ = ["Bernoulli", "keep_probabilities"]

_EPSILON = 2.0**-52


class BernoulliState(NamedTuple):
    """Expected kept pairs of each layer (L,) float64; row norms of all layers; where each layer starts."""

    expected: np.ndarray
    norms: np.ndarray
    start: np.ndarray
    by_input: bool
    by_weights: bool
    uniform_mixture: float


@dataclass(frozen=True)
class Bernoulli(RowSampler):
    """Pair i is kept with probability p_i and scaled by 1/p_i, independently.

    With ``probabilities="optimal"``, p_i = min(1, τ |a_i|‖W_i·‖) with τ such that Σ p_i is the
    budget: the p that minimise the expected squared error Σ (1/p_i − 1) a_i²‖W_i·‖². Pairs
    with p_i = 1 are kept surely. When fewer pairs than the budget contribute, all of them are kept.

    Parameters
    ----------
    budget : float, int or Budget
    probabilities : {"optimal", "weights", "uniform"}
        What a pair's importance w is.
    uniform_mixture : float
        ε in [0, 1): the importance becomes (1 − ε) w_i/Σw + ε/n *before* the water-filling. So the expected count
        stays the budget k, sure pairs stay possible, and p_i ≥ min(1, εk/n): no scale exceeds max(1, n/(εk)), which
        guards against an importance that is out of date. (Mixing afterwards, (1 − ε) min(1, k w_i/Σw) + ε/n
        as in published code, keeps fewer than k pairs on average and none surely.)
    """

    name: ClassVar[str] = "bernoulli"
    title: ClassVar[str] = "Bernoulli column–row sampling"
    uniform_mixture: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.uniform_mixture < 1.0:
            raise InputError(f"uniform_mixture={self.uniform_mixture} must satisfy 0 <= uniform_mixture < 1")

    @property
    def claims(self) -> Claims:
        """Unbiased; exact at full budget."""
        return self.pair_claims(
            budget="expected fraction or number of pairs kept",
            citation="Adelman, Levy, Hakimi, Silberstein, NeurIPS (2021), arXiv:1805.08079",
        )

    def build(self, weights: Sequence[np.ndarray]) -> BernoulliState:
        """Return expected counts and row norms of every layer."""
        norms, start = norm_table(weights, self.by_weights)
        expected = np.array([self.budget.expected(W.shape[0]) for W in weights])
        return BernoulliState(expected, norms, start, self.by_input, self.by_weights, float(self.uniform_mixture))

    def _probabilities(self, importance: np.ndarray) -> np.ndarray:
        expected, mixture = self.budget.expected(len(importance)), self.uniform_mixture
        if importance.dtype == object:
            return keep_probabilities(_mixed(importance, Fraction(mixture)), Fraction(expected))
        return keep_probabilities(_mixed(importance, mixture), expected)

    def moments_of(self, importance: np.ndarray) -> ScaleMoments:
        """Mean 1, variance (1 − p_i)/p_i where p_i > 0, 0 elsewhere; independent."""
        p = self._probabilities(importance)
        support = (p > 0) + p * 0
        variance = positive_ratios(1 - p, p)
        return ScaleMoments(mean=support, diagonal=variance, common=0, support=support)

    def outcomes_of(self, importance: Sequence[Fraction]) -> Iterator[Outcome]:
        """Yield every mask of positive probability."""
        p = self._probabilities(np.array([Fraction(w) for w in importance], dtype=object))
        for mask in product((True, False), repeat=len(p)):
            probability = Fraction(1)
            for bit, q in zip(mask, p, strict=True):
                probability *= q if bit else 1 - q
            if probability:
                yield probability, tuple(1 / q if bit else Fraction(0) for bit, q in zip(mask, p, strict=True))

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return the expected multiplications."""
        return Cost(
            product=batch * self.budget.expected(n) * m,
            selection=self.selection_cost(batch, n),
            upkeep=self.upkeep(n, m),
        )


def _mixed(importance: np.ndarray, mixture: float | Fraction) -> np.ndarray:
    """Return (1 − ε) w_i/Σw + ε/n, (n,), in the arithmetic of `importance`."""
    if mixture == 0:
        return importance
    largest = importance.max()
    relative = importance / largest if largest > 0 else importance
    total = relative.sum() if largest > 0 else 1
    mixed: np.ndarray = (1 - mixture) * relative / total + mixture / len(importance)
    return mixed


def keep_probabilities(importance: np.ndarray, expected: float | Fraction) -> np.ndarray:
    """Return p_i = min(1, τ w_i) with Σ p_i = `expected` (water-filling), (n,), in the arithmetic of `importance`.

    Parameters
    ----------
    importance : (n,) array, non-negative
    expected : number
        Expected count. If no more than `expected` items are positive, these get 1 and the others 0.
    """
    exact = importance.dtype == object
    if not exact and importance.max() > 0:
        importance = importance / importance.max()
    p = importance * 0
    sure = p > 0
    while True:
        open_pairs = ~sure & (importance > 0)
        remaining = expected - int(sure.sum())
        if int(open_pairs.sum()) <= remaining:
            sure |= open_pairs
            break
        if not exact:
            remaining = max(remaining, _EPSILON * expected)
        tau = remaining / importance[open_pairs].sum()
        newly = open_pairs & (importance * tau >= 1)
        if not newly.any():
            p[open_pairs] = importance[open_pairs] * tau
            break
        sure |= newly
    p[sure] += 1
    return p


@compiled
def fill_keep_probabilities(importance: np.ndarray, expected: float) -> None:
    """Replace `importance` (n,) by the water-filled probabilities, in place; sure items become exactly 1."""
    n = importance.size
    sure, still_open, total = 0, 0, 0.0
    for i in range(n):
        total += importance[i]
        still_open += importance[i] > 0.0
    while total > 0.0:
        # A pass marks (by −1) what the present τ saturates; each pass only grows the sure set.
        # Rounding may use up the budget before the pairs, which must keep a positive probability.
        everything = still_open <= expected - sure
        tau = max(expected - sure, _EPSILON * expected) / total
        before, rest, still_open = sure, 0.0, 0
        for i in range(n):
            if importance[i] > 0.0 and (everything or importance[i] * tau >= 1.0):
                importance[i] = -1.0
                sure += 1
            elif importance[i] > 0.0:
                rest += importance[i]
                still_open += 1
        if sure == before:
            for i in range(n):
                if importance[i] > 0.0:
                    importance[i] *= tau
            break
        total = rest
    for i in range(n):
        if importance[i] < 0.0:
            importance[i] = 1.0


@compiled
def _mix(importance: np.ndarray, mixture: float) -> None:
    """Replace `importance` (n,) by its mixture with the uniform distribution, in place."""
    total = importance.sum()
    kept = (1.0 - mixture) / total if total > 0.0 else 0.0
    for i in range(importance.size):
        importance[i] = kept * importance[i] + mixture / importance.size


@select.register(BernoulliState)
@compiled
def select_bernoulli(
    state: BernoulliState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Keep each pair with its probability."""
    n = x.size
    p, uniforms = np.empty(n), np.empty(n)
    start = state.start[layer]
    fill_importance(x, state.norms[start : start + n], state.by_input, p)
    if not math.isfinite(p.sum()):
        return keep_all(index, scale, n)
    if state.uniform_mixture > 0.0:
        _mix(p, state.uniform_mixture)
    # Only positive pairs go on, without branches: half of them vanish after a ReLU, which no branch predictor foresees.
    positive = 0
    for i in range(n):
        index[positive] = i
        p[positive] = p[i]
        positive += p[i] > 0.0
    fill_keep_probabilities(p[:positive], state.expected[layer])
    fill_uniform(key, uniforms)
    count = 0
    for c in range(positive):
        kept = uniforms[index[c]] < p[c]
        index[count] = index[c]
        scale[count] = 1.0 / p[c]
        count += kept
    return count


refresh.register(BernoulliState)(refresh_row_norms)
