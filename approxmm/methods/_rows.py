"""What the samplers of column–row pairs share: an importance for each pair.

The pair i of a product a W contributes ``a_i W_i·``; its importance is |a_i|·‖W_i·‖
(``optimal``), ‖W_i·‖ (``weights``, which needs no look at the data) or 1 (``uniform``).
For a batch that shares one draw, |a_i| is the norm of the batch's column i.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from approxmm.compile import compiled, compiled_fast
from approxmm.errors import InputError
from approxmm.methods.contract import Claims, ImportanceLaw

__all__ = [
    "PROBABILITIES",
    "RowSampler",
    "capped_ratio",
    "fill_importance",
    "keep_all",
    "norm_table",
    "positive_ratios",
    "refresh_norms",
    "refresh_row_norms",
    "row_norms",
]

_LARGEST = np.finfo(np.float64).max

# name -> (by_input, by_weights)
PROBABILITIES = {"optimal": (True, True), "weights": (False, True), "uniform": (False, False)}


@dataclass(frozen=True)
class RowSampler(ImportanceLaw):
    """A method that samples column–row pairs by importance.

    Parameters
    ----------
    budget : float, int or Budget
    probabilities : {"optimal", "weights", "uniform"}
        What a pair's importance is.
    """

    probabilities: str = "optimal"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.probabilities not in PROBABILITIES:
            raise InputError(
                f"probabilities={self.probabilities!r} is unknown; choose one of {', '.join(PROBABILITIES)}"
            )

    @property
    def by_input(self) -> bool:
        """Whether the importance depends on the data."""
        return PROBABILITIES[self.probabilities][0]

    @property
    def by_weights(self) -> bool:
        """Whether the importance depends on the weights."""
        return PROBABILITIES[self.probabilities][1]

    def pair_claims(
        self,
        *,
        budget: str,
        citation: str,
        unbiased: bool = True,
        exact_at_full_budget: bool = True,
        deterministic: bool = False,
    ) -> Claims:
        """Return the claims of a sampler of pairs: all products, and a law that reads what the importance does."""
        return Claims(
            side="inner",
            unbiased=unbiased,
            reads="input" if self.by_input else "nothing",
            exact_at_full_budget=exact_at_full_budget,
            deterministic=deterministic,
            products=frozenset({"forward", "input_gradient", "weight_gradient"}),
            budget=budget,
            citation=citation,
        )

    def importance(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return each pair's importance, (n,), float64 or exact."""
        factor = abs(x) if self.by_input else x * 0 + 1
        return factor * row_norms(weights) if self.by_weights else factor

    def reduced(self, weights: np.ndarray) -> np.ndarray:
        """Return the row norms as (n, 1) weights, whose row norms they are."""
        return row_norms(weights)[:, None] if self.by_weights else weights[:, :1]

    def upkeep(self, n: int, m: int) -> float:
        """Return the multiplications that keep the row norms true after all weights changed."""
        return float(n * m) if self.by_weights else 0.0

    def selection_cost(self, batch: int, n: int) -> float:
        """Return the multiplications that turn a batch into importances."""
        return float((batch if self.by_input else 0) * n + (n if self.by_weights else 0))


def row_norms(weights: np.ndarray) -> np.ndarray:
    """Return the Euclidean norms of the rows of (n, m) `weights`: float64, or exact where they are rational."""
    if weights.dtype == object:
        return np.array([_rational_sqrt(sum(w * w for w in row)) for row in weights], dtype=object)
    norms = np.empty(len(weights))
    refresh_norms(norms, np.asarray(weights), np.arange(len(weights)))
    return norms


def _rational_sqrt(square: Fraction) -> Fraction:
    square = Fraction(square)
    root = Fraction(math.isqrt(square.numerator), math.isqrt(square.denominator))
    if root * root != square:
        raise InputError(f"the squared row norm {square} has no rational root; choose rows with rational norms")
    return root


def norm_table(weights: Sequence[np.ndarray], use: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return all layers' row norms in one float64 array (ones if not `use`), and where each layer starts."""
    start = np.cumsum([0] + [W.shape[0] for W in weights]).astype(np.int64)
    norms = np.concatenate([row_norms(W) if use else np.ones(W.shape[0]) for W in weights])
    return norms, start


def capped_ratio(numerator: Any, denominator: Any) -> Any:
    """Return numerator / denominator; a float quotient beyond the range becomes the largest float.

    The quotient is 1/p of a pair whose squared contribution has long since underflowed: an infinity would make it NaN.
    """
    if isinstance(denominator, (int, Fraction)):
        return Fraction(numerator) / denominator
    with np.errstate(over="ignore"):
        return min(np.divide(numerator, denominator), _LARGEST)


def positive_ratios(numerators: Any, denominators: np.ndarray) -> np.ndarray:
    """Return `capped_ratio` of each pair of numbers, (n,), and 0 where a denominator is not positive."""
    if denominators.dtype == object:
        pairs = zip(np.broadcast_to(numerators, denominators.shape), denominators, strict=True)
        return np.array([capped_ratio(a, b) if b > 0 else b * 0 for a, b in pairs], dtype=object)
    with np.errstate(over="ignore"):
        ratios = np.divide(numerators, denominators, out=np.zeros(denominators.shape), where=denominators > 0)
    capped: np.ndarray = np.minimum(ratios, _LARGEST)
    return capped


@compiled
def fill_importance(x: np.ndarray, norms: np.ndarray, by_input: bool, out: np.ndarray) -> None:
    """Write each pair's importance to `out` (n,), relative to the largest: sums neither overflow nor lose bits."""
    largest = 0.0
    for i in range(x.size):
        out[i] = abs(x[i]) * norms[i] if by_input else norms[i]
        if not out[i] <= largest:
            largest = out[i]
    if largest > 0.0:
        for i in range(x.size):
            out[i] /= largest


@compiled
def keep_all(index: np.ndarray, scale: np.ndarray, n: int) -> int:
    """Select all n pairs with scale 1: where an importance is not a finite number, the product must show it."""
    for i in range(n):
        index[i] = i
        scale[i] = 1.0
    return n


@compiled_fast
def refresh_norms(norms: np.ndarray, weights: np.ndarray, changed: np.ndarray) -> None:
    """Recompute the norms (float64) of the `changed` rows of `weights`."""
    for i in changed:
        total = 0.0
        for j in range(weights.shape[1]):  # by index: a loop over a row view is not vectorised
            w = np.float64(weights[i, j])  # `float` keeps single precision in compiled code
            total += w * w
        norms[i] = math.sqrt(total)


@compiled
def refresh_row_norms(state: Any, layer: int, weights: np.ndarray, changed: np.ndarray) -> None:
    """Recompute the norms of changed rows: the `refresh` of every state with norms, start and by_weights."""
    if state.by_weights:
        start = state.start[layer]
        refresh_norms(state.norms[start : start + weights.shape[0]], weights, changed)
