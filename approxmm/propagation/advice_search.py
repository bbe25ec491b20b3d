"""Search along a family of budgets: the cheapest member whose error, predicted or simulated, is allowed.

A family gives budgets for a position t > 0: the larger t, the cheaper and the larger the error, roughly in
proportion. The error of a simulation is searched as well as that of a formula, because draws are keyed: two
neighbours on the family are simulated with common random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from approxmm.profile import ErrorProfile
from approxmm.propagation.advice_menu import Counts

__all__ = ["Family", "Found", "largest_allowed", "output_error"]

_MOST_STEPS = 40
_FARTHEST_STEP = 32.0
_CLOSE = 1.0 + 1e-6


@dataclass(frozen=True, eq=False)
class Family:
    """Budgets in one parameter, between its smallest and its largest useful value.

    Attributes
    ----------
    counts : callable
        From a position to budgets, or to None where there are none.
    span : pair of float
        The most expensive and the cheapest position.
    """

    counts: Callable[[float], Counts | None]
    span: tuple[float, float]

    def clip(self, position: float) -> float:
        """Return the nearest position of the family."""
        return min(max(position, self.span[0]), self.span[1])


@dataclass(frozen=True, eq=False)
class Found:
    """A member of a family, with its error profile."""

    position: float
    counts: Counts
    profile: ErrorProfile


def output_error(profile: ErrorProfile) -> float:
    """Return the relative error at the network's output; infinite where it is not a number."""
    error = profile.layers[-1].output.relative_error
    return math.inf if math.isnan(error) else error


def largest_allowed(
    family: Family, profile_of: Callable[[Counts], ErrorProfile], target: float, start: float, tolerance: float
) -> Found | None:
    """Return the cheapest member found whose error is at most `target`, None if even the first of the family errs more.

    Parameters
    ----------
    family : Family
    profile_of : callable
        The error of budgets.
    target : float
    start : float
        Where to begin.
    tolerance : float
        An error within this fraction below the target is close enough.
    """
    known: dict[Counts, ErrorProfile] = {}
    allowed: Found | None = None
    low, high = family.span[0] / _CLOSE, family.span[1] * _CLOSE  # bracket: everything below `low` is allowed
    position = family.clip(start)
    for _ in range(_MOST_STEPS):
        counts = family.counts(position)
        error = math.inf
        if counts is not None:
            if counts not in known:
                known[counts] = profile_of(counts)
            error = output_error(known[counts])
        if counts is not None and error <= target:
            allowed, low = Found(position, counts, known[counts]), position
            if error >= target * (1.0 - tolerance) or position >= family.span[1]:
                break
        else:
            high = position
            if position <= family.span[0]:
                break
        if high <= low * _CLOSE:
            break
        position = _next(family, position, target, error, low, high)
    return allowed


def _next(family: Family, position: float, target: float, error: float, low: float, high: float) -> float:
    """Return where an error in proportion to the position would meet the target, or halve the bracket."""
    ratio = target / error if 0.0 < error < math.inf else (_FARTHEST_STEP if error == 0.0 else 1.0 / _FARTHEST_STEP)
    guess = family.clip(position * min(max(ratio, 1.0 / _FARTHEST_STEP), _FARTHEST_STEP))
    if low < guess < high and guess != position:
        return guess
    return family.clip(math.sqrt(low * high))
