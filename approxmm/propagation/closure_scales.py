"""What multiplication by random scales does to random activations, by the law's moments alone.

For s = ξ ∘ a with mean m(x) and covariance Σ(x) of ξ given what the law reads, x (the activations, or what
made them):

    E s = E[m ∘ a],   Cov(s) = E[(a aᵀ) ∘ Σ] + Cov(m ∘ a).

A law that reads nothing has constant m and Σ. For one that reads random activations, expectations over x are
averages over points of the closure's normal distribution (`normal_points`), each with the law's exact moments: so the
correlation between scales and activations is in them. Where the scales' mean is 1 the second term is Cov(a) itself,
without any points. For biased laws it is γγᵀ ∘ Cov(a) off the diagonal, γ_i the slope of m_i a_i over a_i: the
first-order term, in which every item answers to its own noise, and none to that of the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from approxmm.methods.contract import Method
from approxmm.methods.scale_moments import ScaleMoments

__all__ = ["Averages", "Moments", "blind_averages", "evaluate_laws", "point_averages"]


class Moments(Protocol):
    """Mean (B, n) and covariance of activations, for each of B inputs."""

    @property
    def mean(self) -> np.ndarray:
        """Means, (B, n)."""

    @property
    def variance(self) -> np.ndarray:
        """Variances, (B, n)."""

    def second(self, row: int) -> np.ndarray:
        """Return E[a aᵀ] of one input, (n, n)."""


@dataclass(frozen=True, eq=False)
class Averages:
    """Moments of s = ξ ∘ a for each of B inputs.

    Cov(s) is within + between on the diagonal, and off it
    γ_i γ_j Cov(a)_ij + common · (u_i u_j + share_i share_j Cov(a)_ij) + dense_ij.

    Attributes
    ----------
    mean, within, between, gain, pooled, share : (B, n) arrays
        E s; E[a² Var ξ]; Var(m ∘ a); γ; u = E[support ∘ a]; E[support].
    common : (B,) array
    dense : list of (n, n) arrays, optional
        E[(a aᵀ) ∘ dense part of Σ] with a zero diagonal, for each input.
    """

    mean: np.ndarray
    within: np.ndarray
    between: np.ndarray
    gain: np.ndarray
    pooled: np.ndarray
    share: np.ndarray
    common: np.ndarray
    dense: list[np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class Laws:
    """Moments of the scales at Q points of B inputs.

    Attributes
    ----------
    mean, variance, support : (Q, B, n) arrays
    common : (Q, B) array
    dense : list of lists of (n, n) arrays, optional
        By input, then by point.
    """

    mean: np.ndarray
    variance: np.ndarray
    support: np.ndarray
    common: np.ndarray
    dense: list[list[np.ndarray]] | None = None


def blind_averages(law: ScaleMoments, moments: Moments) -> Averages:
    """Return the exact moments of s for scales that do not depend on the activations."""
    mean, variance = moments.mean, moments.variance
    shape = mean.shape
    return Averages(
        mean=law.mean * mean,
        within=(variance + mean * mean) * law.variance,
        between=variance * law.mean**2,
        gain=np.broadcast_to(law.mean, shape),
        pooled=law.support * mean,
        share=np.broadcast_to(law.support, shape),
        common=np.full(shape[0], float(law.common)),
        dense=None if law.dense is None else [_off_diagonal(law.dense * moments.second(b)) for b in range(shape[0])],
    )


def evaluate_laws(method: Method, read: np.ndarray, weights: np.ndarray, group: int, *, marginal: bool) -> Laws:
    """Return the method's moments at points of what it reads.

    Parameters
    ----------
    method : Method
    read : (Q, B, length) array
    weights : (n, m) array
    group : int
        Consecutive inputs that share one draw; their law reads their column norms.
    marginal : bool
        Whether means and variances suffice.
    """
    points, inputs, _ = read.shape
    size, reduced = method.side_length(weights), method.reduced(weights)
    mean, variance, support = (np.zeros((points, inputs, size)) for _ in range(3))
    common = np.zeros((points, inputs))
    dense: list[list[np.ndarray]] = [[] for _ in range(inputs)]
    for first in range(0, inputs, group):
        rows = slice(first, min(first + group, inputs))
        for q in range(points):
            block = read[q, rows]
            x = block[0] if group == 1 else np.sqrt((block * block).sum(axis=0))
            if marginal:
                mean[q, rows], variance[q, rows] = method.marginal_moments(x, reduced)
                continue
            law = method.scale_moments(x, reduced)
            mean[q, rows], variance[q, rows], support[q, rows] = law.mean, law.variance, law.support
            common[q, rows] = float(law.common)
            if law.dense is not None:
                for b in range(rows.start, rows.stop):
                    dense[b].append(law.dense)
    return Laws(mean, variance, support, common, dense if dense[0] else None)


def point_averages(laws: Laws, a: np.ndarray, moments: Moments, *, unbiased: bool) -> Averages:
    """Return the moments of s from the laws at points `a` (Q, B, n) of activations with these moments."""
    scaled = laws.mean * a
    centre, level = scaled.mean(axis=0), a.mean(axis=0)
    keep = np.ones_like(level) if unbiased else laws.mean.mean(axis=0)
    spread = a.var(axis=0)
    slope = ((scaled - centre) * (a - level)).mean(axis=0)
    gain = np.divide(slope, spread, out=keep, where=spread > 0.0)
    beside = np.maximum(scaled.var(axis=0) - gain * gain * spread, 0.0)
    return Averages(
        mean=centre + gain * (moments.mean - level),
        within=(a * a * laws.variance).mean(axis=0),
        between=gain * gain * moments.variance + beside,
        gain=gain,
        pooled=(laws.support * a).mean(axis=0),
        share=laws.support.mean(axis=0),
        common=laws.common.mean(axis=0),
        dense=None if laws.dense is None else [_expected(parts, a[:, b]) for b, parts in enumerate(laws.dense)],
    )


def _expected(parts: Iterable[np.ndarray], a: np.ndarray) -> np.ndarray:
    """Return the average of (a aᵀ) ∘ dense over the points `a` (Q, n), with a zero diagonal."""
    total = np.zeros((a.shape[1],) * 2)
    for dense, point in zip(parts, a, strict=True):
        total += dense * point[:, None] * point
    return _off_diagonal(total / len(a))


def _off_diagonal(matrix: np.ndarray) -> np.ndarray:
    np.fill_diagonal(matrix, 0.0)
    return matrix
