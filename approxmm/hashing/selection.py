"""The k largest scores by quickselect, ties broken by index."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from approxmm.compile import compiled
from approxmm.hashing._checks import Floats
from approxmm.ranking import kth_largest

__all__ = ["select_top"]


@compiled
def _rank_value(score: float) -> float:
    # A diverged score must neither win a place nor upset the partition.
    return score if score == score else -np.inf


@compiled
def select_top(scores: Floats, k: int, spare: Floats, out: npt.NDArray[np.int32]) -> int:
    """List the k largest scores' indices, ascending.

    Parameters
    ----------
    scores : float array (n,)
        Not modified. NaN ranks as −inf.
    k : int
        0 ≤ k; more than n means all.
    spare : float array (n,)
        Overwritten.
    out : int32 array (at least min(k, n),)
        Written.

    Returns
    -------
    int
        min(k, n). Among equal scores at the limit the lowest indices are taken, so the result is a
        function of the scores alone. Expected cost O(n); quadratic for adversarial orders.
    """
    n = scores.shape[0]
    goal = min(k, n)
    if goal == 0:
        return 0
    for j in range(n):
        spare[j] = _rank_value(scores[j])
    limit = kth_largest(spare[:n], goal)
    above = 0
    for j in range(n):
        above += 1 if scores[j] > limit else 0
    ties, count = goal - above, 0
    for j in range(n):
        value = _rank_value(scores[j])
        if value > limit or (value == limit and ties > 0):
            ties -= 1 if value == limit else 0
            out[count] = j
            count += 1
    return count
