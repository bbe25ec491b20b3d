"""Steps that run: finite checks in exact arithmetic, numerical comparisons, and citations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import mpmath
import sympy as sp

from .model import Outcome, Step

__all__ = ["Cited", "Exhaustive", "Numeric"]


_NAMED = 8  # cases that are few are named in the evidence


@dataclass(frozen=True, kw_only=True)
class Exhaustive(Step):
    """A finite check in exact arithmetic.

    Parameters
    ----------
    claim
        The claim in LaTeX.
    cases
        Function that yields (description, truth) for every case; the truth must be the value True.
    complete
        Whether the cases are all there are, so that the check is a proof of the claim as it stands (counted
        as symbolic). If they are instances of a more general claim, the step counts as numeric.
    """

    claim: str
    cases: Callable[[], Iterable[tuple[object, bool]]]
    complete: bool
    kind: ClassVar[str] = "exhaustive"

    def formula(self) -> str:
        """Return the claim in LaTeX."""
        return self.claim

    def decide(self) -> Outcome:
        """Return the verdict with its evidence."""
        if not self.claim.strip():
            return Outcome("failed", "no claim is stated")
        count = 0
        named: list[str] = []
        for case, truth in self.cases():
            if truth is not True and truth is not sp.true:
                return Outcome("failed", f"false for {case}")
            count += 1
            named = [*named, str(case)] if count <= _NAMED else []
        if count == 0:
            return Outcome("failed", "vacuous: there was no case")
        which = f" ({'; '.join(named)})" if named else ""
        if self.complete:
            return Outcome(
                "symbolic", f"checked in exact arithmetic for all that the claim names, {count} in number{which}"
            )
        return Outcome("numeric", f"{count} instances{which} checked in exact arithmetic; the general claim has more")


@dataclass(frozen=True, kw_only=True)
class Numeric(Step):
    """A numerical comparison of two routes at stated points; never more than the verdict ``numeric``.

    Parameters
    ----------
    points
        Function that yields (where, value, expected).
    tolerance
        Largest accepted difference relative to 1 + |expected|.
    """

    claim: str
    points: Callable[[], Iterable[tuple[str, Any, Any]]]
    tolerance: float
    kind: ClassVar[str] = "numeric"

    def formula(self) -> str:
        """Return the claim in LaTeX."""
        return self.claim

    def decide(self) -> Outcome:
        """Return the verdict with its evidence."""
        if not self.claim.strip() or not 0 < self.tolerance < 1:
            return Outcome("failed", "no claim is stated, or the tolerance is not between 0 and 1")
        places, worst = [], mpmath.mpf(0)
        for where, value, expected in self.points():
            error = abs(mpmath.mpmathify(value) - mpmath.mpmathify(expected)) / (1 + abs(mpmath.mpmathify(expected)))
            if not error <= self.tolerance:
                return Outcome("failed", f"at {where}: {value} is not {expected}")
            places.append(where)
            worst = max(worst, error)
        if not places:
            return Outcome("failed", "vacuous: no point was compared")
        shown = "; ".join(places[:6]) + ("; ..." if len(places) > 6 else "")
        return Outcome("numeric", f"{len(places)} points ({shown}); largest difference {mpmath.nstr(worst, 2)}")


@dataclass(frozen=True, kw_only=True)
class Cited(Step):
    """A fact taken from the literature."""

    claim: str
    source: str
    kind: ClassVar[str] = "cited"

    def formula(self) -> str:
        """Return the claim in LaTeX."""
        return self.claim

    def decide(self) -> Outcome:
        """Return the verdict with its evidence."""
        if not (self.claim.strip() and self.source.strip()):
            return Outcome("failed", "a citation needs a claim and a source")
        return Outcome("cited", self.source)
