"""The ratio of active to inactive sums that the theorem takes as given, measured on trained networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from approxmm.reporting.axes import column, deepest, drawable, finish_log_axis, integer_axis, legend_beside
from approxmm.reporting.canvas import new_figure
from approxmm.reporting.display import number_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from approxmm.reporting.figures import Drawing

__all__ = ["draw_ratios"]


def draw_ratios(drawing: Drawing) -> Figure:
    """Draw the effective ratio by layer, one line a depth; quantiles over nodes for the deepest network."""
    from matplotlib import colormaps
    from matplotlib.lines import Line2D

    table = drawing.tables["ratios"]
    depths = column(table, "depth")
    levels = np.unique(depths[np.isfinite(depths)])
    colours = colormaps["viridis"](np.linspace(0.85, 0.0, max(len(levels), 1)))
    figure = new_figure(7.6, 3.6)
    ax = figure.subplots()
    handles, drawn = [], []
    for depth, colour in zip(levels, colours, strict=False):
        records = deepest(table[depths == depth])
        ratio = column(records, "ratio")
        look = {"color": colour, "marker": "o", "label": f"depth {number_text(depth)}"}
        handles += ax.plot(column(records, "layer"), drawable(ratio), **look)
        drawn.append(ratio[~np.isnan(ratio)])
    last = deepest(table)
    bounds = np.stack([column(last, name) for name in ("layer", "ratio_low", "ratio_high")])
    finish_log_axis(ax, drawn, [(bounds, {"color": colours[-1], "alpha": 0.45})])
    integer_axis(ax, column(table, "layer"), "layer")
    ax.set_ylabel("ratio c of active to inactive sums")
    if np.isfinite(bounds[1:]).any():
        handles.append(
            Line2D([], [], color=colours[-1], alpha=0.45, linewidth=1.3, label="range over nodes,\ndeepest network")
        )
    legend_beside(figure, handles)
    return figure
