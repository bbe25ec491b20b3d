"""Recall of the true active set by layer, one line a setting of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from approxmm.reporting.axes import Look, column, deepest, integer_axis, legend_beside
from approxmm.reporting.canvas import new_figure
from approxmm.reporting.display import number_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from approxmm.reporting.figures import Drawing

__all__ = ["draw_recall"]

# The union of all buckets has no size of its own choosing, so it is no rival at a given budget: it stays in the table.
_FAMILIES = {"alsh": ("Purples", "s", "hash tables"), "subspace_screen": ("Greens", "o", "subspace")}


def draw_recall(drawing: Drawing) -> Figure:
    """Draw recall by layer for the deepest network, one panel a budget."""
    table = drawing.tables["recall"]
    table = deepest(table[table["method"].isin(_FAMILIES)])
    budgets = np.unique(column(table, "budget"))  # NaN, where there are no numbers, is one panel without lines
    figure = new_figure(3.4 * len(budgets) + 2.0, 3.6)
    panels = figure.subplots(1, len(budgets), sharey=True, squeeze=False)[0]
    handles: list[object] = []
    for ax, budget in zip(panels, budgets, strict=True):
        handles = _draw_panel(ax, table[column(table, "budget") == budget], float(budget))
    panels[0].set_ylabel("recall of the true active nodes")
    legend_beside(figure, handles)
    return figure


def _draw_panel(ax: Axes, records: pd.DataFrame, budget: float) -> list[object]:
    handles: list[object] = []
    for method, (palette, marker, label) in _FAMILIES.items():
        rows = records[records["method"] == method]
        settings = rows[["bits", "tables", "rank"]].drop_duplicates()
        for shade, (_, setting) in zip(
            np.linspace(0.45, 0.95, max(len(settings), 1)), settings.iterrows(), strict=False
        ):
            same = (rows[["bits", "tables", "rank"]].fillna(-1) == setting.fillna(-1)).all(axis=1)
            chosen = rows[same].sort_values("layer")
            handles += _line(ax, chosen, f"{label} {_setting_text(setting)}", palette, shade, marker)
    handles.append(ax.axhline(budget, color="0.35", linestyle="--", linewidth=1.2, label="random set"))
    ax.set_title(
        f"top {budget:.0%} of the nodes" if np.isfinite(budget) else "no budget", fontsize="medium", loc="left"
    )
    ax.set_ylim(0.0, 1.02)
    integer_axis(ax, column(records, "layer"), "layer")
    return handles


def _line(ax: Axes, rows: pd.DataFrame, label: str, palette: str, shade: float, marker: str) -> list[object]:
    from matplotlib import colormaps

    look: Look = {"color": colormaps[palette](shade), "marker": marker, "label": label}
    return list(ax.plot(column(rows, "layer"), column(rows, "recall"), **look))


def _setting_text(setting: pd.Series) -> str:
    if np.isfinite(float(setting["rank"] if setting["rank"] is not None else np.nan)):
        return f"r = {number_text(setting['rank'])}"
    return f"K = {number_text(setting['bits'])}, L = {number_text(setting['tables'])}"
