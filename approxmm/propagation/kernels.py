"""Gaussian expectations of activations: what one wide layer does to norms and to correlations.

For z = √q u and ẑ = √q̂ (ρ u + √(1 − ρ²) w) with independent standard normal u, w and κ = ρ √(q q̂):

* `second_moment`  E φ(z)²            * `cross_moment`  E φ(z) φ(ẑ)
* `slope_moment`   E φ′(z) φ′(ẑ)      * `conditional_mean`, `conditional_slope`  E φ(m + s w), E φ′(m + s w)

Closed forms, chosen by the activation's class: linear; ReLU and leaky ReLU (the arc-cosine kernels of Cho & Saul
2009); shifted ReLU, max(z − t, 0), by the bivariate normal at h = −t/√q and −t/√q̂ (`gaussian_pairs`); erf (Williams
1998); GELU, by Gaussian integration by parts,

    E = κ (¼ + arcsin(r)/2π) + (q q̂ − κ² + κ²/(1+q) + κ²/(1+q̂)) / (2π √D),
    D = (1+q)(1+q̂) − κ²,  r = κ/√((1+q)(1+q̂)).

Every other activation is integrated by the trapezoidal rule, which for integrands that are analytic in a strip
converges exponentially. Its step follows the activation's scale, so that tanh and sigmoid, whose nearest
singularity lies at iπ/2 (and iπ), have a relative error below 1e-12 up to standard deviations of 12; beyond, the
number of points is capped and the error grows slowly (1e-6 at 30). Bias variance is simply part of q, q̂ and κ.

Not claimed: that accuracy for activations of others that have kinks, for which the rule's error is O(h²).
"""

from __future__ import annotations

import math
from functools import lru_cache, singledispatch

import numpy as np
from scipy.special import ndtr

from approxmm.activations import Activation, Erf, Gelu, LeakyRelu, Linear, Relu, ShiftedRelu, apply, apply_slope
from approxmm.propagation.gaussian_pairs import bivariate_excess, rectified, rectified_covariance

__all__ = [
    "conditional_mean",
    "conditional_slope",
    "cross_moment",
    "second_moment",
    "slope_moment",
    "standard_rule",
]

_TAIL = 8.7  # exp(−8.7²/2) is below 1e-16
_STEP, _COARSEST, _MOST_POINTS = 0.26, 0.5, 1025
_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)


def standard_rule(scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights, float64 (N,), of a rule for E f(u), u standard normal, f varying over 1/`scale`."""
    step = min(_COARSEST, _STEP / scale) if scale > 0.0 else _COARSEST
    half = min(math.ceil(_TAIL / step), _MOST_POINTS // 2)
    return _trapezoid(half)


@lru_cache(maxsize=256)
def _trapezoid(half: int) -> tuple[np.ndarray, np.ndarray]:
    nodes = np.linspace(-_TAIL, _TAIL, 2 * half + 1)
    weights = np.exp(-0.5 * nodes * nodes)
    weights /= weights.sum()
    nodes.flags.writeable = weights.flags.writeable = False  # shared by all callers
    return nodes, weights


def second_moment(phi: Activation, q: float) -> float:
    """Return E φ(z)² for z of variance `q` ≥ 0."""
    return cross_moment(phi, q, q, 1.0)


@singledispatch
def cross_moment(phi: Activation, q: float, q_hat: float, rho: float) -> float:
    """Return E φ(z) φ(ẑ) for variances `q`, `q_hat` ≥ 0 (their product within range) and correlation `rho` in [−1, 1].

    Dispatched on the activation's class; this body is the quadrature.
    """
    u, weight = standard_rule(math.sqrt(max(q, rho * rho * q_hat)))
    inner = conditional_mean(phi, math.sqrt(q_hat) * rho * u, math.sqrt(q_hat) * _orthogonal(rho))
    return float(weight @ (apply(phi, math.sqrt(q) * u) * inner))


@singledispatch
def slope_moment(phi: Activation, q: float, q_hat: float, rho: float) -> float:
    """Return E φ′(z) φ′(ẑ), as for `cross_moment`: by Price's theorem its derivative by κ."""
    u, weight = standard_rule(math.sqrt(max(q, rho * rho * q_hat)))
    inner = conditional_slope(phi, math.sqrt(q_hat) * rho * u, math.sqrt(q_hat) * _orthogonal(rho))
    return float(weight @ (apply_slope(phi, math.sqrt(q) * u) * inner))


@singledispatch
def conditional_mean(phi: Activation, mean: np.ndarray, std: float) -> np.ndarray:
    """Return E φ(m + s w), float64 (n,), for means `mean` (n,), one s = `std` ≥ 0, and w standard normal."""
    w, weight = standard_rule(std)
    return np.asarray(apply(phi, mean[:, None] + std * w) @ weight)


@singledispatch
def conditional_slope(phi: Activation, mean: np.ndarray, std: float) -> np.ndarray:
    """Return E φ′(m + s w), as for `conditional_mean`: its derivative by m."""
    w, weight = standard_rule(std)
    return np.asarray(apply_slope(phi, mean[:, None] + std * w) @ weight)


def _orthogonal(rho: float) -> float:
    """Return √(1 − ρ²)."""
    return math.sqrt(max(0.0, (1.0 - rho) * (1.0 + rho)))


def _angle(rho: float) -> float:
    return math.acos(max(-1.0, min(1.0, rho)))


def _density(t: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-0.5 * t * t) / _ROOT_TWO_PI)


