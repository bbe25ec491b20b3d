"""The theorem with measured ratios beside the measured error, by layer and against depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.reporting.axes import column, deepest, drawable, finish_log_axis, integer_axis, legend_above
from approxmm.reporting.canvas import label, new_figure
from approxmm.reporting.display import number_text, plain_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from approxmm.reporting.figures import Drawing

__all__ = [
    "budget_colours",
    "budget_handles",
    "by_activation",
    "draw_field_depth",
    "draw_field_law",
    "grid",
    "selections",
]

_LINES = {
    "law_to_estimate": ("-", "the theorem with the measured ratios"),
    "dispersed_law_to_estimate": ((0, (4, 2)), "the law with dispersion"),
}
_POINTS = "measured_to_estimate"


def draw_field_law(drawing: Drawing) -> Figure:
    """Draw the error relative to the estimate by layer of the deepest networks, a row an activation."""
    return _draw(drawing.tables["field"], "layer", "layer")


def draw_field_depth(drawing: Drawing) -> Figure:
    """Draw the last layer's error relative to the estimate against the number of hidden layers."""
    return _draw(drawing.tables["field"], "depth", "hidden layers")


def _draw(table: pd.DataFrame, against: str, name: str) -> Figure:
    levels, every = by_activation(table), selections(table)
    figure, axes = grid(len(levels), len(every), "error relative to the estimate  ‖ŷ − y‖ / ‖ŷ‖")
    colours = budget_colours(table)
    for row, activation in enumerate(levels):
        for ax, (heading, records) in zip(axes[row], every, strict=True):
            chosen = records[records.index.isin(levels[activation])]
            _draw_panel(ax, _chosen(chosen, against), against, colours)
            integer_axis(ax, column(table, against), name if row == len(levels) - 1 else "")
            if row == 0:
                ax.set_title(heading, loc="left", fontsize="small")
        axes[row][0].set_ylabel(label(plain_text(activation)))
    legend_above(figure, [*_line_handles(), *budget_handles(colours)], columns=5 if len(every) > 4 else 2)
    return figure


def _chosen(records: pd.DataFrame, against: str) -> pd.DataFrame:
    """Return the deepest network's records, or every network's last ones."""
    if against == "layer":
        return deepest(records)
    ordered = records.iloc[np.lexsort((column(records, "layer"), column(records, "depth")))]
    return ordered.drop_duplicates(["depth", "budget"], keep="last")


def _draw_panel(ax: Axes, records: pd.DataFrame, against: str, colours: dict[float, Any]) -> None:
    drawn = []
    for budget, colour in colours.items():
        chosen = records[column(records, "budget") == budget]
        x = column(chosen, against)
        for name, (line, _) in _LINES.items():
            ax.plot(x, drawable(column(chosen, name)), color=colour, linestyle=line, linewidth=1.2)
            drawn.append(column(chosen, name))
        ax.plot(x, drawable(column(chosen, _POINTS)), "o", color=colour, markersize=3.6)
        drawn.append(column(chosen, _POINTS))
    values = np.concatenate([np.empty(0), *drawn])
    finish_log_axis(ax, [values[~np.isnan(values) & (values != 0.0)]])
    if (values == 0.0).any():  # said inside the panel: the heading takes the place above it
        ax.text(0.04, 0.03, "exact zeros: not drawn", transform=ax.transAxes, fontsize=7, color="#555555")


def _line_handles() -> list[Any]:
    from matplotlib.lines import Line2D

    looks: list[dict[str, Any]] = [{"linestyle": line, "label": text} for line, text in _LINES.values()]
    lines = [Line2D([], [], color="#444444", **look) for look in looks]
    points: dict[str, Any] = {"marker": "o", "markersize": 3.6, "linestyle": "none"}
    return [*lines, Line2D([], [], color="#444444", label="measured", **points)]


def grid(rows: int, columns: int, y_name: str) -> tuple[Figure, np.ndarray]:
    """Return a figure and its panels (rows, columns) that share both axes."""
    figure = new_figure(max(1.55 * columns + 0.9, 5.6), max(1.65 * rows + 1.1, 3.4))
    axes: np.ndarray = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    figure.supylabel(y_name, fontsize=9)
    return figure, axes


def by_activation(table: pd.DataFrame) -> dict[str, pd.Index[Any]]:
    """Return the rows of each activation, in the order of the table."""
    names = [str(name) for name in table["activation"]]
    return {name: table.index[[other == name for other in names]] for name in dict.fromkeys(names)}


def selections(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return a heading of two lines and the records for every method with its options, in the order of the table."""
    groups = table.groupby(["method", "options"], sort=False, dropna=False)
    return [(_heading(str(method), options), records) for (method, options), records in groups]


def _heading(method: str, options: Any) -> str:
    detail = str(options) if isinstance(options, str) else ""
    return label(plain_text(method.replace("_", " "), limit=24) + "\n" + plain_text(detail, limit=24))


def budget_colours(table: pd.DataFrame) -> dict[float, Any]:
    """Return a colour for each active fraction, darker for larger ones."""
    from matplotlib import colormaps

    budgets = np.unique(column(table, "budget"))
    return dict(zip(budgets.tolist(), colormaps["viridis"](np.linspace(0.65, 0.1, len(budgets))), strict=True))


def budget_handles(colours: dict[float, Any]) -> list[Any]:
    """Return legend entries for the active fractions."""
    from matplotlib.patches import Patch

    return [Patch(color=colour, label=f"active: {number_text(budget)}") for budget, colour in colours.items()]
