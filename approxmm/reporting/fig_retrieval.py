"""What hash tables find for what they retrieve: recall against the share of nodes, over K and L."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from approxmm.reporting.axes import Look, column, deepest, legend_beside
from approxmm.reporting.canvas import new_figure
from approxmm.reporting.display import number_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from approxmm.reporting.figures import Drawing

__all__ = ["draw_retrieval"]

_COLUMNS = ("active", "recall", "expected_active", "expected")


def draw_retrieval(drawing: Drawing) -> Figure:
    """Draw recall against the retrieved share, means over the layers of the deepest network, one panel a budget."""
    table = drawing.tables["recall"]
    table = deepest(table[table["method"] == "alsh_union"])
    budgets = np.unique(column(table, "budget"))
    figure = new_figure(3.4 * max(len(budgets), 1) + 2.0, 3.6)
    panels = figure.subplots(1, max(len(budgets), 1), sharey=True, squeeze=False)[0]
    handles: list[object] = []
    for ax, budget in zip(panels, budgets, strict=False):
        handles = _draw_panel(ax, table[column(table, "budget") == budget])
        text = f"top {budget:.0%} of the nodes" if np.isfinite(budget) else "no budget"
        ax.set_title(text, fontsize="medium", loc="left")
    panels[0].set_ylabel("recall of the true active nodes")
    legend_beside(figure, handles)
    return figure


def _draw_panel(ax: Axes, records: pd.DataFrame) -> list[object]:
    from matplotlib import colormaps

    handles: list[object] = []
    bits = np.unique(column(records, "bits"))
    for shade, K in zip(np.linspace(0.45, 0.95, max(len(bits), 1)), bits, strict=True):
        look: Look = {"color": colormaps["Purples"](shade)}
        means = _means(records[column(records, "bits") == K])
        handles += ax.plot(means[:, 1], means[:, 2], marker="s", label=f"K = {number_text(K)}", **look)
        ax.plot(means[:, 3], means[:, 4], linestyle=":", marker="x", markersize=4.0, **look)
        for L, x, y in means[:, :3]:
            if np.isfinite([x, y]).all():
                place: Look = {"xytext": (4, -9), "textcoords": "offset points", "fontsize": 7}
                ax.annotate(f"L = {number_text(L)}", (x, y), **place, **look)
    handles += ax.plot([], [], linestyle=":", marker="x", markersize=4.0, color="0.35", label="closed form")
    handles += ax.plot([0.0, 1.0], [0.0, 1.0], linestyle="--", linewidth=1.2, color="0.35", label="random set")
    ax.set_xlim(0.0, 1.02)
    ax.set_ylim(0.0, 1.02)
    ax.set_xlabel("share of the nodes retrieved")
    return handles


def _means(records: pd.DataFrame) -> np.ndarray:
    """Return rows (L, retrieved share, recall, and what the closed form expects of both), by rising L."""
    tables = column(records, "tables")
    values = np.array([column(records, name) for name in _COLUMNS])
    return np.array([[L, *values[:, tables == L].mean(axis=1)] for L in np.unique(tables)]).reshape(-1, 5)