def _steepness(mean: np.ndarray, std: float) -> np.ndarray:
    """Return m/s, bounded to where the normal distribution function is 0 or 1 to all digits; sign(m)·40 for s = 0."""
    reach = 40.0 * std
    return np.asarray(np.clip(mean, -reach, reach) / std if std > 1e-150 else 40.0 * np.sign(mean))


@cross_moment.register
def _linear_cross(phi: Linear, q: float, q_hat: float, rho: float) -> float:
    return rho * math.sqrt(q) * math.sqrt(q_hat)


@slope_moment.register
def _linear_slopes(phi: Linear, q: float, q_hat: float, rho: float) -> float:
    return 1.0


@conditional_mean.register
def _linear_mean(phi: Linear, mean: np.ndarray, std: float) -> np.ndarray:
    return mean


@conditional_slope.register
def _linear_slope(phi: Linear, mean: np.ndarray, std: float) -> np.ndarray:
    return np.ones_like(mean)


@cross_moment.register
def _relu_cross(phi: Relu, q: float, q_hat: float, rho: float) -> float:
    theta = _angle(rho)
    return math.sqrt(q) * math.sqrt(q_hat) * (_orthogonal(rho) + (math.pi - theta) * rho) / (2.0 * math.pi)


@slope_moment.register
def _relu_slopes(phi: Relu, q: float, q_hat: float, rho: float) -> float:
    return (math.pi - _angle(rho)) / (2.0 * math.pi)


@conditional_mean.register
def _relu_mean(phi: Relu, mean: np.ndarray, std: float) -> np.ndarray:
    t = _steepness(mean, std)
    return np.asarray(mean * ndtr(t) + std * _density(t))


@conditional_slope.register
def _relu_slope(phi: Relu, mean: np.ndarray, std: float) -> np.ndarray:
    # A mean of exactly 0 without spread sits on the kink, where the package's slope is the left one.
    return np.asarray(ndtr(_steepness(mean, std)) if std > 0.0 else (mean > 0.0).astype(np.float64))


# φ = leak·z + (1 − leak)·relu(z), and E z relu(ẑ) = κ/2.
@cross_moment.register
def _leaky_cross(phi: LeakyRelu, q: float, q_hat: float, rho: float) -> float:
    kappa = rho * math.sqrt(q) * math.sqrt(q_hat)
    return phi.leak * kappa + (1.0 - phi.leak) ** 2 * _relu_cross(Relu(), q, q_hat, rho)


@slope_moment.register
def _leaky_slopes(phi: LeakyRelu, q: float, q_hat: float, rho: float) -> float:
    return phi.leak + (1.0 - phi.leak) ** 2 * _relu_slopes(Relu(), q, q_hat, rho)


@conditional_mean.register
def _leaky_mean(phi: LeakyRelu, mean: np.ndarray, std: float) -> np.ndarray:
    return phi.leak * mean + (1.0 - phi.leak) * _relu_mean(Relu(), mean, std)


@conditional_slope.register
def _leaky_slope(phi: LeakyRelu, mean: np.ndarray, std: float) -> np.ndarray:
    return phi.leak + (1.0 - phi.leak) * _relu_slope(Relu(), mean, std)


@cross_moment.register
def _shifted_cross(phi: ShiftedRelu, q: float, q_hat: float, rho: float) -> float:
    (s, h, above, mean, back), (s_hat, k, above_hat, mean_hat, back_hat) = (_shifted(phi, v) for v in (q, q_hat))
    unit_means = rectified(h)[0], rectified(k)[0]
    covariance = rectified_covariance(h, k, above, above_hat, *unit_means, back, back_hat, rho)
    return s * s_hat * covariance + mean * mean_hat


