"""Advice as a figure: cost against error, and the budget that each depth needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from approxmm.atomic import atomic_path
from approxmm.profile_plot import check_format

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from approxmm.propagation.advice import Advice

__all__ = ["draw_advice", "save_advice"]

_REACH = 1e3  # of the errors drawn, above the one asked for


def draw_advice(advice: Advice) -> Figure:
    """Return a figure: cost against output error and, for a target, the equal budget needed against depth."""
    panels = 1 if advice.target is None else 2
    figure = Figure(figsize=(5.0 * panels, 3.6), layout="constrained")
    axes: Any = figure.subplots(1, panels, squeeze=False)[0]
    _draw_costs(axes[0], advice)
    if advice.target is not None:
        _draw_depths(axes[1], advice, advice.target)
    return figure


def save_advice(advice: Advice, path: str | Path) -> None:
    """Draw `advice` into a file whose suffix names the format (.svg, .png, .pdf), whole or not at all."""
    check_format(path)
    figure = draw_advice(advice)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _draw_costs(ax: Axes, advice: Advice) -> None:
    errors = advice.depths.errors[:, -1]
    best = advice.best or advice.depths.largest
    centre = advice.target or (best.error if best is not None and best.error > 0 else 1.0)
    shown = np.isfinite(errors) & (errors > 0.0)
    ax.plot(errors[shown], advice.depths.costs[shown], color="C0", label="equal budgets, predicted")
    if len(advice.trade):
        ax.plot(*advice.trade.T, color="C1", label="unequal budgets, by the model")
    for name, plan, colour in (("equal", advice.equal, "C0"), ("unequal", advice.unequal, "C1")):
        if plan is not None and plan.error > 0:
            low, high = plan.interval
            ax.hlines(plan.counted, max(low, plan.error / 1e3), high, color=colour)
            ax.plot(plan.error, plan.counted, "o", color=colour, label=f"{name}, simulated")
    ax.axhline(1.0, color="0.4", linestyle="--", linewidth=1.0, label="exact products")
    if advice.target is not None:
        ax.axvline(advice.target, color="0.7", linewidth=1.0)
    ax.set_xlim(centre / _REACH**0.5, centre * _REACH)
    ax.set_xscale("log")
    ax.set_ylim(bottom=0.0)
    _finish(ax, "relative error at the output", "cost / exact products")


def _draw_depths(ax: Axes, advice: Advice, target: float) -> None:
    needed = advice.depths.share_needed(target)
    depth = np.arange(1, len(needed) + 1)
    ax.plot(depth, needed, "o-", color="C0", markersize=4.0, label="equal budget needed, predicted")
    largest = advice.depths.largest
    if largest is not None:
        pairs = [(count, size) for count, size in zip(largest.counts, advice.sizes, strict=True) if count and size]
        share = sum(count for count, _ in pairs) / sum(size for _, size in pairs)
        ax.axhline(share, color="0.4", linestyle="--", linewidth=1.0, label="costs as much as the exact products")
        paying = advice.depths.paying_depth(target)
        if 0 < paying < len(needed):
            ax.axvline(paying + 0.5, color="C3", linewidth=1.2, label=f"pays up to depth {paying} (simulated)")
    ax.set_ylim(bottom=0.0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _finish(ax, f"depth (error after this layer at most {target:g})", "items / size of the sampled side")


def _finish(ax: Axes, x: str, y: str) -> None:
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.grid(True, which="major", alpha=0.3)
    ax.legend(frameon=False, fontsize="small")
