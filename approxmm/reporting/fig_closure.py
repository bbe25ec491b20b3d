"""How far moment closure is from simulation, by layer of the deepest network: one panel a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.reporting.axes import Look, column, deepest, legend_above, panels, title
from approxmm.reporting.display import cell_text, number_text
from approxmm.reporting.series import KEYS, Series
from approxmm.reporting.tables import TableView

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from approxmm.reporting.figures import Drawing

__all__ = ["closure_summary", "draw_closure"]

_LIMIT = 5.0  # per cent
_KINDS = {"full": ("-", "o", "full covariance"), "diagonal": ("--", "s", "diagonal")}
_SHOWN = 25.0  # per cent, beyond which marks stand at the edge


def draw_closure(drawing: Drawing) -> Figure:
    """Draw the relative difference by layer, a shade for each budget; the grey band is ± 5 %."""
    table = deepest(drawing.tables["closure"])
    methods = list(table.groupby([key for key in KEYS[:2] if key in table.columns], sort=False, dropna=False))
    budgets = np.unique(column(table, "budget"))
    figure, grid = panels(len(methods), column(table, "layer"), "layer")
    looks = {float(b): float(s) for b, s in zip(budgets, np.linspace(0.35, 0.95, len(budgets)), strict=True)}
    for axes, (key, records) in zip(grid, methods, strict=True):
        _draw_panel(axes, records, looks)
        style = drawing.styles[str(key[0])]
        options = str(key[1]) if len(key) > 1 else ""
        title(axes, Series(str(key[0]).replace("_", " "), options, style, "-", records))
    grid[0].set_ylim(-_SHOWN - 2.0, _SHOWN + 2.0)
    figure.supylabel("closure ÷ simulation − 1, per cent", fontsize="medium")
    legend_above(figure, _handles(looks), 4)
    return figure


def _draw_panel(axes: Axes, records: pd.DataFrame, looks: dict[float, float]) -> None:
    from matplotlib import colormaps

    axes.axhspan(-_LIMIT, _LIMIT, color="0.9", zorder=0)
    axes.axhline(0.0, color="0.6", linewidth=0.8)
    for place, (budget, shade) in enumerate(looks.items()):
        rows = records[column(records, "budget") == budget].sort_values("layer")
        shift = 0.12 * (place - 0.5 * (len(looks) - 1))
        x, colour = column(rows, "layer") + shift, colormaps["viridis_r"](shade)
        for kind, (line, marker, _) in _KINDS.items():
            off = 100.0 * column(rows, f"{kind}_off")
            look: Look = {"color": colour, "linestyle": line, "marker": marker, "markersize": 3.5, "linewidth": 1.0}
            look["markerfacecolor"] = colour if kind == "full" else "white"
            axes.plot(x, np.clip(off, -_SHOWN, _SHOWN), **look)
            if kind == "full":
                width = 100.0 * column(rows, "interval") * (1.0 + column(rows, "full_off"))
                axes.vlines(x, off - width, off + width, color=colour, linewidth=0.8)


def _handles(looks: dict[float, float]) -> list[Any]:
    from matplotlib import colormaps
    from matplotlib.lines import Line2D

    kinds = []
    for line, marker, text in _KINDS.values():
        look: Look = {"linestyle": line, "marker": marker, "markersize": 4, "label": text}
        kinds.append(Line2D([], [], color="0.3", **look))
    budgets = [
        Line2D([], [], color=colormaps["viridis_r"](shade), linewidth=3, label=f"budget {number_text(budget)}")
        for budget, shade in looks.items()
    ]
    return [*kinds, *budgets]


def closure_summary(table: pd.DataFrame) -> TableView:
    """Return the difference at the output in per cent, full / diagonal, by method, budget and depth."""
    depth = column(table, "depth")
    depths = np.unique(depth[np.isfinite(depth)])
    output = table[column(table, "layer") == depth + 1]
    keys = [key for key in KEYS if key in table.columns]
    rows = []
    for values, records in output.groupby(keys, sort=False, dropna=False):
        cells = [_cell(records[column(records, "depth") == d]) for d in depths]
        rows.append([*(cell_text(value) for value in values), *cells])
    numeric = [key == "budget" for key in keys] + [True] * len(depths)
    return TableView([*keys, *(f"depth {number_text(d)}" for d in depths)], numeric, rows, len(rows))


def _cell(records: pd.DataFrame) -> str:
    """Return "full / diagonal (± half an interval)" in per cent."""
    parts = []
    for name in ("full_off", "diagonal_off"):
        values = column(records, name)
        parts.append(f"{100 * values[0]:+.1f}" if values.size and np.isfinite(values[0]) else "–")
    width = column(records, "interval")
    around = f" (± {100 * width[0]:.1f})" if width.size and np.isfinite(width[0]) else ""
    return " / ".join(parts) + around
