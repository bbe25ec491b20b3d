"""Scalars behind the moments of rectified and of error-function Gaussians: one and two standard normal variables.

With Plackett's derivative ∂Φ₂(h, k; t)/∂t = φ₂(h, k; t) and t = sin θ,

    φ₂ dt = exp(−(h² + k² − 2hk sin θ)/(2 cos² θ)) dθ / 2π,

which is smooth: Gauss–Legendre nodes integrate from 0 to arcsin ρ, or, next to ρ = ±1, from arcsin ρ to ±π/2, where
the value at the end is known (Drezner & Wesolowsky 1990, Genz 2004).
"""

from __future__ import annotations

import math

import numpy as np

from approxmm.compile import compiled

__all__ = ["bivariate_excess", "normal_cdf", "rectified", "rectified_covariance"]

_ROOT_HALF, _ROOT_TWO_PI, _TWO_PI = math.sqrt(0.5), math.sqrt(2.0 * math.pi), 2.0 * math.pi
_STEEP = 0.925
_FEW, _SOME, _MANY = (np.array(np.polynomial.legendre.leggauss(n)) for n in (8, 14, 24))


@compiled
def normal_cdf(h: float) -> float:
    """Return Φ(h), with full relative accuracy in the left tail."""
    return 0.5 * math.erfc(-h * _ROOT_HALF)


@compiled
def rectified(h: float) -> tuple[float, float]:
    """Return mean and variance of max(h + g, 0), g ~ N(0, 1)."""
    below = -abs(h)
    tail, density = normal_cdf(below), math.exp(-0.5 * h * h) / _ROOT_TWO_PI
    mean = max(density + below * tail, 0.0)
    variance = max(tail + below * mean - mean * mean, 0.0)
    if h <= 0.0:
        return mean, variance
    return h + mean, 1.0 + variance - 2.0 * tail  # max(z, 0) = z + max(−z, 0)


@compiled
def _kernel(h: float, k: float, sine: float) -> float:
    """Return exp(−(h² + k² − 2hk sin θ)/(2cos² θ)), written without the cancellation next to sin θ = ±1."""
    square = 1.0 - sine * sine
    if sine >= 0.0:
        exponent = (h - k) ** 2 / (2.0 * square) + h * k / (1.0 + sine)
    else:
        exponent = (h + k) ** 2 / (2.0 * square) - h * k / (1.0 - sine)
    return math.exp(-exponent)


@compiled
def _steep(h: float, k: float, rho: float) -> bool:
    """Return whether to integrate from ρ to ±1: where the kernel has died out before it gets there."""
    gap = h - k if rho > 0.0 else h + k
    return abs(rho) > _STEEP and gap * gap > 1.0 - rho * rho


@compiled
def _integral(h: float, k: float, rho: float, rectify: bool) -> float:
    """Return ∫ φ₂ dt, or ∫ |ρ − t| φ₂ dt if `rectify`, between ρ and 0, or between ρ and ±1 if that is near (≥ 0)."""
    size, angle = abs(rho), math.asin(rho)
    nodes = _FEW if size < 0.3 else (_SOME if size < 0.75 else _MANY)
    end = math.copysign(0.5 * math.pi, rho) if _steep(h, k, rho) else 0.0
    middle, half = 0.5 * (angle + end), 0.5 * abs(end - angle)
    total = 0.0
    for i in range(nodes.shape[1]):
        sine = math.sin(middle + half * nodes[0, i])
        weight = abs(rho - sine) if rectify else 1.0
        if abs(sine) < 1.0:
            total += nodes[1, i] * weight * _kernel(h, k, sine)
    return total * half / _TWO_PI


@compiled
def bivariate_excess(h: float, k: float, rho: float) -> float:
    """Return Φ₂(h, k; ρ) − Φ(h)Φ(k) without cancellation, for any ρ in [−1, 1]."""
    part = _integral(h, k, rho, False)
    if not _steep(h, k, rho):
        return part if rho > 0.0 else -part
    if rho > 0.0:
        return normal_cdf(min(h, k)) * normal_cdf(-max(h, k)) - part
    sign = -1.0 if h + k > 0.0 else 1.0
    return part - normal_cdf(sign * h) * normal_cdf(sign * k)


@compiled
def rectified_covariance(
    h: float,
    k: float,
    above_h: float,
    above_k: float,
    mean_h: float,
    mean_k: float,
    back_h: float,
    back_k: float,
    rho: float,
) -> float:
    """Return Cov(max(h + g, 0), max(k + g′, 0)) for standard normal g, g′ with correlation ρ.

    Parameters
    ----------
    h, k : float
    above_h, above_k : float
        Φ(h), Φ(k).
    mean_h, mean_k, back_h, back_k : float
        Means of max(h + g, 0), max(k + g′, 0), and of max(−h + g, 0), max(−k + g′, 0): each pair uses them once.
    rho : float
        In [−1, 1].
    """
    if h + k > 0.0:  # max(z, 0) = z + max(−z, 0): for −h, −k nothing cancels
        linear = rho * (above_h + above_k - 1.0)
        return linear + _low_covariance(-h, -k, 1.0 - above_h, 1.0 - above_k, back_h, back_k, rho)
    return _low_covariance(h, k, above_h, above_k, mean_h, mean_k, rho)


@compiled
def _low_covariance(
    h: float, k: float, above_h: float, above_k: float, mean_h: float, mean_k: float, rho: float
) -> float:
    """Do the same for h + k ≤ 0."""
    part = _integral(h, k, rho, True)
    if not _steep(h, k, rho):
        return rho * above_h * above_k + part
    if rho > 0.0:
        low, high = min(h, k), max(h, k)
        share, density = normal_cdf(low), math.exp(-0.5 * low * low) / _ROOT_TWO_PI
        at_one = (h * k + 1.0) * share + high * density - mean_h * mean_k
        return at_one - (1.0 - rho) * share + part
    return part - mean_h * mean_k
