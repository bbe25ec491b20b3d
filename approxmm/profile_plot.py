"""Drawing of error profiles: closed forms as lines, samples as points with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from approxmm.atomic import atomic_path
from approxmm.errors import InputError
from approxmm.profile import METRIC_NAMES, ErrorProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_profiles", "save_plot"]

_FORMATS = (".svg", ".png", ".pdf")
_SAMPLED = {"simulate", "training"}
_LABELS = {
    "relative_error": "relative error  E‖ŷ − y‖² / E‖y‖²",
    "relative_to_estimate": "error relative to the estimate  E‖ŷ − y‖² / E‖ŷ‖²",
    "cosine": "cosine of ŷ and y",
    "norm_ratio": "norm ratio  E‖ŷ‖² / E‖y‖²",
}


def plot_profiles(
    profiles: Sequence[ErrorProfile],
    *,
    ax: Axes | None = None,
    metric: str = "relative_error",
    labels: Sequence[str] | None = None,
) -> Axes:
    """Draw several profiles on one pair of axes.

    Parameters
    ----------
    profiles : sequence of ErrorProfile
    ax : matplotlib Axes, optional
    metric : str
        ``relative_error``, ``relative_to_estimate``, ``cosine`` or ``norm_ratio``.
    labels : sequence of str, optional
        One a profile; its source by default.
    """
    if metric not in METRIC_NAMES:
        raise InputError(f"metric={metric!r} is unknown; choose one of {', '.join(METRIC_NAMES)}")
    from matplotlib.ticker import MaxNLocator

    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
    for i, profile in enumerate(profiles):
        label = labels[i] if labels is not None else profile.source
        _draw_one(ax, profile, metric, label, colour=f"C{i}")
    if metric != "cosine":
        ax.set_yscale("log")
    ax.set_xlabel("layer")
    ax.set_ylabel(_LABELS[metric])
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(True, which="major", alpha=0.3)
    ax.legend(frameon=False, fontsize="small")
    return ax


def _draw_one(ax: Axes, profile: ErrorProfile, metric: str, label: str, colour: str) -> None:
    x = np.array([layer.layer for layer in profile.layers])
    y = np.array([getattr(layer.output, metric) for layer in profile.layers], dtype=float)
    # A log axis has no place for an exact zero or for infinity: leave a gap rather than draw a false floor.
    if metric != "cosine":
        y = np.where((y > 0) & np.isfinite(y), y, np.nan)
    if profile.source not in _SAMPLED:
        ax.plot(x, y, color=colour, label=label, linewidth=1.6)
        return
    ax.plot(x, y, "o", color=colour, label=label, markersize=4.5)
    intervals = [layer.output.ci95 for layer in profile.layers]
    if metric == "relative_error" and all(interval is not None for interval in intervals):
        low, high = np.array(intervals, dtype=float).T
        drawn = np.isfinite(y) & np.isfinite(high)
        floor = y[drawn].min(initial=1.0) * 1e-3
        ax.vlines(x[drawn], np.maximum(low[drawn], floor), high[drawn], color=colour, linewidth=1.2)


def save_plot(profiles: Sequence[ErrorProfile], path: str | Path) -> None:
    """Draw `profiles` into a file whose suffix names the format (.svg, .png, .pdf), whole or not at all."""
    from matplotlib.figure import Figure

    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise InputError(f"plot file {str(path)!r} ends in {suffix!r}; use one of {', '.join(_FORMATS)}")
    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    plot_profiles(profiles, ax=figure.subplots())
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
