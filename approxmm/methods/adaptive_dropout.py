"""Adaptive dropout, or standout: a node's keep probability follows its pre-activation (Ba and Frey 2013)."""

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
from approxmm.methods._rows import keep_all, positive_ratios
from approxmm.methods._standout import fill_standout
from approxmm.methods.contract import Claims, Cost, ImportanceLaw, Outcome
from approxmm.methods.operations import refresh, select
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.random import Key, fill_uniform

__all__ = ["AdaptiveDropout"]


class AdaptiveDropoutState(NamedTuple):
    """Expected kept nodes of each layer (L,) float64 (NaN: β is given), and the parameters of the probability."""

    expected: np.ndarray
    alpha: float
    beta: float
    sigmoid: bool
    scaled: bool


@dataclass(frozen=True)
class AdaptiveDropout(ImportanceLaw):
    """Node j is kept with probability p_j = σ(α z_j + β), independently, z_j its pre-activation.

    That is standout with the tied weights that its authors recommend: α and β times the network's own. As it needs all
    pre-activations, it saves no multiplication.

    Parameters
    ----------
    budget : float, int or Budget
        With ``beta=None`` the expected fraction (or number) of kept nodes; otherwise ignored.
    variant : {"sigmoid", "published"}
        ``published`` is p_j = min(1, max(0, z_j/2 + 1)), from the code of a published comparison (Ebrahimi, Advani,
        Asudeh 2023): it keeps surely wherever z_j ≥ 0, so it drops almost nothing that a rectifier lets through,
        and it has no budget.
    alpha : float
        Sharpness: 0 is plain dropout, a large one keeps the top nodes.
    beta : float, optional
        None: β is solved for each example such that Σ p_j is the budget (to rounding).
    scaled : bool
        False, as in the literature: the mask is not scaled, its mean is p, and test time uses the expectation
        p_j a_j (`scale_moments(z, W).mean` is p). True: kept nodes are scaled by 1/p_j; this is unbiased
        for ``sigmoid`` and, as ``published`` never keeps a node with z_j ≤ −2, biased there.
    """

    name: ClassVar[str] = "adaptive_dropout"
    title: ClassVar[str] = "adaptive dropout (standout)"
    variant: str = "sigmoid"
    alpha: float = 1.0
    beta: float | None = None
    scaled: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.variant not in ("sigmoid", "published"):
            raise InputError(f"variant={self.variant!r} is unknown; choose 'sigmoid' or 'published'")
        for name in ("alpha", "beta"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise InputError(f"{name}={number} must be a finite number")
        if self.variant == "published" and (self.alpha != 1.0 or self.beta is not None):
            raise InputError("variant='published' fixes the slope 1/2 and the offset 1; leave out alpha and beta")

    @property
    def _solves(self) -> bool:
        return self.variant == "sigmoid" and self.beta is None

    @property
    def claims(self) -> Claims:
        """Biased as published; unbiased if scaled; exact at full budget where there is a budget."""
        return Claims(
            side="output",
            unbiased=self.scaled and self.variant == "sigmoid",
            reads="pre_activation",
            exact_at_full_budget=self._solves,
            deterministic=False,
            products=frozenset({"forward", "input_gradient", "weight_gradient"}),
            budget="expected fraction or number of nodes kept, per example" if self._solves else "ignored",
            citation="Ba, Frey, NIPS (2013)",
        )

    def build(self, weights: Sequence[np.ndarray]) -> AdaptiveDropoutState:
        """Return each layer's expected count and the parameters."""
        expected = [self._expected(W.shape[1]) for W in weights]
        beta = 0.0 if self.beta is None else float(self.beta)
        return AdaptiveDropoutState(
            np.array(expected), float(self.alpha), beta, self.variant == "sigmoid", bool(self.scaled)
        )

    def _expected(self, size: int) -> float:
        return self.budget.expected(size) if self._solves else math.nan

    def importance(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the keep probabilities, (m,); `x` is the pre-activation. Rational input gives rationals, rounded."""
        state = self.build([np.empty((1, x.size))])
        p = np.empty(x.size)
        fill_standout(x.astype(np.float64), state.expected[0], state.alpha, state.beta, state.sigmoid, p)
        return np.array([Fraction(q) for q in p], dtype=object) if x.dtype == object else p

    def _keep(self, importance: np.ndarray) -> np.ndarray:
        one = importance * 0 + 1
        everything = self._solves and self.budget.expected(importance.size) >= importance.size
        return one if everything else np.minimum(importance, one)

    def moments_of(self, importance: np.ndarray) -> ScaleMoments:
        """With p = min(1, importance): mean p and variance p(1 − p), or, scaled, 1 and (1 − p)/p; independent."""
        p = self._keep(importance)
        if not self.scaled:
            return ScaleMoments(mean=p, diagonal=p * (1 - p), common=0, support=p * 0 + 1)
        support = (p > 0) + p * 0
        variance = positive_ratios(1 - p, p)
        return ScaleMoments(mean=support, diagonal=variance, common=0, support=support)

    def outcomes_of(self, importance: Sequence[Fraction]) -> Iterator[Outcome]:
        """Yield every mask of positive probability."""
        p = self._keep(np.array([Fraction(q) for q in importance], dtype=object))
        for mask in product((True, False), repeat=len(p)):
            probability = Fraction(1)
            for bit, q in zip(mask, p, strict=True):
                probability *= q if bit else 1 - q
            if probability:
                scale = (1 / q if self.scaled and bit else Fraction(int(bit)) for bit, q in zip(mask, p, strict=True))
                yield probability, tuple(scale)

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return the full product and a multiplication a node: all pre-activations must be known."""
        return Cost(product=float(batch * n * m), selection=float(batch * m))


@select.register(AdaptiveDropoutState)
@compiled
def select_adaptive_dropout(
    state: AdaptiveDropoutState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Keep each node with its probability."""
    m = x.size
    p, uniforms = np.empty(m), np.empty(m)
    for j in range(m):
        if not math.isfinite(x[j]):
            return keep_all(index, scale, m)
    fill_standout(x, state.expected[layer], state.alpha, state.beta, state.sigmoid, p)
    fill_uniform(key, uniforms)
    count = 0
    for j in range(m):
        if uniforms[j] < p[j]:
            index[count] = j
            scale[count] = 1.0 / p[j] if state.scaled else 1.0
            count += 1
    return count


@refresh.register(AdaptiveDropoutState)
@compiled
def refresh_adaptive_dropout(state: AdaptiveDropoutState, layer: int, weights: np.ndarray, changed: np.ndarray) -> None:
    """Do nothing: the law reads what is computed anyway."""
