"""The k most important column–row pairs, deterministically."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.methods._rows import RowSampler, fill_importance, keep_all, norm_table, refresh_row_norms
from approxmm.methods.contract import Claims, Cost, Outcome
from approxmm.methods.operations import refresh, select
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.random import Key
from approxmm.ranking import fill_top

__all__ = ["TopK"]


class TopKState(NamedTuple):
    """Pairs kept in each layer (L,) int64; row norms of all layers; where each layer starts."""

    kept: np.ndarray
    norms: np.ndarray
    start: np.ndarray
    by_input: bool
    by_weights: bool


@dataclass(frozen=True)
class TopK(RowSampler):
    """The k pairs of largest importance are kept with scale 1, the others are dropped. Deterministic, biased.

    The error is ‖Σ_{dropped} a_i W_i·‖, which the triangle inequality bounds by the dropped importance. Not claimed:
    an error that shrinks with every further pair, for dropped terms may cancel. Ties go to the lower index.
    """

    name: ClassVar[str] = "top_k"
    title: ClassVar[str] = "top column–row pairs"

    @property
    def claims(self) -> Claims:
        """Biased, deterministic; exact at full budget."""
        return self.pair_claims(
            budget="number of pairs kept, as a fraction or a count",
            citation="Adelman, Levy, Hakimi, Silberstein, NeurIPS (2021), arXiv:1805.08079",
            unbiased=False,
            deterministic=True,
        )

    def build(self, weights: Sequence[np.ndarray]) -> TopKState:
        """Return counts and row norms of every layer."""
        norms, start = norm_table(weights, self.by_weights)
        kept = np.array([self.budget.count(W.shape[0]) for W in weights], dtype=np.int64)
        return TopKState(kept, norms, start, self.by_input, self.by_weights)

    def _kept(self, importance: np.ndarray | Sequence[Fraction]) -> list[int]:
        # Python's sort is stable: ties go to the lower index, as in the compiled selection.
        order = sorted(range(len(importance)), key=lambda i: -importance[i])
        return order[: self.budget.count(len(importance))]

    def moments_of(self, importance: np.ndarray) -> ScaleMoments:
        """Mean: the indicator of the kept pairs; covariance 0."""
        mean = importance * 0
        mean[self._kept(importance)] += 1
        return ScaleMoments(mean=mean, diagonal=importance * 0, common=0, support=mean)

    def outcomes_of(self, importance: Sequence[Fraction]) -> Iterator[Outcome]:
        """Yield the single outcome."""
        kept = set(self._kept(importance))
        yield Fraction(1), tuple(Fraction(int(i in kept)) for i in range(len(importance)))

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return the multiplications for k pairs."""
        return Cost(
            product=float(batch * self.budget.count(n) * m),
            selection=self.selection_cost(batch, n),
            upkeep=self.upkeep(n, m),
        )


@select.register(TopKState)
@compiled
def select_top_k(state: TopKState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray) -> int:
    """Select the k most important pairs."""
    n = x.size
    importance = np.empty(n)
    start = state.start[layer]
    fill_importance(x, state.norms[start : start + n], state.by_input, importance)
    if not math.isfinite(importance.sum()):
        return keep_all(index, scale, n)
    count = fill_top(importance, state.kept[layer], index)
    scale[:count] = 1.0
    return count


refresh.register(TopKState)(refresh_row_norms)
