"""The keep probabilities of adaptive dropout, compiled; the law calls the same functions as the draw."""

from __future__ import annotations

import math

import numpy as np

from approxmm.compile import compiled

__all__ = ["fill_standout"]

_MAX_STEPS = 200
_LARGEST = 1e300
_ROUNDING = 2.0**-50  # of a sum of m probabilities, relative to m


@compiled
def fill_standout(z: np.ndarray, expected: float, alpha: float, beta: float, sigmoid: bool, p: np.ndarray) -> None:
    """Write the keep probabilities of the nodes with pre-activations `z` (m,) to `p` (m,) float64.

    Parameters
    ----------
    z : finite float array
    expected : float
        Σ p asked for, for which β is solved; NaN if `beta` is given.
    sigmoid : bool
        σ(α z + β); otherwise min(1, max(0, z/2 + 1)).
    """
    m = z.size
    if not sigmoid:
        for j in range(m):
            p[j] = min(1.0, max(0.0, 0.5 * np.float64(z[j]) + 1.0))
        return
    if expected >= m:
        p[:] = 1.0
        return
    for j in range(m):
        p[j] = max(-_LARGEST, min(_LARGEST, alpha * np.float64(z[j])))
    if not math.isnan(expected):
        beta = _solve_offset(p, expected)
    for j in range(m):
        p[j] = _sigmoid(p[j] + beta)


@compiled
def _sigmoid(t: float) -> float:
    if t >= 0.0:
        return 1.0 / (1.0 + math.exp(-t))
    small = math.exp(t)
    sigma: float = small / (1.0 + small)
    return sigma


@compiled
def _solve_offset(t: np.ndarray, expected: float) -> float:
    """Return β with Σ σ(t_j + β) = `expected`: Newton's steps, halving the bracket where one would leave it."""
    m = t.size
    middle = math.log(expected / (m - expected))
    low, high = middle - t.max(), middle - t.min()
    beta: float = 0.5 * low + 0.5 * high
    for _ in range(_MAX_STEPS):
        total, slope = -expected, 0.0
        for j in range(m):
            q = _sigmoid(t[j] + beta)
            total += q
            slope += q * (1.0 - q)
        if abs(total) <= _ROUNDING * m:
            break
        if total > 0.0:
            high = beta
        else:
            low = beta
        proposed = beta - total / slope if slope > 0.0 else high
        if not low < proposed < high:
            proposed = 0.5 * low + 0.5 * high
        if abs(proposed - beta) <= 2.0**-52 * abs(beta):
            break
        beta = proposed
    return beta
