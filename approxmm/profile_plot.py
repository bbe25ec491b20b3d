"""Drawing of error profiles: closed forms as lines, samples as points with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.atomic import atomic_path
from approxmm.errors import InputError
from approxmm.profile import SAMPLED_SOURCES, ErrorProfile
from approxmm.profile_table import figures_of, labels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["check_format", "plot_profiles", "save_plot"]

_FORMATS = (".svg", ".png", ".pdf")
_LABELS = {
    "relative_error": "relative error  E‖ŷ − y‖² / E‖y‖²",
    "relative_to_estimate": "error relative to the estimate  E‖ŷ − y‖² / E‖ŷ‖²",
    "cosine": "cosine of ŷ and y",
    "norm_ratio": "norm ratio  E‖ŷ‖² / E‖y‖²",
}
_SUBJECTS = {
    "output": "",
    "pre_activation": "pre-activation: ",
    "delta": "gradient by pre-activation: ",
    "weight_gradient": "gradient by weights: ",
}
_MARKERS = 60  # points drawn of one profile; more would run into each other
_LARGEST = 290.0  # decimal exponents that an axis of float64 can show, with room for its margins


@dataclass(frozen=True, eq=False)
class _Curve:
    """One profile on its axes: layers, values and bounds, as decimal logarithms unless `plain`."""

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    sampled: bool
    label: str


def plot_profiles(
    profiles: Sequence[ErrorProfile],
    *,
    ax: Axes | None = None,
    metric: str = "relative_error",
    of: str = "output",
    labels: Sequence[str] | None = None,
) -> Axes:
    """Draw several profiles on one pair of axes.

    Parameters
    ----------
    profiles : sequence of ErrorProfile
    ax : matplotlib Axes, optional
    metric : str
        ``relative_error``, ``relative_to_estimate``, ``cosine`` or ``norm_ratio``. All but the cosine are drawn on a
        log scale; where float64 cannot hold a value, the axis shows decimal exponents.
    of : str
        ``output``, ``pre_activation``, ``delta`` or ``weight_gradient``.
    labels : sequence of str, optional
        One a profile; by default its source, with the settings that tell it from others of the same source.

    Returns
    -------
    Axes
        Of more than 60 layers a sampled profile shows 60 evenly spaced ones as points with intervals, and all of them
        as a thin line.

    Raises
    ------
    InputError
        If a name is unknown, or a profile does not hold the figures asked for.
    """
    names = labels_of(profiles) if labels is None else labels
    curves = [_curve(p, metric, of, name) for p, name in zip(profiles, names, strict=True)]
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
    _draw_all(ax, dict(enumerate(curves)), metric, of)
    return ax


def _draw_all(ax: Axes, curves: dict[int, _Curve], metric: str, of: str) -> None:
    """Draw curves, each in the style of its number."""
    logarithmic = metric != "cosine"
    beyond = logarithmic and any((np.abs(c.y[np.isfinite(c.y)]) > _LARGEST).any() for c in curves.values())
    for i, curve in curves.items():
        _draw(ax, _in_floats(curve) if logarithmic and not beyond else curve, f"C{i % 10}", "-" if i < 10 else "--")
    _finish(ax, logarithmic, beyond)
    ax.set_ylabel(_SUBJECTS[of] + _LABELS[metric])


def _curve(profile: ErrorProfile, metric: str, of: str, label: str) -> _Curve:
    figures, logarithmic = figures_of(profile, metric, of), metric != "cosine"
    y = np.array([each.log10(metric) if logarithmic else getattr(each, metric) for each in figures], dtype=float)
    # A log axis has no place for an exact zero or for infinity: leave a gap rather than draw a false floor.
    y = np.where(np.isfinite(y), y, np.nan)
    bounds = np.array([each.interval(metric) or (np.nan, np.nan) for each in figures], dtype=float).reshape(-1, 2)
    low, high = bounds.T
    if logarithmic:
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = np.log10(low), np.log10(high)
        # One that reaches zero runs to a decade below the lowest point.
        floor = float(np.nanmin(y)) - 1.0 if np.isfinite(y).any() else 0.0
        low = np.where(np.isfinite(high), np.maximum(np.nan_to_num(low, nan=floor, neginf=floor), floor), np.nan)
    return _Curve(
        np.array([layer.layer for layer in profile.layers]), y, low, high, profile.source in SAMPLED_SOURCES, label
    )


def _in_floats(curve: _Curve) -> _Curve:
    """Return the curve with numbers in place of logarithms; bounds that no float can hold become gaps."""
    low, high = (10.0 ** np.where(np.abs(b) < _LARGEST, b, np.nan) for b in (curve.low, curve.high))
    return _Curve(curve.x, 10.0**curve.y, low, high, curve.sampled, curve.label)


def _draw(ax: Axes, curve: _Curve, colour: str, line: str) -> None:
    if not curve.sampled:
        ax.plot(curve.x, curve.y, color=colour, label=curve.label, linewidth=1.6, linestyle=line)
        return
    count = len(curve.x)
    shown = np.unique(np.linspace(0, count - 1, min(count, _MARKERS)).round().astype(int))
    look: dict[str, Any] = {"color": colour, "label": curve.label, "markersize": 4.5 if count <= _MARKERS else 3.0}
    ax.plot(curve.x[shown], curve.y[shown], "o", **look)
    if count > _MARKERS:
        ax.plot(curve.x, curve.y, color=colour, linewidth=0.6, alpha=0.6)
    drawn = shown[np.isfinite(curve.y + curve.low + curve.high)[shown]]
    if drawn.size:
        ax.vlines(curve.x[drawn], curve.low[drawn], curve.high[drawn], color=colour, linewidth=1.2)


def _finish(ax: Axes, logarithmic: bool, beyond: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if beyond:
        ax.yaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda exponent, _: f"$10^{{{exponent:.0f}}}$"))
    elif logarithmic:
        ax.set_yscale("log")
        _write_plain_ticks(ax)
    ax.set_xlabel("layer")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(True, which="major", alpha=0.3)
    ax.legend(frameon=False, fontsize="small")


def _write_plain_ticks(ax: Axes) -> None:
    """Write 0.1 rather than a power where that is short, and label the ticks between decades where these are few."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    low, high = ax.get_ylim()
    if low >= 1e-4 and high <= 1e4:
        plain = FuncFormatter(lambda value, _: f"{value:g}")
        ax.yaxis.set_major_formatter(plain)
        ax.yaxis.set_minor_formatter(plain if high < 6.0 * low else NullFormatter())


