"""The budget that a depth needs, in wide random networks.

For c norm-optimal draws with replacement in a ReLU network (He initialisation, no biases) g = 1 + (n/π − 1)/c and,
with s² = g^L and the correlation ρ ≤ 1, E_L = s² − 2ρs + 1 = (s − ρ)² + 1 − ρ². Hence

* the second moment stays within 1 + ε, g^L ≤ 1 + ε, only if c ≥ L (n/π − 1)/ε, because g^L ≥ 1 + L(g − 1): more draws
  than nodes as soon as L > π ε (precisely, L > π ε n/(n − π));
* the relative error obeys (g^{L/2} − 1)² ≤ E_L ≤ g^L − 1, the lower bound from ρ ≤ 1 and the upper one because E z ẑ
  never shrinks (the kernel has f(ρ) ≥ ρ). So E_L ≤ ε needs c ≥ L (n/π − 1)/(2√ε) for L ≥ 2, more draws than nodes
  once L > 2π√ε, and c = (n/π − 1)/((1 + ε)^{1/L} − 1) suffices.

All draws of this kind cost a multiplication of a row each, so beyond c = n the exact product is cheaper. `approxmm
prove` has the theorem step by step. `draws_for_depth` returns the three numbers, `budget_for_depth` solves the maps
themselves, for any method and activation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from approxmm.errors import InputError, NotAvailableError
from approxmm.methods.budget import Budget
from approxmm.methods.contract import Method
from approxmm.propagation.ensemble import Ensemble
from approxmm.propagation.meanfield import mean_field

__all__ = ["DepthBudget", "Draws", "budget_for_depth", "draws_for_depth"]

_MOST_DRAWS = 10**12


class Draws(NamedTuple):
    """Norm-optimal draws with replacement that a depth needs in a ReLU network, a layer.

    Attributes
    ----------
    second_moment : float
        Fewer let E ẑ² grow beyond 1 + ε.
    necessary : float
        Fewer make the relative error larger than ε, whatever happens to the direction (L ≥ 2).
    sufficient : float
        So many keep it within ε.
    """

    second_moment: float
    necessary: float
    sufficient: float


def draws_for_depth(width: int, depth: int, target: float) -> Draws:
    """Return how many draws a layer keep a ReLU network's relative error E‖ẑ − z‖²/E‖z‖² at `depth` within `target`.

    Raises
    ------
    InputError
        If the target is not positive, the depth below 2 or the width below 4.
    """
    _check_target(target, depth)
    if width < 4 or depth < 2:
        raise InputError(f"width={width}, depth={depth}: the bounds are for at least 4 nodes and 2 layers")
    excess = width / math.pi - 1.0
    return Draws(
        second_moment=depth * excess / target,
        necessary=depth * excess / (2.0 * math.sqrt(target)),
        sufficient=excess / math.expm1(math.log1p(target) / depth),
    )


@dataclass(frozen=True)
class DepthBudget:
    """The smallest budget that keeps the output's error within a target.

    Attributes
    ----------
    count : int
        Items (pairs, draws or nodes) a layer.
    fraction : float
        Of the layer's width; above 1 where a method has to draw more often than there are nodes.
    relative_error : float
        At the output with this count.
    one_less : float or None
        With one item less: above the target.
    """

    count: int
    fraction: float
    relative_error: float
    one_less: float | None

    @property
    def exceeds_nodes(self) -> bool:
        """Whether more items than nodes are needed, so that the exact product is cheaper."""
        return self.fraction > 1.0


def budget_for_depth(method: Method, ensemble: Ensemble, target: float, *, sample_output: bool = True) -> DepthBudget:
    """Return the smallest equal budget of all layers with a relative error of at most `target` at the output.

    Parameters
    ----------
    method : Method
        Its own budget does not matter.
    ensemble : Ensemble
    target : float
        ε > 0, of squares.
    sample_output : bool
        Whether the last product is sampled too.

    Raises
    ------
    InputError
        If the target is not positive.
    NotAvailableError
        If the method has no mean field, ignores its budget, or misses the target at its largest budget.

    Notes
    -----
    By bisection over counts, taking the error to fall with the count: it does so for every method of the package at
    fixed width, and the result's own error is that of the count returned.
    """
    _check_target(target, ensemble.depth)

    def error(count: int) -> float:
        law = replace(method, budget=Budget(count))
        profile = mean_field(ensemble, law, sample_output=sample_output, gradients=False, correction=False)
        return profile.layers[-1].output.relative_error

    width = min(ensemble.widths)
    if replace(method, budget=Budget(1)) == replace(method, budget=Budget(width)) and width > 1:
        raise NotAvailableError(f"method={method.name!r} ignores its budget; there is none to be found")
    high = _reaching(method, error, width, target)
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if error(middle) <= target else (middle, high)
    return DepthBudget(high, high / width, error(high), error(low) if low else None)


def _reaching(method: Method, error: Callable[[int], float], width: int, target: float) -> int:
    """Return a count that reaches the target: the width or, for laws that may draw more often, a multiple of it."""
    count = width
    while count <= _MOST_DRAWS:
        try:
            reached = error(count)
        except InputError:  # the law has no budget beyond the width
            break
        if reached <= target:
            return count
        count *= 2
    best = min(count, width)
    raise NotAvailableError(
        f"method={method.name!r} misses target={target} at every budget (the error at {best} of {width} is "
        f"{error(best):.4g}); use fewer layers, a larger target, or another method"
    )


def _check_target(target: float, depth: int) -> None:
    if not (math.isfinite(target) and target > 0.0):
        raise InputError(f"target={target} must be a positive number: the relative error of squares")
    if depth < 1:
        raise InputError(f"depth={depth} must be at least 1")
