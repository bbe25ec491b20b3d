"""RMS normalisation of one example's outputs of a layer, and its gradient, compiled.

y = a s with s = (mean_j a_j² + ε)^(−½), and so ∂loss/∂a = s (g − y · mean_j g_j y_j) for g = ∂loss/∂y, exactly.
A row of zeros passes no gradient: the derivative there, ε^(−½), says nothing about the network.
"""

from __future__ import annotations

import numpy as np

from approxmm.compile import compiled_fast
from approxmm.normalisation import RMS_EPSILON

__all__ = ["normalise_gradient", "normalise_row"]


@compiled_fast
def normalise_row(row: np.ndarray) -> float:
    """Normalise `row` (n,) in place and return what it was multiplied by (0 for zeros); sums are in float64."""
    total = 0.0
    for j in range(row.size):
        a = np.float64(row[j])
        total += a * a
    if total == 0.0:
        return 0.0
    inverse: float = 1.0 / np.sqrt(total / row.size + RMS_EPSILON)
    factor = row.dtype.type(inverse)
    for j in range(row.size):
        row[j] *= factor
    return inverse


@compiled_fast
def normalise_gradient(gradient: np.ndarray, row: np.ndarray, inverse: float) -> None:
    """Turn ∂loss/∂y (n,) into ∂loss/∂a in place, given y = `row` (n,) and what `normalise_row` returned."""
    total = 0.0
    for j in range(row.size):
        total += np.float64(gradient[j]) * np.float64(row[j])
    mean, factor = row.dtype.type(total / row.size), row.dtype.type(inverse)
    for j in range(row.size):
        gradient[j] = factor * (gradient[j] - row[j] * mean)
