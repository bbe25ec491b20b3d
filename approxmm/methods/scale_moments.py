"""The first two moments of a vector of random scales."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

__all__ = ["ScaleMoments"]


@dataclass(frozen=True, eq=False)
class ScaleMoments:
    """Mean and covariance of the scales ξ of one side of a product.

    The covariance is kept as what it is for sampling laws, a diagonal plus one constant on a block, and a
    dense part for the few that need one: ``Cov(ξ) = diag(diagonal) + common · s sᵀ + dense`` with s the 0/1
    indicator `support`.

    Parameters
    ----------
    mean, diagonal, support : (n,) arrays
        Float64, or object arrays of `fractions.Fraction` for exact arithmetic.
    common : scalar
    dense : (n, n) array, optional
        Symmetric.
    """

    mean: np.ndarray
    diagonal: np.ndarray
    common: float | Fraction
    support: np.ndarray
    dense: np.ndarray | None = None

    @property
    def variance(self) -> np.ndarray:
        """Diagonal of the covariance, (n,)."""
        structured = self.diagonal + self.common * self.support
        return np.asarray(structured if self.dense is None else structured + np.diagonal(self.dense))

    def covariance(self) -> np.ndarray:
        """Return the covariance as a dense (n, n) array."""
        full = self.common * np.outer(self.support, self.support)
        index = np.arange(self.mean.size)
        full[index, index] = full[index, index] + self.diagonal
        return full if self.dense is None else full + self.dense

    def covariance_hadamard(self, matrix: np.ndarray) -> np.ndarray:
        """Return ``matrix ∘ Cov(ξ)``, (n, n), in O(n²)."""
        if self.dense is not None:
            return np.asarray(matrix * self.covariance())
        if self.common == 0:
            return np.diag(np.diagonal(matrix) * self.diagonal)
        out = matrix * np.outer(self.common * self.support, self.support)
        index = np.arange(self.mean.size)
        out[index, index] += matrix[index, index] * self.diagonal
        return out

    def squared_error(self, terms: np.ndarray) -> float:
        """Return E‖Σ_i (ξ_i − 1) t_i‖² for the rows t_i of `terms` (n, m): the error of one sampled product."""
        bias = (self.mean - 1) @ terms
        pooled = self.support @ terms
        error: Any = (self.diagonal * (terms * terms).sum(axis=1)).sum() + bias @ bias
        if self.dense is not None:
            error = error + (self.dense * (terms @ terms.T)).sum()
        total: float = error + self.common * (pooled @ pooled)
        return total

    def product_mean(self, terms: np.ndarray) -> np.ndarray:
        """Return E Σ_i ξ_i t_i, (m,), for the rows t_i of `terms` (n, m): for one example, t_i = a_i W_i."""
        mean: np.ndarray = self.mean @ terms
        return mean

    def product_bias(self, terms: np.ndarray) -> np.ndarray:
        """Return E Σ_i ξ_i t_i − Σ_i t_i, (m,), without the cancellation of subtracting the two."""
        bias: np.ndarray = (self.mean - 1) @ terms
        return bias

    def product_covariance(self, terms: np.ndarray) -> np.ndarray:
        """Return Cov(Σ_i ξ_i t_i) = Tᵀ Cov(ξ) T, (m, m), for `terms` T (n, m).

        For a minibatch that shares one draw, lay the examples' columns side by side: T of shape (n, B·m)
        gives the covariances between examples too.
        """
        pooled = self.support @ terms
        covariance: np.ndarray = terms.T @ (self.diagonal[:, None] * terms) + self.common * np.outer(pooled, pooled)
        return covariance if self.dense is None else covariance + terms.T @ self.dense @ terms

    def product_variance(self, terms: np.ndarray) -> np.ndarray:
        """Return the diagonal of `product_covariance`, (m,), in O(n·m) where the covariance has no dense part."""
        pooled = self.support @ terms
        variance: np.ndarray = self.diagonal @ (terms * terms) + self.common * (pooled * pooled)
        return variance if self.dense is None else variance + (terms * (self.dense @ terms)).sum(axis=0)

    def product_error(self, a: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
        """Return variance and squared bias, in the Frobenius norm, of ``(a ∘ ξ) W`` when all rows of `a` share ξ.

        Parameters
        ----------
        a : (B, n) float64 array
        weights : (n, m) float64 array
        """
        norms = np.einsum("ij,ij->j", a, a) * np.einsum("ij,ij->i", weights, weights)
        variance, squared_bias = float(norms @ self.diagonal), 0.0
        if self.common != 0:
            pooled = (a * self.support) @ weights
            variance += float(self.common) * float(np.vdot(pooled, pooled))
        if self.dense is not None:
            variance += float(np.vdot(self.dense, (a.T @ a) * (weights @ weights.T)))
        if (self.mean != 1).any():
            bias = (a * (self.mean - 1.0)) @ weights
            squared_bias = float(np.vdot(bias, bias))
        return variance, squared_bias
