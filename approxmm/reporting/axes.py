"""Pieces that several figures share: panels, points with intervals, log axes that do not lie about zeros."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.reporting.canvas import label, new_figure
from approxmm.reporting.display import number_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from approxmm.reporting.series import Series

__all__ = [
    "Look",
    "column",
    "deepest",
    "drawable",
    "finish_log_axis",
    "integer_axis",
    "legend_above",
    "legend_beside",
    "panels",
    "title",
]

Look = dict[str, Any]
_LEAST, _GREATEST = 1e-150, 1e150  # beyond them the axis with its ticks would leave float64


def column(records: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column as float64; what is no number, or is missing, becomes NaN."""
    import pandas as pd

    if name not in records.columns:
        return np.full(len(records), np.nan)
    values: np.ndarray = pd.to_numeric(records[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def deepest(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records of the deepest network, by layer."""
    depth = column(records, "depth")
    kept = records[depth == np.nanmax(depth)] if np.isfinite(depth).any() else records
    return kept.iloc[np.argsort(column(kept, "layer"), kind="stable")]


def panels(count: int, x_values: np.ndarray, x_name: str) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` panels that share both axes, so that eyes can compare them."""
    across = 2 if count in (2, 4) else min(count, 3)
    down = math.ceil(count / across)
    figure = new_figure({1: 5.6, 2: 7.6, 3: 9.2}[across], 2.45 * down + 0.75)
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    integer_axis(grid[0], x_values)
    for axes in grid[count:]:
        axes.remove()
    # The lowest panel of a column carries the labels, also where the last row is not full.
    for axes in grid[max(count - across, 0) : count]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel(x_name)
    return figure, list(grid[:count])


def title(axes: Axes, series: Series) -> None:
    """Head a panel with the method in its colour, and its budget and options below."""
    axes.set_title(label(series.name), loc="left", color=series.style.colour, fontweight="bold", pad=15)
    axes.text(0.0, 1.03, label(series.detail), transform=axes.transAxes, fontsize=7.5, color="#555555")


def integer_axis(axes: Axes, values: np.ndarray, name: str = "") -> None:
    """Let the x axis count layers or depths: whole numbers only, with room at both ends."""
    from matplotlib.ticker import MaxNLocator

    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (1.0, 1.0)
    axes.set_xlim(low - 0.4, high + 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True, min_n_ticks=1))
    axes.set_xlabel(name)


def drawable(values: np.ndarray) -> np.ndarray:
    """Return the values that a log axis can show, NaN (a gap) in place of the others."""
    return np.where((values > _LEAST) & (values < _GREATEST), values, np.nan)


def finish_log_axis(axes: Axes, drawn: Sequence[np.ndarray], intervals: Sequence[tuple[np.ndarray, Look]] = ()) -> None:
    """Set limits, draw intervals, and say in words which values have no place on a log axis.

    Parameters
    ----------
    axes : Axes
        Of one panel; panels that share an axis are widened to what all need.
    drawn : sequence of array
        All central values of the panel.
    intervals : sequence of (array (3, n), dict)
        x, low, high, and the look of the lines. One that reaches zero runs to the lower edge.
    """
    values = np.concatenate([np.asarray(v, dtype=float).ravel() for v in drawn]) if drawn else np.empty(0)
    highs = [high for (_, _, high), _ in intervals]
    axes.set_yscale("log")
    _widen(axes, drawable(np.concatenate([values, *highs])))
    for (x, low, high), look in intervals:
        kept = np.isfinite(drawable(high))
        axes.vlines(x[kept], np.where(low > _LEAST, low, _LEAST)[kept], high[kept], linewidth=1.3, **look)
    _label_log_ticks(axes)
    _note_what_is_missing(axes, values)


def _widen(axes: Axes, shown: np.ndarray) -> None:
    """Make room for the values; where panels share the axis, for those of the earlier panels too."""
    if not np.isfinite(shown).any():
        return
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    margin = max(1.7, (high / low) ** 0.05)
    low, high = low / margin, high * margin
    if not axes.get_autoscaley_on():
        bottom, top = axes.get_ylim()
        low, high = min(low, bottom), max(high, top)
    axes.set_ylim(low, high)


def _label_log_ticks(axes: Axes) -> None:
    """Write 0.01, 0.1, 1 rather than powers where that is short, and label 2 and 5 where decades are few."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axes.get_ylim()
    decades = math.log10(high) - math.log10(low)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 1.6 else (1.0,), numticks=9))
    axes.yaxis.set_minor_locator(NullLocator())
    if low >= 1e-5 and high <= 1e5:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value)))


def _note_what_is_missing(axes: Axes, values: np.ndarray) -> None:
    finite = values[np.isfinite(values)]
    cases = {
        "exact zeros: not drawn": finite == 0,
        "negative values: not drawn": finite < 0,
        "infinite values: not drawn": np.isinf(values),
        "values beyond 1e±150: not drawn": (finite > 0) & np.isnan(drawable(finite)),
        "no finite value": np.array([finite.size == 0 and not np.isinf(values).any()]),
    }
    notes = [text for text, found in cases.items() if found.any()]
    if notes:
        look: Look = {"ha": "right", "va": "bottom", "fontsize": 7, "color": "#555555", "style": "italic"}
        axes.text(1.0, 1.115, "\n".join(notes), transform=axes.transAxes, **look)


def legend_above(figure: Figure, handles: Sequence[Any], columns: int) -> None:
    """Place one legend for all panels above them."""
    figure.legend(handles=list(handles), loc="outside upper center", ncols=min(columns, max(len(handles), 1)))


def legend_beside(figure: Figure, handles: Sequence[Any]) -> None:
    """Place one legend for all panels to their right, in the order given from top to bottom."""
    figure.legend(handles=list(handles), loc="outside right upper")
