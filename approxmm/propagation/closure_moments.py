"""Moments of sampled activations under the closure: with covariances, or with variances alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from approxmm.activations import Activation
from approxmm.propagation.closure_scales import Averages, Moments
from approxmm.propagation.gaussian import gaussian_covariance, gaussian_moments

__all__ = ["ClosureMoments", "Diagonal", "Full"]

_JITTER = 1e-10  # of the mean variance: what rounding may make a covariance indefinite by


class ClosureMoments(Moments, Protocol):
    """Mean and covariance of activations, for each of B inputs."""

    @classmethod
    def of(cls, x: np.ndarray) -> Self:
        """Return the moments of inputs (B, n) that are known."""

    def through(self, weights: np.ndarray, bias: np.ndarray) -> Self:
        """Return the moments of a W + b."""

    def scaled_through(self, scales: Averages, weights: np.ndarray, bias: np.ndarray) -> Self:
        """Return the moments of (a ∘ ξ) W + b."""

    def activated(self, phi: Activation) -> Self:
        """Return the moments of φ(z) for normal z of these moments."""

    def scaled(self, scales: Averages) -> Self:
        """Return the moments of a ∘ ξ."""

    def shifted(self, normal: np.ndarray) -> np.ndarray:
        """Return points of these moments for points (Q, B, n) of N(0, I)."""

    def directions(self) -> float:
        """Return (tr V)²/tr V², in how many directions the noise is, summed over the inputs; NaN if V is not kept."""


@dataclass(frozen=True, eq=False)
class Diagonal:
    """Means and variances, (B, n); different activations count as uncorrelated."""

    mean: np.ndarray
    variance: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> Diagonal:
        """Return the moments of known inputs."""
        return cls(x, np.zeros_like(x))

    def second(self, row: int) -> np.ndarray:
        """Return E[a aᵀ] of one input."""
        return np.outer(self.mean[row], self.mean[row]) + np.diag(self.variance[row])

    def through(self, weights: np.ndarray, bias: np.ndarray) -> Diagonal:
        """Return the moments of a W + b."""
        return Diagonal(self.mean @ weights + bias, self.variance @ (weights * weights))

    def scaled_through(self, scales: Averages, weights: np.ndarray, bias: np.ndarray) -> Diagonal:
        """Return variances of the product that keep what the scales themselves correlate."""
        common = scales.common[:, None]
        alone = scales.within + scales.between - common * scales.pooled**2
        variance = alone @ (weights * weights)
        if common.any():
            variance += common * (scales.pooled @ weights) ** 2
        for b, dense in enumerate(scales.dense or ()):
            variance[b] += ((dense @ weights) * weights).sum(axis=0)
        return Diagonal(scales.mean @ weights + bias, np.maximum(variance, 0.0))

    def activated(self, phi: Activation) -> Diagonal:
        """Return the moments of φ(z)."""
        return Diagonal(*gaussian_moments(phi, self.mean, self.variance))

    def scaled(self, scales: Averages) -> Diagonal:
        """Return the moments of a ∘ ξ."""
        return Diagonal(scales.mean, scales.within + scales.between)

    def shifted(self, normal: np.ndarray) -> np.ndarray:
        """Return points of these moments."""
        points: np.ndarray = self.mean + np.sqrt(self.variance) * normal
        return points

    def directions(self) -> float:
        """Return NaN: without covariances nobody knows."""
        return math.nan


@dataclass(frozen=True, eq=False)
class Full:
    """Means (B, n) and covariances (B, n, n)."""

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> Full:
        """Return the moments of known inputs."""
        return cls(x, np.zeros((*x.shape, x.shape[1])))

    @property
    def variance(self) -> np.ndarray:
        """Variances, (B, n)."""
        diagonal: np.ndarray = np.einsum("bii->bi", self.covariance)
        return diagonal

    def second(self, row: int) -> np.ndarray:
        """Return E[a aᵀ] of one input."""
        total: np.ndarray = np.outer(self.mean[row], self.mean[row]) + self.covariance[row]
        return total

    def through(self, weights: np.ndarray, bias: np.ndarray) -> Full:
        """Return the moments of a W + b."""
        return Full(self.mean @ weights + bias, weights.T @ self.covariance @ weights)

    def scaled_through(self, scales: Averages, weights: np.ndarray, bias: np.ndarray) -> Full:
        """Return the moments of (a ∘ ξ) W + b."""
        if self.covariance.any():
            return self.scaled(scales).through(weights, bias)
        # Known activations: the covariance is a diagonal and a vector's square, and needs one product instead of two.
        out = np.empty((len(self.mean), weights.shape[1], weights.shape[1]))
        alone = scales.within + scales.between - scales.common[:, None] * scales.pooled**2
        for b, common in enumerate(scales.common):
            pooled = scales.pooled[b] @ weights
            out[b] = (weights.T * alone[b]) @ weights + common * np.outer(pooled, pooled)
            if scales.dense is not None:
                out[b] += weights.T @ scales.dense[b] @ weights
        return Full(scales.mean @ weights + bias, out)

    def activated(self, phi: Activation) -> Full:
        """Return the moments of φ(z)."""
        pairs = [gaussian_covariance(phi, m, V) for m, V in zip(self.mean, self.covariance, strict=True)]
        return Full(np.stack([mean for mean, _ in pairs]), np.stack([covariance for _, covariance in pairs]))

    def scaled(self, scales: Averages) -> Full:
        """Return the moments of a ∘ ξ."""
        out = np.empty_like(self.covariance)
        index = np.arange(self.mean.shape[1])
        for b, common in enumerate(scales.common):
            gain, pooled, share = scales.gain[b], scales.pooled[b], scales.share[b]
            out[b] = gain[:, None] * gain * self.covariance[b]
            if common != 0.0:
                out[b] += common * (np.outer(pooled, pooled) + share[:, None] * share * self.covariance[b])
            if scales.dense is not None:
                out[b] += scales.dense[b]
            out[b, index, index] = scales.within[b] + scales.between[b]
        return Full(scales.mean, out)

    def shifted(self, normal: np.ndarray) -> np.ndarray:
        """Return points of these moments."""
        points = np.empty_like(normal)
        for b, covariance in enumerate(self.covariance):
            points[:, b] = self.mean[b] + normal[:, b] @ _root(covariance)
        return points

    def directions(self) -> float:
        """Return (tr V)²/tr V² summed over the inputs."""
        squares = np.einsum("bij,bij->b", self.covariance, self.covariance)
        trace = self.variance.sum(axis=1)
        return float(np.divide(trace * trace, squares, out=np.zeros_like(trace), where=squares > 0.0).sum())


def _root(covariance: np.ndarray) -> np.ndarray:
    """Return R with RᵀR = covariance, up to rounding."""
    n = len(covariance)
    level = float(np.trace(covariance)) / n
    try:
        factor: np.ndarray = np.linalg.cholesky(covariance + _JITTER * level * np.eye(n)).T
    except np.linalg.LinAlgError:  # rounding, or a law's first-order term, left it slightly indefinite
        values, vectors = np.linalg.eigh(covariance)
        factor = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    return factor
