"""How the nodes' active shares spread, and what the theorem leaves out of the error because of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.reporting.axes import column, deepest, integer_axis, legend_above
from approxmm.reporting.display import number_text
from approxmm.reporting.fig_field import budget_colours, budget_handles, by_activation, grid, selections

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from approxmm.reporting.figures import Drawing

__all__ = ["draw_field_parts", "draw_field_shares"]

_MEAN, _DISPERSION = "#0072B2", "#E69F00"


def draw_field_shares(drawing: Drawing) -> Figure:
    """Draw quantiles of the nodes' active shares by layer of the deepest network, a row an active fraction."""
    table = _first_activation(drawing.tables["shares"])
    figure, axes = _budget_rows(table, "active share  s = c / (c + 1)", _draw_shares)
    handles = [*_quantile_handles(), *budget_handles(budget_colours(table))]
    legend_above(figure, handles, columns=5 if axes.shape[1] > 4 else 2)
    return figure


def draw_field_parts(drawing: Drawing) -> Figure:
    """Draw the exact parts of the squared error by layer of the deepest network, a row an active fraction."""
    table = _first_activation(drawing.tables["field"])
    figure, axes = _budget_rows(table, "relative error  ‖ŷ − y‖² / ‖y‖²", _draw_parts)
    axes[0][0].set_ylim(0.0, 1.05 * max(_finite(column(table, "measured") ** 2).max(initial=0.0), 1.0))
    legend_above(figure, _part_handles(), columns=3 if axes.shape[1] > 4 else 2)
    return figure


def _first_activation(table: pd.DataFrame) -> pd.DataFrame:
    return table.loc[next(iter(by_activation(table).values()))]


def _budget_rows(table: pd.DataFrame, y_name: str, draw: Any) -> tuple[Figure, np.ndarray]:
    """Draw a panel for each selection (across, in the table's order) and active fraction (down)."""
    every, colours = selections(table), budget_colours(table)
    figure, axes = grid(len(colours), len(every), y_name)
    for row, (budget, colour) in enumerate(colours.items()):
        for ax, (heading, records) in zip(axes[row], every, strict=True):
            draw(ax, deepest(records[column(records, "budget") == budget]), colour)
            integer_axis(ax, column(table, "layer"), "layer" if row == len(colours) - 1 else "")
            if row == 0:
                ax.set_title(heading, loc="left", fontsize="small")
        axes[row][0].set_ylabel(f"active: {number_text(budget)}")
    return figure, axes


def _draw_shares(ax: Axes, records: pd.DataFrame, colour: Any) -> None:
    x = column(records, "layer")
    low, left, middle, right, high = (column(records, q) for q in ("q05", "q25", "q50", "q75", "q95"))
    for level in (0.0, 1.0):
        ax.axhline(level, color="#777777", linewidth=0.8, linestyle=(0, (1, 2)))
    ax.vlines(x, low, high, color=colour, linewidth=1.0)
    ax.vlines(x, left, right, color=colour, linewidth=4.5)
    ax.plot(x, middle, "_", color="white", markersize=5.0, markeredgewidth=1.2)
    ax.plot(x, column(records, "share"), "o", color="#D55E00", markersize=3.2)
    ax.set_ylim(-1.6, 2.6)


def _draw_parts(ax: Axes, records: pd.DataFrame, colour: Any) -> None:
    x, mean_part, rest = (column(records, name) for name in ("layer", "mean_part", "dispersion"))
    ax.bar(x, mean_part, width=0.75, color=_MEAN)
    ax.bar(x, rest, width=0.75, bottom=mean_part, color=_DISPERSION)
    ax.plot(x, column(records, "law") ** 2, "_", color="black", markersize=8.0, markeredgewidth=1.6)


def _finite(values: np.ndarray) -> np.ndarray:
    finite: np.ndarray = values[np.isfinite(values)]
    return finite


def _quantile_handles() -> list[Any]:
    from matplotlib.lines import Line2D

    look: dict[str, Any] = {"color": "#444444", "linestyle": "-"}
    return [
        Line2D([], [], linewidth=1.0, label="5 % to 95 % of the nodes", **look),
        Line2D([], [], linewidth=4.5, label="25 % to 75 %, median in white", **look),
        Line2D([], [], color="#D55E00", marker="o", markersize=3.2, linestyle="none", label="least squares"),
    ]


def _part_handles() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    law: dict[str, Any] = {
        "color": "black",
        "marker": "_",
        "markersize": 8.0,
        "markeredgewidth": 1.6,
        "linestyle": "none",
    }
    return [
        Patch(color=_MEAN, label="(1 − kept)²: one share for all nodes"),
        Patch(color=_DISPERSION, label="dispersion of the shares"),
        Line2D([], [], label="the theorem, measured ratios", **law),
    ]
