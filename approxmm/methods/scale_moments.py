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

    The covariance is kept as what it is for sampling laws, a diagonal plus one constant on a block:
    ``Cov(ξ) = diag(diagonal) + common · s sᵀ`` with s the 0/1 indicator `support`.

    Parameters
    ----------
    mean, diagonal, support : (n,) arrays
        Float64, or object arrays of `fractions.Fraction` for exact arithmetic.
    common : scalar
    """

    mean: np.ndarray
    diagonal: np.ndarray
    common: float | Fraction
    support: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        """Diagonal of the covariance, (n,)."""
        return self.diagonal + self.common * self.support

    def covariance(self) -> np.ndarray:
        """Return the covariance as a dense (n, n) array."""
        dense = self.common * np.outer(self.support, self.support)
        index = np.arange(self.mean.size)
        dense[index, index] = dense[index, index] + self.diagonal
        return dense

    def covariance_hadamard(self, matrix: np.ndarray) -> np.ndarray:
        """Return ``matrix ∘ Cov(ξ)``, (n, n), in O(n²)."""
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
        total: float = error + self.common * (pooled @ pooled)
        return total
