"""Dropout: each node of a layer is kept with the same probability (Srivastava et al. 2014)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import ClassVar, NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.methods.contract import Claims, Cost, ImportanceLaw, Outcome
from approxmm.methods.operations import refresh, select
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.random import Key, fill_uniform

__all__ = ["Dropout"]


class DropoutState(NamedTuple):
    """Keep probability and scale of kept nodes of each layer, float64 (L,)."""

    keep: np.ndarray
    scale: np.ndarray


@dataclass(frozen=True)
class Dropout(ImportanceLaw):
    """Node j is kept with probability p, independently, and scaled by 1/p (inverted dropout) or not at all.

    The budget is the expected kept fraction (or number) of nodes; note that
    frameworks call 1 − p the dropout *rate*.

    Parameters
    ----------
    budget : float, int or Budget
    scaled : bool
        True: kept nodes are scaled by 1/p, so the mask is unbiased. False, as first published: kept nodes pass
        unchanged, the mean of the scales is p, and the network is made for *test-time scaling*: evaluated with all
        nodes kept and each output (or, the same, the next layer's weights) multiplied by `test_time_scale`, as the
        training engine's exact evaluation does. The trained network that it returns holds the weights as they are.
    """

    name: ClassVar[str] = "dropout"
    title: ClassVar[str] = "dropout"
    scaled: bool = True

    @property
    def claims(self) -> Claims:
        """Blind to data and weights; unbiased if scaled."""
        return Claims(
            side="output",
            unbiased=self.scaled,
            reads="nothing",
            exact_at_full_budget=True,
            deterministic=False,
            products=frozenset({"forward", "input_gradient", "weight_gradient"}),
            budget="expected fraction or number of nodes kept",
            citation="Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, JMLR 15 (2014)",
        )

    def keep_probability(self, size: int) -> float:
        """Return p for a layer of `size` nodes."""
        return self.budget.expected(size) / size

    def test_time_scale(self, size: int) -> float:
        """Return the factor of the outputs of `size` nodes when all are kept at test time: the scales' mean."""
        return 1.0 if self.scaled else self.keep_probability(size)

    def build(self, weights: Sequence[np.ndarray]) -> DropoutState:
        """Return each layer's keep probability and scale."""
        keep = np.array([self.keep_probability(W.shape[1]) for W in weights])
        return DropoutState(keep, 1.0 / keep if self.scaled else np.ones_like(keep))

    def importance(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return ones: all nodes are alike."""
        return x * 0 + 1

    def _exact_keep(self, importance: np.ndarray | Sequence[Fraction]) -> Fraction:
        return Fraction(self.budget.expected(len(importance))) / len(importance)

    def moments_of(self, importance: np.ndarray) -> ScaleMoments:
        """Mean 1 and variance (1 − p)/p, or unscaled p and p(1 − p); independent."""
        one = importance * 0 + 1
        keep = self._exact_keep(importance)
        factor = 1 / keep if self.scaled else Fraction(1)
        mean, variance = keep * factor, keep * (1 - keep) * factor**2
        unit = 1 if one.dtype == object else 1.0
        return ScaleMoments(mean=one * (mean * unit), diagonal=one * (variance * unit), common=0, support=one)

    def outcomes_of(self, importance: Sequence[Fraction]) -> Iterator[Outcome]:
        """Yield the 2^m masks."""
        keep = self._exact_keep(importance)
        factor = 1 / keep if self.scaled else Fraction(1)
        for mask in product((True, False), repeat=len(importance)):
            kept = sum(mask)
            probability = keep**kept * (1 - keep) ** (len(mask) - kept)
            if probability:
                yield probability, tuple(factor if bit else Fraction(0) for bit in mask)

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return the expected multiplications when only kept columns are computed."""
        return Cost(product=batch * n * self.budget.expected(m), selection=0.0)


@select.register(DropoutState)
@compiled
def select_dropout(
    state: DropoutState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Keep each node independently."""
    keep = state.keep[layer]
    uniforms = np.empty(x.size)
    fill_uniform(key, uniforms)
    count = 0
    for j in range(x.size):
        if uniforms[j] < keep:
            index[count] = j
            scale[count] = state.scale[layer]
            count += 1
    return count


@refresh.register(DropoutState)
@compiled
def refresh_dropout(state: DropoutState, layer: int, weights: np.ndarray, changed: np.ndarray) -> None:
    """Do nothing: the law does not depend on the weights."""
