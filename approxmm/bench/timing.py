"""Timing of one thing against another so that the ratio can be trusted on a noisy machine.

The two are timed in turn, A B A B …; each pair gives a ratio, so that a drift of the machine's speed
hits both sides; what is quoted is the median of the ratios with their quartiles.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

__all__ = ["Comparison", "compare", "summarise_pairs", "time_once"]


@dataclass(frozen=True)
class Comparison:
    """One result.

    Attributes
    ----------
    name, baseline : str
        What was timed, and against what.
    ratio, ratio_low, ratio_high : float
        Baseline's time over the candidate's (larger is better): median and quartiles over the pairs.
    seconds, baseline_seconds : float
        Medians of one call.
    threads : int
        Threads that each side was given.
    target : float or None
        The ratio that the project aims at.
    seconds_to_accuracy : dict, optional
        Of training: after how long accuracies such as ``"95%"`` are reached at this speed; None where they are not.
    """

    name: str
    baseline: str
    ratio: float
    ratio_low: float
    ratio_high: float
    seconds: float
    baseline_seconds: float
    threads: int
    target: float | None = None
    seconds_to_accuracy: dict[str, float | None] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def time_once(run: Callable[[], object], seconds: float) -> float:
    """Return the mean time of one call, over as many calls as fill about `seconds` (at least one)."""
    started = time.perf_counter()
    run()
    first = time.perf_counter() - started
    if first >= seconds:
        return first
    calls = max(1, int(seconds / max(first, 1e-9)))
    started = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - started) / calls


def compare(
    name: str,
    candidate: Callable[[], object],
    baseline_name: str,
    baseline: Callable[[], object],
    *,
    threads: int,
    target: float | None = None,
    pairs: int = 15,
    seconds: float = 0.03,
) -> Comparison:
    """Time `candidate` against `baseline`.

    Parameters
    ----------
    candidate, baseline : callables without arguments
        Each is called once before anything is timed: compilation and first touches are not counted.
    threads : int
        For the record; the caller sets them.
    target : float, optional
        The ratio aimed at.
    pairs : int
        How often the two are timed in turn.
    seconds : float
        Length of one timing.
    """
    candidate()
    baseline()
    times = np.array([(time_once(candidate, seconds), time_once(baseline, seconds)) for _ in range(pairs)])
    return summarise_pairs(name, baseline_name, times, threads, target)


def summarise_pairs(
    name: str, baseline: str, times: np.ndarray, threads: int, target: float | None = None
) -> Comparison:
    """Return the comparison of `times`, (pairs, 2): seconds of the candidate and of the baseline, timed in turn."""
    low, ratio, high = np.quantile(times[:, 1] / times[:, 0], [0.25, 0.5, 0.75])
    mine, theirs = np.median(times, axis=0)
    return Comparison(
        name, baseline, float(ratio), float(low), float(high), float(mine), float(theirs), threads, target
    )
