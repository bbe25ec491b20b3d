"""The exact product, as the method that every other one is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar, NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.methods.budget import Budget
from approxmm.methods.contract import Claims, Cost, ImportanceLaw, Outcome
from approxmm.methods.operations import refresh, select
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.random import Key

__all__ = ["Exact"]


class ExactState(NamedTuple):
    """Nothing to keep."""


@dataclass(frozen=True)
class Exact(ImportanceLaw):
    """All pairs, all scales 1. The budget is ignored (and is 1.0)."""

    name: ClassVar[str] = "exact"
    title: ClassVar[str] = "exact product"
    budget: Budget = field(default_factory=lambda: Budget(1.0))

    def __post_init__(self) -> None:
        object.__setattr__(self, "budget", Budget(1.0))

    @property
    def claims(self) -> Claims:
        """Unbiased, without variance."""
        return Claims(
            side="inner",
            unbiased=True,
            reads="nothing",
            exact_at_full_budget=True,
            deterministic=True,
            products=frozenset({"forward", "input_gradient", "weight_gradient"}),
            budget="ignored: everything is computed",
            citation="-",
        )

    def build(self, weights: Sequence[np.ndarray]) -> ExactState:
        """Return the empty state."""
        return ExactState()

    def importance(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return ones."""
        return x * 0 + 1

    def moments_of(self, importance: np.ndarray) -> ScaleMoments:
        """Mean 1, covariance 0."""
        one = importance * 0 + 1
        return ScaleMoments(mean=one, diagonal=one * 0, common=0, support=one)

    def outcomes_of(self, importance: Sequence[Fraction]) -> Iterator[Outcome]:
        """Yield the single outcome."""
        yield Fraction(1), (Fraction(1),) * len(importance)

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return batch·n·m multiplications."""
        return Cost(product=float(batch * n * m))


@select.register(ExactState)
@compiled
def select_all(state: ExactState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray) -> int:
    """Select every item with scale 1."""
    for i in range(x.size):
        index[i] = i
        scale[i] = 1.0
    return x.size


@refresh.register(ExactState)
@compiled
def refresh_nothing(state: ExactState, layer: int, weights: np.ndarray, changed: np.ndarray) -> None:
    """Do nothing: the law does not depend on the weights."""
