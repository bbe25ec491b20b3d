"""From sums over trials to the figures of a profile, with their intervals."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from approxmm.profile import LayerError, Metrics, metrics_from_moments
from approxmm.propagation.tally import Figure, Moments, cosine_figure, mean_figure, skewed_interval

__all__ = ["Tally"]

_OUTPUT, _WEIGHTS = 1, 3


class Tally:
    """The trials so far: their sums (error, estimate, cross) relative to the exact squared norms.

    Parameters
    ----------
    norms : (L, places) float64 array
        Exact squared norms of pre-activation and output, and with gradients of δ and the weight gradient.
    """

    def __init__(self, norms: np.ndarray) -> None:
        self._norms = norms
        self._scale = np.where(norms > 0, norms, 1.0)
        self._sums = Moments((*norms.shape, 3))
        self._products = Moments((len(norms), 1))

    @property
    def trials(self) -> int:
        """Number of trials."""
        return self._sums.count

    def add(self, sums: np.ndarray, products: np.ndarray) -> None:
        """Add trials' sums (trials, L, places, 3) and the products of their pairs (trials // 2, L)."""
        with np.errstate(over="ignore", invalid="ignore"):  # beyond the range of floats a figure is infinite
            self._sums.add(sums / self._scale[..., None])
            if len(products):
                self._products.add((products / self._scale[:, -1])[..., None])

    def precision(self, level: float, *, exact_forward: bool) -> float:
        """Return the interval's half-width as a fraction of the error: of the last output, or of the first gradient."""
        k, place = (0, _WEIGHTS) if exact_forward else (-1, _OUTPUT)
        error = float(self._sums.mean[k, place, 0])
        low, high = self._interval(mean_figure(self._sums.mean[k, place], 0), k, place, level)
        return (high - low) / 2 / error if error > 0 else 0.0

    def layers(self, level: float | None) -> tuple[LayerError, ...]:
        """Return the figures of every layer; intervals only if a level is given."""
        result = []
        for k, places in enumerate(self._norms):
            figures = [self._metrics(k, place, level) for place in range(len(places))]
            pre, out, delta, weights = [*figures, None, None][:4]
            assert pre is not None
            assert out is not None
            bias = self._bias(k, level) if weights is not None else {}
            result.append(LayerError(k + 1, out, pre, bias, delta, weights))
        return tuple(result)

    def _interval(self, figure: Figure, k: int, place: int, level: float) -> tuple[float, float]:
        sums = self._sums
        return skewed_interval(figure, sums.second[k, place], sums.third[k, place], sums.count, level)

    def _metrics(self, k: int, place: int, level: float | None) -> Metrics:
        mean, exact = self._sums.mean[k, place], float(self._norms[k, place])
        error, estimate, cross = (float(number) for number in mean * self._scale[k, place])
        metrics = metrics_from_moments(exact, estimate, cross, error)
        if level is None or exact == 0:
            return metrics
        cosine = cosine_figure(mean)
        return replace(
            metrics,
            ci95=_within(0.0, self._interval(mean_figure(mean, 0), k, place, level), math.inf),
            norm_ratio_ci95=_within(0.0, self._interval(mean_figure(mean, 1), k, place, level), math.inf),
            cosine_ci95=None if cosine is None else _within(-1.0, self._interval(cosine, k, place, level), 1.0),
        )

    def _bias(self, k: int, level: float | None) -> dict[str, float]:
        """Return ‖E ĝ − g‖²/‖g‖² and its interval: without bias of its own, so it may be negative by chance."""
        products = self._products
        if products.count == 0 or self._norms[k, _WEIGHTS] == 0:
            return {}
        figure = mean_figure(products.mean[k], 0)
        bias = {"gradient_bias": figure.value}
        if level is not None:
            low, high = skewed_interval(figure, products.second[k], products.third[k], products.count, level)
            bias |= {"gradient_bias_low": low, "gradient_bias_high": high}
        return bias


def _within(lowest: float, interval: tuple[float, float], highest: float) -> tuple[float, float]:
    return max(lowest, interval[0]), min(interval[1], highest)
