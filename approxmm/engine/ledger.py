"""What was done, counted and timed in compiled code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.engine.clock import now

__all__ = [
    "BACKWARD",
    "FORWARD",
    "KEPT",
    "PHASES",
    "SELECT",
    "TIMED",
    "UPDATE",
    "UPKEEP",
    "Ledger",
    "make_ledger",
    "mark",
    "start",
]

# "backward" sends errors back; a weight gradient is never written down, so "update" makes it and steps by it.
PHASES = ("select", "forward", "backward", "update", "upkeep")
SELECT, FORWARD, BACKWARD, UPDATE, UPKEEP = range(len(PHASES))
KEPT = 3  # column of `Ledger.counts`
TIMED = 16  # one step in so many is timed: reading the clock takes a part of a microsecond a layer


class Ledger(NamedTuple):
    """Sums over the steps so far, of each thread.

    Attributes
    ----------
    counts : (T, L, 4) int64
        Multiplications of each layer's forward product, input gradient and weight gradient; and how many items of the
        sampled side the law kept, added up over examples and draws.
    seconds : (T, 5) float64
        Of each phase in the steps that were timed: every `TIMED`-th. Where threads share a step, the first one's.
    """

    counts: np.ndarray
    seconds: np.ndarray


def make_ledger(threads: int, depth: int) -> Ledger:
    """Return a ledger without entries."""
    return Ledger(np.zeros((threads, depth, 4), dtype=np.int64), np.zeros((threads, len(PHASES))))


@compiled
def start(timed: bool) -> float:
    """Return the time, if this step is timed."""
    return now() if timed else 0.0


@compiled
def mark(ledger: Ledger, rank: int, phase: int, since: float) -> float:
    """Add the time since `since`, if that is a time, to a phase; return the time."""
    if since == 0.0:
        return 0.0
    time = now()
    ledger.seconds[rank, phase] += time - since
    return time
