"""How alike the noise of inputs is that share draws: what the column norms of a random minibatch depend on.

Inputs of a minibatch share the scales of column–row pairs, so the noise in their pre-activations is correlated, and the
column norms that the next law reads fluctuate more than for independent noise. The correlation is carried as one number
for each two inputs, the average over the nodes of a layer weighted by their variances: a sampled product adds
Σ_i ‖W_i·‖² Var(ξ_i) a_i a′_i to the trace of their covariance, masks (drawn for each example) add nothing, and an
activation is taken to keep the correlation.
"""

from __future__ import annotations

import numpy as np

from approxmm.propagation.closure_scales import Averages

__all__ = ["alike_after_mask", "alike_after_product", "correlate"]


def alike_after_product(alike: np.ndarray, scales: Averages, weights: np.ndarray, group: int) -> np.ndarray:
    """Return the correlations (B, B) of the inputs' noise after a product whose scales `group` inputs share."""
    norms = (weights * weights).sum(axis=1)
    added = np.sign(scales.mean) * np.sqrt(scales.within * norms)
    kept = np.sqrt(scales.between * norms)
    number = np.arange(len(alike)) // group
    together = number[:, None] == number
    return _normalised(alike * (kept @ kept.T) + together * (added @ added.T))


def alike_after_mask(alike: np.ndarray, scales: Averages) -> np.ndarray:
    """Return the correlations after masks that every input draws for itself."""
    kept = np.sqrt(scales.between)
    covariance = alike * (kept @ kept.T)
    index = np.arange(len(alike))
    covariance[index, index] += scales.within.sum(axis=1)
    return _normalised(covariance)


def correlate(normal: np.ndarray, alike: np.ndarray, group: int) -> np.ndarray:
    """Return points (Q, B, n) of N(0, 1) with these correlations between inputs of a group, from independent ones."""
    mixed = np.empty_like(normal)
    for first in range(0, len(alike), group):
        rows = slice(first, min(first + group, len(alike)))
        values, vectors = np.linalg.eigh(alike[rows, rows])
        root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        root /= np.sqrt((root * root).sum(axis=1, keepdims=True))
        mixed[:, rows] = root @ normal[:, rows]
    return mixed


def _normalised(covariance: np.ndarray) -> np.ndarray:
    """Return the correlations; an input without noise is like itself only."""
    level = np.sqrt(np.diagonal(covariance))
    scale = np.outer(level, level)
    out: np.ndarray = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0.0)
    np.fill_diagonal(out, 1.0)
    return out
