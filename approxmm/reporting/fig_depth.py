"""The deepest trained networks: what errors are left at test time, and what the selection finds, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.reporting.axes import column, integer_axis, legend_above
from approxmm.reporting.canvas import label, new_figure
from approxmm.reporting.display import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from approxmm.reporting.figures import Drawing

__all__ = ["draw_depth_error", "draw_depth_layers"]

_PANELS = {"recall": "recall of the largest nodes", "cosine": "cosine of sampled and exact outputs"}
_TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100)


def draw_depth_error(drawing: Drawing) -> Figure:
    """Draw the share of wrong answers of every seed, one line a run: filled by sampled, open by exact products."""
    deepest = column(drawing.tables["accuracy"], "depth").max()
    every = [(s, s.records[column(s.records, "depth") == deepest]) for s in drawing.series("accuracy")]
    every = [(series, records) for series, records in every if len(records)]
    figure = new_figure(8.6, 1.1 + 0.32 * len(every))
    ax = figure.subplots()
    for place, (series, records) in enumerate(every):
        look: dict[str, Any] = {"color": series.style.colour, "marker": series.style.marker, "linestyle": "none"}
        for quantity, face in (("test_accuracy", "none"), ("test_accuracy_sampled", series.style.colour)):
            wrong = 100 * (1 - column(records, quantity))
            ax.plot(wrong, np.full(len(wrong), place), markersize=6, markerfacecolor=face, alpha=0.8, **look)
    ax.set_yticks(range(len(every)), [label(series.label) for series, _ in every])
    ax.set_ylim(len(every) - 0.5, -0.5)
    _error_axis(ax)
    ax.set_title(f"{number_text(deepest)} hidden layers", loc="left")
    return figure


def _error_axis(ax: Axes) -> None:
    from matplotlib.ticker import NullFormatter

    if not any((np.nan_to_num(line.get_xdata()) > 0).any() for line in ax.lines):  # no run has a result
        ax.set_xlim(_TICKS[0], _TICKS[-1])
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.set_xticks([tick for tick in _TICKS if low <= tick <= high])
    ax.xaxis.set_major_formatter(lambda value, _: number_text(value))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("test examples classified wrongly, per cent (log scale); open: exact products, filled: sampled path")


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
