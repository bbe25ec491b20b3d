"""The theorem of the negative result, in both normalisations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from approxmm.reporting.axes import column, finish_log_axis, integer_axis, legend_beside
from approxmm.reporting.canvas import new_figure
from approxmm.reporting.display import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from approxmm.reporting.figures import Drawing

__all__ = ["draw_law"]


def draw_law(drawing: Drawing) -> Figure:
    """Draw the error by layer for each ratio: relative to the estimate (log) and to the exact value (linear)."""
    from matplotlib import colormaps

    table = drawing.tables["law"]
    ratios = column(table, "ratio")
    levels = np.unique(ratios[np.isfinite(ratios)])
    colours = colormaps["viridis"](np.linspace(0.0, 0.85, max(len(levels), 1)))
    figure = new_figure(8.6, 3.5)
    left, right = figure.subplots(1, 2)
    handles, drawn = [], []
    for ratio, colour in zip(levels, colours, strict=False):
        records = table[ratios == ratio]
        records = records.iloc[np.argsort(column(records, "layer"), kind="stable")]
        x, to_estimate = column(records, "layer"), column(records, "relative_to_estimate")
        look = {"color": colour, "marker": "o", "markersize": 3.5, "label": f"c = {number_text(ratio)}"}
        handles += left.plot(x, np.where(to_estimate > 0, to_estimate, np.nan), **look)
        right.plot(x, column(records, "relative_to_exact"), **look)
        drawn.append(to_estimate)
    finish_log_axis(left, drawn)
    _label(left, right, column(table, "layer"))
    legend_beside(figure, handles)
    return figure


def _label(left: Axes, right: Axes, layers: np.ndarray) -> None:
    left.set_ylabel("relative to the estimate  ‖â − a‖ / ‖â‖")
    right.set_ylabel("relative to the exact value  ‖â − a‖ / ‖a‖")
    right.set_ylim(0, 1.03)
    for axes in (left, right):
        integer_axis(axes, layers, "layer")
