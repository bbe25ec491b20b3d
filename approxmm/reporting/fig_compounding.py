"""Predicted and measured compounding side by side: by layer, and at the output against depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.reporting.axes import column, deepest, drawable, finish_log_axis, legend_above, panels, title

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from approxmm.reporting.figures import Drawing
    from approxmm.reporting.series import Series

__all__ = ["draw_compounding", "draw_moments", "draw_output_error"]

_AXIS = "relative error  E‖ŷ − y‖² / E‖y‖²"
_LINES = {"prediction": "-", "law": (0, (4, 2)), "exact": "-"}
_POINTS = ("simulated", "training")
_NAMES = {
    "prediction": "predicted: one-step errors compounded",
    "law": "predicted: theorem, measured ratios",
    "exact": "exact second moments",
    "simulated": "simulated, 95 % interval",
    "training": "measured in the training engine",
}


def draw_compounding(drawing: Drawing) -> Figure:
    """Draw the error by layer of the deepest trained network, one panel a method."""
    return _small_multiples(drawing, "compounding", ("prediction", "law", "simulated", "training"), "layer")


def draw_output_error(drawing: Drawing) -> Figure:
    """Draw the error of the networks' outputs against their depth, one panel a method."""
    return _small_multiples(drawing, "compounding", ("prediction", "law", "simulated", "training"), "depth")


def draw_moments(drawing: Drawing) -> Figure:
    """Draw exact moments and simulation by layer of the deepest linear stack, one panel a method."""
    return _small_multiples(drawing, "moments", ("exact", "simulated"), "layer")


def _small_multiples(drawing: Drawing, table: str, quantities: tuple[str, ...], against: str) -> Figure:
    every = list(drawing.series(table))
    chosen = [deepest(s.records) if against == "layer" else _outputs(s.records) for s in every]
    name = "layer" if against == "layer" else "depth (number of layers)"
    figure, axes = panels(len(every), np.concatenate([column(records, against) for records in chosen]), name)
    present = [q for q in quantities if any(not np.isnan(column(records, q)).all() for records in chosen)]
    for ax, series, records in zip(axes, every, chosen, strict=True):
        _draw_panel(ax, series, records, present, against)
    figure.supylabel(_AXIS, fontsize=9)
    legend_above(figure, [_handle(q) for q in present], columns=2)
    return figure


def _outputs(records: pd.DataFrame) -> pd.DataFrame:
    """Return the last layer's record of each depth."""
    ordered = records.iloc[np.lexsort((column(records, "layer"), column(records, "depth")))]
    return ordered.drop_duplicates("depth", keep="last")


def _draw_panel(ax: Axes, series: Series, records: pd.DataFrame, quantities: list[str], against: str) -> None:
    x, drawn, intervals = column(records, against), [], []
    for quantity in quantities:
        y = column(records, quantity)
        ax.plot(x, drawable(y), **_look(quantity, series.style.colour, series.style.marker))
        drawn.append(y[np.isfinite(x) & ~np.isnan(y)])
        if quantity == "simulated":
            low, high = column(records, "ci_low"), column(records, "ci_high")
            intervals.append((np.stack([x, low, high]), {"color": series.style.colour, "alpha": 0.75}))
    title(ax, series)
    finish_log_axis(ax, drawn, intervals)


def _look(quantity: str, colour: str, marker: str) -> dict[str, Any]:
    """Return the look: closed forms are lines, samples are points, open those from the training engine."""
    if quantity in _POINTS:
        face = colour if quantity == "simulated" else "none"
        size = 4.5 if quantity == "simulated" else 8.0
        return {"color": colour, "marker": marker, "markersize": size, "markerfacecolor": face, "linestyle": "none"}
    return {"color": colour, "linestyle": _LINES[quantity]}


def _handle(quantity: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], label=_NAMES[quantity], **_look(quantity, "#444444", "o"))
