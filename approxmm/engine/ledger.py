"""What was done, counted and timed in compiled code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from approxmm.apart import rows_apart
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
    "totals",
]

# "backward" sends errors back; a weight gradient is never written down, so "update" makes it and steps by it.
PHASES = ("select", "forward", "backward", "update", "upkeep")
SELECT, FORWARD, BACKWARD, UPDATE, UPKEEP = range(len(PHASES))
KEPT, _COUNTED = 3, 4  # a column of `Ledger.counts`, and how many there are
TIMED = 16  # one step in so many is timed: reading the clock takes a part of a microsecond a layer


class Ledger(NamedTuple):
    """Sums over the steps so far, of each thread; rows are longer than said here, see `rows_apart` and `totals`.

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
    return Ledger(rows_apart((threads, depth, _COUNTED), np.int64), rows_apart((threads, len(PHASES)), np.float64))


def totals(ledger: Ledger) -> Ledger:
    """Return a ledger's sums over its threads, counts (L, 4) and seconds (5,), copies."""
    return Ledger(ledger.counts[..., :_COUNTED].sum(axis=0), ledger.seconds[:, : len(PHASES)].sum(axis=0))


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
