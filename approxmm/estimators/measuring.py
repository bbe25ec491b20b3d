"""Error profiles of a fit: at which steps, and on which examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from approxmm.engine import measure
from approxmm.engine.plan import Plan, checked_steps
from approxmm.estimators.memory import Ongoing
from approxmm.profile import ErrorProfile

__all__ = ["Measuring", "steps_of"]

_PROBE = Plan().probe  # examples, as many as `train` takes


def steps_of(measure_at: Any) -> tuple[int, ...]:
    """Return the steps to measure at, increasing; none for None. InputError if they are no numbers of steps."""
    return () if measure_at is None else checked_steps(measure_at)


@dataclass(frozen=True)
class Measuring:
    """Measures the compounding of error after chosen steps.

    Attributes
    ----------
    at : sequence of int
        Steps that the optimiser has taken; 0 is before the first.
    x, targets : (P, n) and (P,) or (P, C) arrays
        The probe.
    """

    at: Sequence[int]
    x: np.ndarray
    targets: np.ndarray

    @classmethod
    def on(cls, at: Sequence[int], x: np.ndarray, targets: np.ndarray) -> Measuring:
        """Return one whose probe is evenly spread over these examples, which may be in the order of their classes."""
        size = min(_PROBE, len(x)) if at else 0
        rows = np.arange(size) * len(x) // max(size, 1)
        return cls(at, x[rows], targets[rows])

    def due(self, taken: int) -> bool:
        """Return whether to measure after so many steps."""
        return taken in self.at

    def profile(self, run: Ongoing) -> ErrorProfile:
        """Return the run's errors with its present parameters."""
        return measure(run.session, self.x, step=run.position.taken, targets=self.targets)
