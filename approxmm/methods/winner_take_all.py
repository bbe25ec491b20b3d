"""Winner-take-all column–row sampling: the most probable pairs surely, the rest with replacement (Liu et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.methods._rows import RowSampler, fill_importance, keep_all, norm_table, positive_ratios, refresh_row_norms
from approxmm.methods.bernoulli import fill_keep_probabilities, keep_probabilities
from approxmm.methods.contract import Claims, Cost, Outcome
from approxmm.methods.operations import refresh, select
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.methods.with_replacement import count_draws, multinomial_outcomes
from approxmm.random import Key

__all__ = ["WinnerTakeAll"]


class WinnerTakeAllState(NamedTuple):
    """Pairs of each layer (L,) int64; row norms of all layers; where each layer starts."""

    pairs: np.ndarray
    norms: np.ndarray
    start: np.ndarray
    by_input: bool
    by_weights: bool


@dataclass(frozen=True)
class WinnerTakeAll(RowSampler):
    """A set C of the most probable pairs is kept with scale 1; c − |C| draws with replacement are made from the rest R.

    With p the probabilities (∝ importance) and P_C their sum over C, a pair of R drawn n_i times gets the scale
    n_i (1 − P_C)/((c − |C|) p_i). |C| minimises (1 − P_C)/(c − |C|). As p falls along the ranks, adding a pair helps
    exactly while p_i (c − |C|) ≥ 1 − P_C, which is the rule by which water-filling saturates: C is the set that
    `bernoulli` with the same expected count keeps surely.

    With ``probabilities="optimal"``, the expected squared error is (W_R² − ‖z_R‖²)/(c − |C|), with W_R the sum of
    R's importances and z_R the part of the product that R makes. It is never above that of `with_replacement` with c
    draws: this |C| has P_C ≥ |C|/c, which suffices for all terms of these norms (W_C the rest of the importance: it is
    enough that |C|(W_R + ‖z_R‖) ≤ 2(c − |C|) W_C, and ‖z_R‖ ≤ W_R). Not claimed: the same for other probabilities,
    nor that no other |C| has a smaller error for given terms.
    """

    name: ClassVar[str] = "winner_take_all"
    title: ClassVar[str] = "winner-take-all column–row sampling"

    @property
    def claims(self) -> Claims:
        """Unbiased; exact at full budget."""
        return self.pair_claims(
            budget="sure pairs plus draws, as a fraction of the pairs or a count",
            citation="Liu et al., NeurIPS (2023), arXiv:2305.15265",
        )

    def build(self, weights: Sequence[np.ndarray]) -> WinnerTakeAllState:
        """Return counts and row norms of every layer."""
        norms, start = norm_table(weights, self.by_weights)
        pairs = np.array([self.budget.count(W.shape[0]) for W in weights], dtype=np.int64)
        return WinnerTakeAllState(pairs, norms, start, self.by_input, self.by_weights)

    def _split(self, importance: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Return the indicator of C, that of R, and the number of draws."""
        c = self.budget.count(len(importance))
        p = keep_probabilities(importance, c)
        sure = p == 1
        # Rounding may fill C with all c pairs before the rest, which must keep its chance.
        return sure, (p > 0) & ~sure, max(1, c - int(sure.sum()))

    def moments_of(self, importance: np.ndarray) -> ScaleMoments:
        """Mean 1 where the importance is positive; covariance 0 on C, (diag((1 − P_C)/p) − 11ᵀ)/(c − |C|) on R."""
        sure, rest, draws = self._split(importance)
        total = importance[rest].sum()
        reciprocal = positive_ratios(total, importance * rest)
        common = Fraction(-1, draws) if importance.dtype == object else -1.0 / draws
        return ScaleMoments(
            mean=(sure | rest) + importance * 0,
            diagonal=reciprocal / draws,
            common=common if rest.any() else 0,
            support=rest + importance * 0,
        )

    def outcomes_of(self, importance: Sequence[Fraction]) -> Iterator[Outcome]:
        """Yield every vector of counts on R, with C kept."""
        w = np.array([Fraction(v) for v in importance], dtype=object)
        sure, rest, draws = self._split(w)
        total, drawn = w[rest].sum(), np.flatnonzero(rest)
        scales = [Fraction(int(s)) for s in sure]
        if not drawn.size:
            yield Fraction(1), tuple(scales)
            return
        for probability, counts in multinomial_outcomes(draws, [w[i] / total for i in drawn]):
            for i, count in zip(drawn, counts, strict=True):
                scales[i] = count * total / (draws * w[i])
            yield probability, tuple(scales)

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return multiplications for c pairs (an upper bound: repeated pairs are computed once)."""
        return Cost(
            product=float(batch * self.budget.count(n) * m),
            selection=self.selection_cost(batch, n),
            upkeep=self.upkeep(n, m),
        )


@select.register(WinnerTakeAllState)
@compiled
def select_winner_take_all(
    state: WinnerTakeAllState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Keep C, draw from R; both go into one list of increasing pairs."""
    n, c = x.size, state.pairs[layer]
    p, counts = np.empty(n), np.zeros(n, dtype=np.int64)
    start = state.start[layer]
    fill_importance(x, state.norms[start : start + n], state.by_input, p)
    if not math.isfinite(p.sum()):
        return keep_all(index, scale, n)
    fill_keep_probabilities(p, float(c))
    sure = 0
    for i in range(n):
        if p[i] == 1.0:
            counts[i] = -1  # marks C
            p[i] = 0.0
            sure += 1
    total, draws = p.sum(), max(1, c - sure)
    if total > 0.0:
        count_draws(p, draws, key, counts)
    active = 0
    for i in range(n):
        if counts[i] != 0:
            index[active] = i
            scale[active] = 1.0 if counts[i] < 0 else counts[i] * (total / (draws * p[i]))
            active += 1
    return active


refresh.register(WinnerTakeAllState)(refresh_row_norms)