@slope_moment.register
def _shifted_slopes(phi: ShiftedRelu, q: float, q_hat: float, rho: float) -> float:
    (_, h, above, *_), (_, k, above_hat, *_) = (_shifted(phi, v) for v in (q, q_hat))
    return bivariate_excess(h, k, rho) + above * above_hat


def _shifted(phi: ShiftedRelu, q: float) -> tuple[float, float, float, float, float]:
    """Return s = √q, h = −t/s, Φ(h), E max(z − t, 0), and the mean of max(−h + g, 0)."""
    s = math.sqrt(q)
    h = float(_steepness(np.array(-phi.threshold), s))
    sure = abs(h) >= 40.0  # on one side of the kink, where h is cut
    return s, h, float(ndtr(h)), max(-phi.threshold, 0.0) if sure else s * rectified(h)[0], rectified(-h)[0]


@conditional_mean.register
def _shifted_mean(phi: ShiftedRelu, mean: np.ndarray, std: float) -> np.ndarray:
    return _relu_mean(Relu(), mean - phi.threshold, std)


@conditional_slope.register
def _shifted_slope(phi: ShiftedRelu, mean: np.ndarray, std: float) -> np.ndarray:
    return _relu_slope(Relu(), mean - phi.threshold, std)


@cross_moment.register
def _erf_cross(phi: Erf, q: float, q_hat: float, rho: float) -> float:
    # κ over the two roots, each divided before the product, so that nothing overflows.
    sine = rho * math.sqrt(2.0 * q / (1.0 + 2.0 * q)) * math.sqrt(2.0 * q_hat / (1.0 + 2.0 * q_hat))
    return 2.0 / math.pi * math.asin(sine)


@slope_moment.register
def _erf_slopes(phi: Erf, q: float, q_hat: float, rho: float) -> float:
    orthogonal = _orthogonal(rho)
    return 4.0 / math.pi / math.sqrt(1.0 + 2.0 * q + 2.0 * q_hat + 4.0 * q * q_hat * orthogonal * orthogonal)


@conditional_mean.register
def _erf_mean(phi: Erf, mean: np.ndarray, std: float) -> np.ndarray:
    return apply(phi, np.asarray(mean / math.sqrt(1.0 + 2.0 * std * std)))


@conditional_slope.register
def _erf_slope(phi: Erf, mean: np.ndarray, std: float) -> np.ndarray:
    width = math.sqrt(1.0 + 2.0 * std * std)
    return np.asarray(apply_slope(phi, np.asarray(mean / width)) / width)


@cross_moment.register
def _gelu_cross(phi: Gelu, q: float, q_hat: float, rho: float) -> float:
    kappa, root, arc = _gelu_parts(q, q_hat, rho)
    orthogonal = _orthogonal(rho)
    tail = q * q_hat * orthogonal * orthogonal + kappa * (kappa / (1.0 + q)) + kappa * (kappa / (1.0 + q_hat))
    return kappa * arc + tail / root / (2.0 * math.pi)


@slope_moment.register
def _gelu_slopes(phi: Gelu, q: float, q_hat: float, rho: float) -> float:
    kappa, root, arc = _gelu_parts(q, q_hat, rho)
    return arc + kappa / root * (1.0 / (1.0 + q) + 1.0 / (1.0 + q_hat) + 1.0 / root / root) / (2.0 * math.pi)


def _gelu_parts(q: float, q_hat: float, rho: float) -> tuple[float, float, float]:
    """Return κ, √((1+q)(1+q̂) − κ²) and E Φ(z) Φ(ẑ)."""
    kappa, orthogonal = rho * math.sqrt(q) * math.sqrt(q_hat), _orthogonal(rho)
    root = math.sqrt(1.0 + q + q_hat + q * q_hat * orthogonal * orthogonal)
    # The angle by its tangent: the arcsine has lost the digits where it is nearly a right one.
    return kappa, root, 0.25 + math.atan2(kappa, root) / (2.0 * math.pi)


@conditional_mean.register
def _gelu_mean(phi: Gelu, mean: np.ndarray, std: float) -> np.ndarray:
    width = math.sqrt(1.0 + std * std)
    t = np.asarray(mean / width)
    return np.asarray(mean * ndtr(t) + std * (std / width) * _density(t))


@conditional_slope.register
def _gelu_slope(phi: Gelu, mean: np.ndarray, std: float) -> np.ndarray:
    width = 1.0 + std * std
    t = np.asarray(mean / math.sqrt(width))
    return np.asarray(ndtr(t) + t * _density(t) / width)
