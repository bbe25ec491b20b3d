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
        variance: np.ndarray = self.diagonal + self.common * self.support
        if self.dense is not None:
            variance = variance + np.diagonal(self.dense)
        return variance

    def covariance(self) -> np.ndarray:
        """Return the covariance as a dense (n, n) array."""
        total: np.ndarray = self.common * np.outer(self.support, self.support)
        index = np.arange(self.mean.size)
        total[index, index] = total[index, index] + self.diagonal
        if self.dense is not None:
            total = total + self.dense
        return total

    def covariance_hadamard(self, matrix: np.ndarray) -> np.ndarray:
        """Return ``matrix ∘ Cov(ξ)``, (n, n), in O(n²)."""
        if self.dense is not None:
            product: np.ndarray = matrix * self.covariance()
            return product
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
            error += (terms * (self.dense @ terms)).sum()
        total: float = error + self.common * (pooled @ pooled)
        return total
