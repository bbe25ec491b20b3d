"""What the selection finds and what is left of the direction, layer by layer of the deepest trained networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.reporting.axes import column, integer_axis, legend_above
from approxmm.reporting.canvas import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from approxmm.reporting.figures import Drawing

__all__ = ["draw_depth_layers"]

_PANELS = {"recall": "recall of the largest nodes", "cosine": "cosine of sampled and exact outputs"}


def draw_depth_layers(drawing: Drawing) -> Figure:
    """Draw recall and cosine by layer, one line a run."""
    table = drawing.tables["layers"]
    deepest = table["depth"].max()
    figure = new_figure(8.6, 3.9)
    axes = figure.subplots(1, 2, sharex=True)
    handles = []
    for series in drawing.series("layers"):
        records = series.records[series.records["depth"] == deepest]
        look: dict[str, Any] = {"color": series.style.colour, "marker": series.style.marker, "linestyle": series.line}
        for ax, quantity in zip(axes, _PANELS, strict=True):
            (line,) = ax.plot(column(records, "layer"), column(records, quantity), label=series.label, **look)
        handles.append(line)
    for ax, (quantity, heading) in zip(axes, _PANELS.items(), strict=True):
        ax.set_title(heading, loc="left")
        ax.set_ylim(min(-0.02, float(np.nanmin([0.0, *column(table, quantity)])) - 0.02), 1.02)
        integer_axis(ax, column(table[table["depth"] == deepest], "layer"), "layer")
    legend_above(figure, handles, columns=3)
    return figure
