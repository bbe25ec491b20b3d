"""ErrorProfile: the error of a sampled network, layer by layer.

Theory, simulation and training all return this type, so that a comparison is
one line. For a layer's exact value y and its sampled value ŷ:

* ``relative_error``       = E‖ŷ − y‖² / E‖y‖²
* ``relative_to_estimate`` = E‖ŷ − y‖² / E‖ŷ‖²
* ``cosine``               = E⟨ŷ, y⟩ / √(E‖ŷ‖² E‖y‖²)
* ``norm_ratio``           = E‖ŷ‖² / E‖y‖²

with expectations over the sampling and over the inputs. Errors are of squares.
"""

from __future__ import annotations

import html
import math
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["ErrorProfile", "LayerError", "Metrics", "metrics_from_logs", "metrics_from_moments"]

_LN10 = math.log(10.0)
_MAX_EXPONENT = math.log10(sys.float_info.max)
Interval = tuple[float, float]
_LOGARITHMS = ("log10_relative_error", "log10_norm_ratio")
METRIC_NAMES = ("relative_error", "relative_to_estimate", "cosine", "norm_ratio")


@dataclass(frozen=True)
class Metrics:
    """The four figures for one value of a layer, with intervals where it was sampled.

    Attributes
    ----------
    relative_error, relative_to_estimate, cosine, norm_ratio : float
        As above; infinite where a float64 cannot hold them.
    ci95, cosine_ci95, norm_ratio_ci95 : pair of float, optional
        95 % intervals of the relative error, the cosine and the norm ratio.
    log10_relative_error, log10_norm_ratio : float
        Decimal logarithms, finite where the figures themselves overflow. By default those of the figures.
    """

    relative_error: float
    relative_to_estimate: float
    cosine: float
    norm_ratio: float
    ci95: Interval | None = None
    cosine_ci95: Interval | None = None
    norm_ratio_ci95: Interval | None = None
    log10_relative_error: float = math.nan
    log10_norm_ratio: float = math.nan

    def __post_init__(self) -> None:
        for name in ("relative_error", "norm_ratio"):
            if math.isnan(getattr(self, f"log10_{name}")):
                object.__setattr__(self, f"log10_{name}", _log10(getattr(self, name)))

    def interval(self, metric: str) -> Interval | None:
        """Return the 95 % interval of one of the four figures, None where there is none."""
        return {
            "relative_error": self.ci95,
            "cosine": self.cosine_ci95,
            "norm_ratio": self.norm_ratio_ci95,
        }.get(metric)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers; not-finite ones become None, as JSON has no word for them."""
        return {name: _finite(getattr(self, name)) for name in METRIC_NAMES}


@dataclass(frozen=True)
class LayerError:
    """The error at one layer (counted from 1).

    Attributes
    ----------
    output : Metrics
        Of the layer's output as the next layer receives it: after the activation and an output-side mask.
    pre_activation : Metrics
        Of ẑ = (â ∘ ξ) W + b, before this layer's activation and mask.
    delta, weight_gradient : Metrics, optional
        Of the loss's gradient with respect to this layer's pre-activation, and with respect to its weights.
    extra : dict
        Further figures of the layer, such as the measured ratio of active to inactive sums.
    """

    layer: int
    output: Metrics
    pre_activation: Metrics
    extra: dict[str, float] = field(default_factory=dict)
    delta: Metrics | None = None
    weight_gradient: Metrics | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the layer in the documented JSON form."""
        gradients = {"delta": self.delta, "weight_gradient": self.weight_gradient}
        return {
            "layer": self.layer,
            **self.output.to_dict(),
            "ci95": _bounds(self.output.ci95),
            "cosine_ci95": _bounds(self.output.cosine_ci95),
            "norm_ratio_ci95": _bounds(self.output.norm_ratio_ci95),
            **{name: _finite(getattr(self.output, name)) for name in _LOGARITHMS},
            "pre_activation": self.pre_activation.to_dict(),
            **{
                name: {**figures.to_dict(), "ci95": _bounds(figures.ci95)}
                for name, figures in gradients.items()
                if figures is not None
            },
            **{name: _finite(number) for name, number in self.extra.items()},
        }


