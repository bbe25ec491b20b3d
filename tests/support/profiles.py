"""Small error profiles with known figures."""

from __future__ import annotations

import math

from approxmm.profile import ErrorProfile, LayerError, Metrics, metrics_from_logs, metrics_from_moments


def profile(source="exact", errors=(0.1, 0.3), intervals=True, **settings):
    layers = []
    for k, error in enumerate(errors, start=1):
        ci95 = (0.9 * error, 1.1 * error) if intervals and source == "simulate" else None
        layers.append(
            LayerError(k, metrics_from_moments(1.0, 1 + error, 1.0, error, ci95), metrics_from_moments(1, 1, 1))
        )
    return ErrorProfile(source, tuple(layers), 0.5, settings)


def sampled(depth=3, source="simulate", gradients=False, **settings):
    """A measurement with intervals of ± 10 % for all figures that have one."""
    layers = []
    for k in range(1, depth + 1):
        e = 0.1 * k
        figures = Metrics(e, e / 2, 0.9, 1 + e, (0.9 * e, 1.1 * e), (0.85, 0.95), (1 + 0.9 * e, 1 + 1.1 * e))
        layers.append(LayerError(k, figures, figures, *([{}, figures, figures] if gradients else [])))
    return ErrorProfile(source, tuple(layers), 0.1, settings)


def grown(depth, log10_growth, source="meanfield"):
    """A closed form whose error and norm grow by a constant factor a layer, far beyond floats."""
    figures = [metrics_from_logs(0.0, k * log10_growth * math.log(10), 0.1, k * log10_growth * math.log(10)) for k in
               range(1, depth + 1)]  # fmt: skip
    return ErrorProfile(source, tuple(LayerError(k, m, m) for k, m in enumerate(figures, start=1)))
