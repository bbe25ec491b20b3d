"""Averages over trials with intervals: three moments of what was measured, and a t interval corrected for skewness.

A figure θ = f(μ) is a smooth function of the means of the trials' sums. With gradient g and Hessian H of f at the
sample's mean, Σ and κ the sample's second and third central moments, σ² = g′Σg, γ = κ(g, g, g)/σ³ and
h = g′ΣHΣg/σ³, the studentised figure T = (f(X̄) − f(μ))/(σ̂/√n) has the Edgeworth expansion

    P(T ≤ x) = Φ(x) + (A x² + B) φ(x)/√n + O(1/n),    A = γ/3 + h/2,    B = γ/2 + h − A − tr(HΣ)/(2σ).

T + (A T² + B)/√n + A² T³/(3n) is then standard normal to that order and increases with T (Hall 1992), so its
inverse turns a quantile into a bound. For a mean itself (H = 0) this is Hall's interval; A = B = 0 would leave the
symmetric t interval, which is too short above where errors are skewed to the right, and they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ["Figure", "Moments", "cosine_figure", "mean_figure", "skewed_interval"]


@dataclass(frozen=True, eq=False)
class Figure:
    """A smooth function of the means at the sample's means: its value, gradient (d,) and Hessian (d, d)."""

    value: float
    gradient: np.ndarray
    hessian: np.ndarray


def mean_figure(mean: np.ndarray, variable: int) -> Figure:
    """Return the mean of one variable."""
    return Figure(float(mean[variable]), np.eye(mean.size)[variable], np.zeros((mean.size, mean.size)))


def cosine_figure(mean: np.ndarray) -> Figure | None:
    """Return c/√q of the means (error, q, c); None where q is 0."""
    _, q, c = (float(number) for number in mean)
    if not q > 0:
        return None
    slope, bend = -0.5 * c * q**-1.5, -0.5 * q**-1.5
    hessian = np.array([[0.0, 0.0, 0.0], [0.0, 0.75 * c * q**-2.5, bend], [0.0, bend, 0.0]])
    return Figure(c / math.sqrt(q), np.array([0.0, slope, q**-0.5]), hessian)


class Moments:
    """Running mean and second and third central sums over trials, merged in a fixed order (Chan; Pébay 2008).

    Parameters
    ----------
    shape : tuple of int
        Of one trial's values; the last axis holds the variables whose products are kept.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = 0
        self.mean = np.zeros(shape)
        self.second = np.zeros((*shape, shape[-1]))
        self.third = np.zeros((*shape, shape[-1], shape[-1]))

    def add(self, values: np.ndarray) -> None:
        """Merge the trials of `values` (trials, *shape)."""
        count, total = len(values), self.count + len(values)
        mean = values.mean(axis=0)
        away = values - mean
        second = np.einsum("t...i,t...j->...ij", away, away)
        third = np.einsum("t...i,t...j,t...k->...ijk", away, away, away, optimize=True)
        step = mean - self.mean
        old, new = self.count / total, count / total
        mixed = np.einsum("...i,...jk->...ijk", step, old * second - new * self.second)
        self.third += third + mixed + np.moveaxis(mixed, -3, -2) + np.moveaxis(mixed, -3, -1)
        weight = self.count * new
        cube = np.einsum("...i,...j,...k->...ijk", step, step, step)
        self.third += cube * (weight * (old - new))
        self.second += second + weight * step[..., :, None] * step[..., None, :]
        self.mean += new * step
        self.count = total


def skewed_interval(
    figure: Figure, second: np.ndarray, third: np.ndarray, count: int, level: float
) -> tuple[float, float]:
    """Return the interval of a figure, corrected for skewness.

    Parameters
    ----------
    second, third : (d, d) and (d, d, d) arrays
        Central sums over trials, as in `Moments`.
    count : int
        Number of trials. One trial, or numbers beyond the range of floats, give (−∞, ∞).
    level : float
        Confidence, in (0, 1).
    """
    if count < 2:
        return -math.inf, math.inf
    g, H, covariance = figure.gradient, figure.hessian, second / (count - 1)
    pushed = covariance @ g
    variance = float(g @ pushed)
    if not math.isfinite(variance):
        return -math.inf, math.inf
    if variance <= 0.0:
        return figure.value, figure.value
    sigma, root = math.sqrt(variance), math.sqrt(count)
    skewness = float(((third @ g) @ g) @ g) / count / sigma**3
    curvature = float(pushed @ H @ pushed) / sigma**3
    A = skewness / 3 + curvature / 2
    B = skewness / 2 + curvature - A - float(np.trace(H @ covariance)) / (2 * sigma)
    if not math.isfinite(A + B):  # cubes overflow before squares do
        A = B = 0.0
    quantile = float(stats.t.ppf(0.5 + level / 2, count - 1))
    low, high = (figure.value - _studentised(x, A / root, B / root) * sigma / root for x in (quantile, -quantile))
    return low, high


def _studentised(x: float, a: float, b: float) -> float:
    """Solve T + a T² + b + a² T³/3 = x for T."""
    cube = 3.0 * a * (x - b)
    if abs(cube) < 1e-7:  # the root's difference from 1 would lose its digits: two terms of its series do
        return (x - b) * (1.0 - cube / 3.0)
    return float(np.cbrt(1.0 + cube) - 1.0) / a