@dataclass(frozen=True)
class ErrorProfile:
    """The error of a sampled network by layer.

    Attributes
    ----------
    source : str
        Where the figures come from: ``law``, ``exact``, ``closure``, ``simulate`` or ``training``.
    layers : tuple of LayerError
    seconds : float
        Wall-clock time of the computation.
    settings : dict
        What was computed: method, budget, trials, seed (plain values).
    """

    source: str
    layers: tuple[LayerError, ...]
    seconds: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.layers)

    @property
    def relative_error(self) -> np.ndarray:
        """Relative error of each layer's output, float64 (L,)."""
        return np.array([layer.output.relative_error for layer in self.layers])

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON form (strictly finite numbers or null)."""
        return {
            "source": self.source,
            "layers": [layer.to_dict() for layer in self.layers],
            "seconds": self.seconds,
            "settings": self.settings,
        }

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a layer, indexed by ``layer``."""
        import pandas as pd

        rows = []
        for layer in self.layers:
            low, high = layer.output.ci95 or (math.nan, math.nan)
            row = {"layer": layer.layer, "source": self.source}
            row |= {name: getattr(layer.output, name) for name in METRIC_NAMES}
            row |= {"ci95_low": low, "ci95_high": high}
            row |= {name: getattr(layer.output, name) for name in _LOGARITHMS}
            parts = {"pre": layer.pre_activation, "delta": layer.delta, "weight_gradient": layer.weight_gradient}
            for part, figures in parts.items():
                if figures is not None:
                    row |= {f"{part}_{name}": getattr(figures, name) for name in METRIC_NAMES}
            rows.append(row | layer.extra)
        return pd.DataFrame(rows).set_index("layer")

    def plot(self, *others: ErrorProfile, ax: Axes | None = None, metric: str = "relative_error") -> Axes:
        """Draw `metric` by layer, log scale for errors: closed forms as lines, samples as points with intervals.

        Parameters
        ----------
        *others : ErrorProfile
            More profiles for the same axes.
        ax : matplotlib Axes, optional
            A new figure is made without it.
        metric : str
            One of the four figures.
        """
        from approxmm.profile_plot import plot_profiles

        return plot_profiles((self, *others), ax=ax, metric=metric)

    def __str__(self) -> str:
        lines = [f"{self.source}: error by layer" + (f"  ({self._described()})" if self.settings else "")]
        lines.append("layer  relative error  95 % interval             cosine  norm ratio")
        for layer in self.layers:
            figures, interval = layer.output, "–"
            if figures.ci95 is not None:
                interval = f"[{figures.ci95[0]:.4g}, {figures.ci95[1]:.4g}]"
            lines.append(
                f"{layer.layer:5d}  {figures.relative_error:14.6g}  {interval:24s}  "
                f"{figures.cosine:6.4f}  {figures.norm_ratio:10.4g}"
            )
        return "\n".join(lines)

    def _described(self) -> str:
        return ", ".join(f"{name} {setting}" for name, setting in self.settings.items())

    def _repr_html_(self) -> str:
        table = self.to_pandas().drop(columns=["source"]).to_html(float_format="%.5g")
        return f"<p><b>{html.escape(self.source)}</b> {html.escape(self._described())}</p>{table}"


def metrics_from_moments(
    exact: float, estimate: float, cross: float, error: float | None = None, ci95: tuple[float, float] | None = None
) -> Metrics:
    """Return the four figures from E‖y‖², E‖ŷ‖² and E⟨ŷ, y⟩.

    Parameters
    ----------
    exact, estimate, cross : float
        The three moments.
    error : float, optional
        E‖ŷ − y‖² where it is known without cancellation; otherwise estimate − 2·cross + exact.
    ci95 : pair of float, optional
        Interval of the relative error.

    Notes
    -----
    With exact = 0 the relative figures are 0 if the estimate is 0 too, otherwise infinite or NaN.
    """
    error = max(estimate - 2.0 * cross + exact, 0.0) if error is None else error
    norm = math.sqrt(exact) * math.sqrt(estimate)
    return Metrics(
        relative_error=_ratio(error, exact),
        relative_to_estimate=_ratio(error, estimate),
        cosine=cross / norm if norm > 0 else math.nan,
        norm_ratio=_ratio(estimate, exact),
        ci95=ci95,
    )


def metrics_from_logs(
    log_exact: float, log_estimate: float, cosine: float, log_error: float, ci95: Interval | None = None
) -> Metrics:
    """Return the four figures from natural logarithms of E‖y‖², E‖ŷ‖² and E‖ŷ − y‖², in any range."""
    relative, ratio = (log_error - log_exact) / _LN10, (log_estimate - log_exact) / _LN10
    return Metrics(
        relative_error=_power_of_ten(relative),
        relative_to_estimate=_power_of_ten((log_error - log_estimate) / _LN10),
        cosine=cosine,
        norm_ratio=_power_of_ten(ratio),
        ci95=ci95,
        log10_relative_error=relative,
        log10_norm_ratio=ratio,
    )


def _ratio(numerator: float, denominator: float) -> float:
    if denominator == 0:
        return 0.0 if numerator == 0 else math.inf
    return numerator / denominator


def _bounds(interval: Interval | None) -> list[float | None] | None:
    return None if interval is None else [_finite(bound) for bound in interval]


def _power_of_ten(exponent: float) -> float:
    return 10.0**exponent if exponent < _MAX_EXPONENT else math.inf


def _log10(number: float) -> float:
    if number == 0.0:
        return -math.inf
    return math.log10(number) if number > 0 else math.nan


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