def _holds(profile: ErrorProfile, part: str) -> bool:
    return all(getattr(layer, part) is not None for layer in profile.layers)


def check_format(path: str | Path) -> None:
    """Raise `InputError` if the suffix of `path` names no format that `save_plot` can write."""
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise InputError(f"plot file {str(path)!r} ends in {suffix!r}; use one of {', '.join(_FORMATS)}")


def save_plot(
    profiles: Sequence[ErrorProfile],
    path: str | Path,
    *,
    metrics: Sequence[str] = ("relative_error", "cosine", "norm_ratio"),
    of: Sequence[str] | None = None,
) -> None:
    """Draw `profiles` into a file, a column for each metric and a row for each part, whole or not at all.

    Parameters
    ----------
    profiles : sequence of ErrorProfile
    path : path-like
        The suffix names the format: .svg, .png, .pdf.
    metrics, of : sequence of str
        As for `plot_profiles`. By default the outputs, and gradients if a profile holds them. A profile that does not
        hold a part is left out of its row.
    """
    from matplotlib.figure import Figure

    check_format(path)
    names = labels_of(profiles)
    parts = of or [part for part in _SUBJECTS if part != "pre_activation" and any(_holds(p, part) for p in profiles)]
    figure = Figure(figsize=(0.7 + 3.9 * len(metrics), 0.4 + 3.2 * len(parts)), layout="constrained")
    rows = figure.subplots(len(parts), len(metrics), squeeze=False, sharex=True)
    for part, row in zip(parts, rows, strict=True):
        shown = [i for i, profile in enumerate(profiles) if _holds(profile, part)]
        for metric, ax in zip(metrics, row, strict=True):
            _draw_all(ax, {i: _curve(profiles[i], metric, part, names[i]) for i in shown}, metric, part)
            if metric != metrics[0]:
                ax.get_legend().remove()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
