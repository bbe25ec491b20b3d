"""Test accuracy by depth and method, tested with exact products and along the sampled path."""

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
    from approxmm.reporting.series import Series

__all__ = ["draw_accuracy"]

_PANELS = {
    "test_accuracy": "exact products at test time",
    "test_accuracy_sampled": "same sampled path at test time",
}
_SPREAD = 0.34  # the series of one depth stand side by side within this part of the distance between depths


def draw_accuracy(drawing: Drawing) -> Figure:
    """Draw the mean over seeds with its range; runs that diverged are crosses at the foot."""
    every = list(drawing.series("accuracy"))
    figure = new_figure(8.6, 4.1)
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    shifts = np.linspace(-_SPREAD / 2, _SPREAD / 2, len(every)) if len(every) > 1 else [0.0]
    diverged = False
    for ax, (quantity, heading) in zip(axes, _PANELS.items(), strict=True):
        for series, shift in zip(every, shifts, strict=True):
            diverged |= _draw_series(ax, series, quantity, float(shift))
        ax.set_title(heading, loc="left")
        _draw_chance(ax, drawing.chance)
        ax.set_ylim(-0.02, 1.02)
        integer_axis(ax, column(drawing.tables["accuracy"], "depth"), "depth (number of layers)")
    axes[0].set_ylabel("test accuracy (fraction correct)")
    legend_above(figure, _handles(every, diverged), columns=3)
    return figure


def _draw_series(ax: Axes, series: Series, quantity: str, shift: float) -> bool:
    """Draw one series, and return whether a run of it diverged."""
    records = series.records
    finished = (records["status"].astype(str) != "diverged").to_numpy()
    depth, values = column(records, "depth"), column(records, quantity)
    look: dict[str, Any] = {"color": series.style.colour, "marker": series.style.marker, "linestyle": series.line}
    levels = np.unique(depth[np.isfinite(depth)])
    middle, low, high = np.array([_spread(values[finished & (depth == d)]) for d in levels]).reshape(-1, 3).T
    ax.plot(levels + shift, middle, **look)
    ax.vlines(levels + shift, low, high, color=series.style.colour, linewidth=1.2, alpha=0.75)
    lost = np.unique(depth[~finished & np.isfinite(depth)])
    ax.plot(lost + shift, np.full(len(lost), 0.01), "x", color=series.style.colour, markersize=6, markeredgewidth=1.6)
    return len(lost) > 0


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    """Return mean, minimum and maximum over the seeds that have a value."""
    known = values[np.isfinite(values)]
    return (known.mean(), known.min(), known.max()) if known.size else (np.nan,) * 3


def _draw_chance(ax: Axes, chance: float | None) -> None:
    if chance is not None:
        ax.axhline(chance, color="#777777", linewidth=0.9, linestyle=(0, (1, 2)))
        text = f"chance {number_text(chance)}"
        ax.text(
            0.99, chance + 0.012, text, transform=ax.get_yaxis_transform(), ha="right", fontsize=7.5, color="#555555"
        )


def _handles(every: list[Series], diverged: bool) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=s.style.colour, marker=s.style.marker, linestyle=s.line, label=label(s.label))
        for s in every
    ]
    if diverged:
        note = "a run diverged (left out of the mean)"
        handles.append(Line2D([], [], color="#444444", marker="x", markeredgewidth=1.6, linestyle="none", label=note))
    return handles
