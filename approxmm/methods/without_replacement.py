"""Column–row sampling without replacement: a fixed number of distinct pairs with Horvitz–Thompson weights."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb
from typing import ClassVar, NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.methods._pivotal import fill_pivotal, joint_inclusion, pivotal_samples
from approxmm.methods._rows import RowSampler, fill_importance, keep_all, norm_table, positive_ratios, refresh_row_norms
from approxmm.methods.bernoulli import fill_keep_probabilities, keep_probabilities
from approxmm.methods.contract import Claims, Cost, Outcome
from approxmm.methods.operations import refresh, select
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.random import Key, fill_uniform

__all__ = ["WithoutReplacement"]


class WithoutReplacementState(NamedTuple):
    """Pairs kept in each layer (L,) int64; row norms of all layers; where each layer starts."""

    kept: np.ndarray
    norms: np.ndarray
    start: np.ndarray
    by_input: bool
    by_weights: bool


@dataclass(frozen=True)
class WithoutReplacement(RowSampler):
    """Exactly k distinct pairs; pair i, whose inclusion probability is π_i, gets the scale 1/π_i.

    ``probabilities="uniform"``: every k-subset is equally likely (simple random sampling), and
    Cov(ξ_i, ξ_j) = (n/k)(k − 1)/(n − 1) − 1. Otherwise π_i = min(1, τ w_i) for the importance w, with Σ π_i = k: pairs
    with π_i = 1 are kept surely, the others by the ordered pivotal method, a tournament along the pairs' order whose
    inclusion probabilities are exactly π and whose joint inclusion probabilities are known (see
    `approxmm.methods._pivotal`). Different pairs are never positively correlated and their number is fixed, hence
    E‖error‖² ≤ 2 Σ (1/π_i − 1)‖t_i‖² for any terms t_i: at most twice the error of `bernoulli` with the same
    probabilities. When fewer than k pairs contribute, all are kept.

    Not claimed: optimality. It depends on the order of the pairs and on the angles between their terms.
    """

    name: ClassVar[str] = "without_replacement"
    title: ClassVar[str] = "column–row sampling without replacement"

    @property
    def claims(self) -> Claims:
        """Unbiased; exact at full budget."""
        return self.pair_claims(
            budget="number of distinct pairs kept, as a fraction or a count",
            citation="Horvitz, Thompson, JASA 47 (1952); Deville, Tillé, Biometrika 85 (1998); "
            "Chauvet, Bernoulli 18 (2012), arXiv:1211.5688",
        )

    @property
    def _simple(self) -> bool:
        return self.probabilities == "uniform"

    def build(self, weights: Sequence[np.ndarray]) -> WithoutReplacementState:
        """Return counts and row norms of every layer."""
        norms, start = norm_table(weights, self.by_weights)
        kept = np.array([self.budget.count(W.shape[0]) for W in weights], dtype=np.int64)
        return WithoutReplacementState(kept, norms, start, self.by_input, self.by_weights)

    def moments_of(self, importance: np.ndarray) -> ScaleMoments:
        """Mean 1, covariance π_ij/(π_i π_j) − 1, on the pairs of positive importance."""
        support = (importance > 0) + importance * 0
        positive = np.flatnonzero(importance > 0)
        k = min(self.budget.count(importance.size), positive.size)
        if self._simple:
            return _simple_moments(support, positive.size, k)
        p = keep_probabilities(importance, k)
        variance = positive_ratios(1 - p, p)
        open_pairs = np.flatnonzero((p > 0) & (p < 1))
        dense = np.full((p.size, p.size), importance[0] * 0)
        q = p[open_pairs]
        dense[np.ix_(open_pairs, open_pairs)] = _relative_covariance(joint_inclusion(q), q)
        return ScaleMoments(mean=support, diagonal=variance, common=0, support=support, dense=dense)

    def outcomes_of(self, importance: Sequence[Fraction]) -> Iterator[Outcome]:
        """Yield every sample of positive probability."""
        positive = [i for i, w in enumerate(importance) if w > 0]
        k = min(self.budget.count(len(importance)), len(positive))
        # Uniform: only whether the importance is positive matters.
        w = [Fraction(v > 0) if self._simple else Fraction(v) for v in importance]
        p = keep_probabilities(np.array(w, dtype=object), k)
        if self._simple:
            chance = Fraction(1, comb(len(positive), k))
            samples = dict.fromkeys(map(frozenset, combinations(positive, k)), chance)
        else:
            samples = _pivotal_outcomes(p)
        for sample, probability in samples.items():
            yield probability, tuple(1 / p[i] if i in sample else Fraction(0) for i in range(len(p)))

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return the multiplications for k pairs."""
        return Cost(
            product=float(batch * self.budget.count(n) * m),
            selection=self.selection_cost(batch, n),
            upkeep=self.upkeep(n, m),
        )


def _simple_moments(support: np.ndarray, n: int, k: int) -> ScaleMoments:
    """Return the moments of k of n equally likely pairs, in the arithmetic of `support`."""
    common = Fraction(0) if n < 2 else Fraction(n * (k - 1), k * (n - 1)) - 1
    own = (Fraction(n, k) - 1 if n else Fraction(0)) - common
    exact = support.dtype == object
    return ScaleMoments(
        mean=support,
        diagonal=support * (own if exact else float(own)),
        common=common if exact else float(common),
        support=support,
    )


def _relative_covariance(joint: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return π_ij/(π_i π_j) − 1 with a zero diagonal; the variance is kept apart, where it can be bounded."""
    # One division after the other: the product of two small probabilities may underflow.
    relative: np.ndarray = joint / p[:, None] / p[None, :] - 1
    index = np.arange(p.size)
    relative[index, index] = relative[index, index] * 0
    return relative


def _pivotal_outcomes(p: np.ndarray) -> dict[frozenset[int], Fraction]:
    sure = {i for i, q in enumerate(p) if q == 1}
    open_pairs = [i for i, q in enumerate(p) if 0 < q < 1]
    chances: dict[frozenset[int], Fraction] = defaultdict(Fraction)
    for probability, chosen in pivotal_samples([p[i] for i in open_pairs]):
        chances[frozenset(sure | {open_pairs[c] for c in chosen})] += probability
    return chances


@select.register(WithoutReplacementState)
@compiled
def select_without_replacement(
    state: WithoutReplacementState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Draw k distinct pairs: by the tournament, or one after the other with equal chances."""
    n, k = x.size, state.kept[layer]
    p, uniforms = np.empty(n), np.empty(n)
    fill_uniform(key, uniforms)
    if not (state.by_input or state.by_weights):
        return _select_equally(k, uniforms, index, scale)
    start = state.start[layer]
    fill_importance(x, state.norms[start : start + n], state.by_input, p)
    if not math.isfinite(p.sum()):
        return keep_all(index, scale, n)
    fill_keep_probabilities(p, float(k))
    return fill_pivotal(p, uniforms, index, scale)


@compiled
def _select_equally(k: int, uniforms: np.ndarray, index: np.ndarray, scale: np.ndarray) -> int:
    """Take each pair with the chance (still wanted)/(still to come) (Fan, Muller, Rezucha 1962)."""
    n, count = uniforms.size, 0
    for i in range(n):
        if uniforms[i] * (n - i) < k - count:
            index[count] = i
            scale[count] = n / k
            count += 1
    return count


refresh.register(WithoutReplacementState)(refresh_row_norms)
