"""Errors of sampled gradients, layer by layer, from gradients of all parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from approxmm.compile import compiled_fast
from approxmm.engine.layout import Layout, weights_of
from approxmm.profile import Metrics, metrics_from_moments

__all__ = ["GradientTally", "moments"]


def moments(value: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Return ‖value − exact‖², ‖value‖², ⟨value, exact⟩ and ‖exact‖² of two C-contiguous arrays, summed in float64."""
    sums = np.zeros(4)
    _add_moments(value.reshape(-1), exact.reshape(-1), sums)
    return sums


@compiled_fast
def _add_moments(value: np.ndarray, exact: np.ndarray, sums: np.ndarray) -> None:
    error, square, cross, norm = 0.0, 0.0, 0.0, 0.0
    for i in range(value.size):
        a, b = np.float64(value[i]), np.float64(exact[i])
        error += (a - b) * (a - b)
        square += a * a
        cross += a * b
        norm += b * b
    sums[0] += error
    sums[1] += square
    sums[2] += cross
    sums[3] += norm


@compiled_fast
def _product_of_errors(one: np.ndarray, other: np.ndarray, exact: np.ndarray) -> float:
    total = 0.0
    for i in range(exact.size):
        g = np.float64(exact[i])
        total += (np.float64(one[i]) - g) * (np.float64(other[i]) - g)
    return total


class GradientTally:
    """Sums over minibatches and draws, of the gradients with respect to each layer's weights.

    Parameters
    ----------
    layout : Layout
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        depth = layout.weight_at.size
        self._sums, self._products, self._pairs = np.zeros((depth, 4)), np.zeros(depth), 0

    def add(self, exact: np.ndarray, draws: Sequence[np.ndarray]) -> None:
        """Add a minibatch: its exact gradient (P,) and those of several draws."""
        for k in range(len(self._products)):
            g, *sampled = (weights_of(flat, self._layout, k).reshape(-1) for flat in (exact, *draws))
            self._sums[k] += sum(moments(value, g) for value in sampled) / len(draws)
            pairs = list(zip(sampled[::2], sampled[1::2], strict=False))
            if pairs:
                self._products[k] += sum(_product_of_errors(a, b, g) for a, b in pairs) / len(pairs)
        self._pairs += len(draws) // 2

    def metrics(self, k: int) -> Metrics:
        """Return the figures of layer k, counted from 0."""
        error, estimate, cross, exact = (float(number) for number in self._sums[k])
        return metrics_from_moments(exact, estimate, cross, error)

    def bias(self, k: int) -> dict[str, float]:
        """Return ``gradient_bias`` = ‖E ĝ − g‖²/‖g‖² of layer k; nothing without pairs of draws.

        It comes from products of two draws each, into which no variance enters, so it may be negative by chance.
        """
        exact = self._sums[k, 3]
        return {"gradient_bias": float(self._products[k] / exact)} if self._pairs and exact > 0 else {}
