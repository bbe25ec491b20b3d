"""The true top nodes of each layer: the perfect hash that the negative result assumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.errors import InputError
from approxmm.methods.contract import Claims, Cost, ImportanceLaw, Outcome
from approxmm.methods.operations import refresh, select
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.random import Key
from approxmm.ranking import fill_top

__all__ = ["OracleActive"]


class OracleState(NamedTuple):
    """Active nodes of each layer (L,) int64, and whether nodes are ranked by magnitude."""

    active: np.ndarray
    by_magnitude: bool


@dataclass(frozen=True)
class OracleActive(ImportanceLaw):
    """The k nodes with the largest pre-activation are kept with scale 1, all others are 0. Deterministic, biased.

    It computes everything to find them, so it saves nothing: it is the reference for what
    an ideal active-set method could keep.

    Parameters
    ----------
    budget : float, int or Budget
    by : {"value", "magnitude"}
        Rank by z, as a maximum-inner-product index does, or by |z| (the fair choice for linear activations).
    """

    name: ClassVar[str] = "oracle_active"
    title: ClassVar[str] = "true top nodes (perfect hash)"
    by: str = "value"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.by not in ("value", "magnitude"):
            raise InputError(f"by={self.by!r} is unknown; choose 'value' or 'magnitude'")

    @property
    def claims(self) -> Claims:
        """Biased, deterministic given the pre-activations."""
        return Claims(
            side="output",
            unbiased=False,
            reads="pre_activation",
            exact_at_full_budget=True,
            deterministic=True,
            products=frozenset({"forward", "input_gradient", "weight_gradient"}),
            budget="fraction or number of active nodes, per example",
            citation="Ebrahimi, Advani, Asudeh, EDBT (2025), arXiv:2306.09293 (as an assumption)",
        )

    def build(self, weights: Sequence[np.ndarray]) -> OracleState:
        """Return each layer's count."""
        return OracleState(
            np.array([self.budget.count(W.shape[1]) for W in weights], dtype=np.int64), self.by == "magnitude"
        )

    def importance(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return what nodes are ranked by, (m,); `x` is the pre-activation."""
        return abs(x) if self.by == "magnitude" else x

    def _active(self, importance: np.ndarray | Sequence[Fraction]) -> list[int]:
        # Python's sort is stable: ties go to the lower index, as in the compiled selection.
        order = sorted(range(len(importance)), key=lambda j: -importance[j])
        return order[: self.budget.count(len(importance))]

    def moments_of(self, importance: np.ndarray) -> ScaleMoments:
        """Mean: the indicator of the active nodes; covariance 0."""
        mean = importance * 0
        mean[self._active(importance)] += 1
        return ScaleMoments(mean=mean, diagonal=importance * 0, common=0, support=mean)

    def outcomes_of(self, importance: Sequence[Fraction]) -> Iterator[Outcome]:
        """Yield the single outcome."""
        active = set(self._active(importance))
        yield Fraction(1), tuple(Fraction(int(j in active)) for j in range(len(importance)))

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return the full product: the oracle must see every pre-activation."""
        return Cost(product=float(batch * n * m))


@select.register(OracleState)
@compiled
def select_oracle(state: OracleState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray) -> int:
    """Select the k largest; ties go to the lower index."""
    score = np.empty(x.size, x.dtype)
    largest = x.dtype.type(np.inf)
    for j in range(x.size):
        value = abs(x[j]) if state.by_magnitude else x[j]
        score[j] = value if value == value else largest  # NaN must reach the result, so it counts as the largest
    count = fill_top(score, state.active[layer], index)
    for i in range(count):
        scale[i] = 1.0
    return count


@refresh.register(OracleState)
@compiled
def refresh_oracle(state: OracleState, layer: int, weights: np.ndarray, changed: np.ndarray) -> None:
    """Do nothing: nodes are ranked by what is computed anyway."""
