"""What the quick study found, in sentences whose numbers come from its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["quick_findings"]


def quick_findings(tables: dict[str, pd.DataFrame], budget: float) -> list[str]:
    """Return the three findings: does theory hold, how does error compound, what does training make of it."""
    return [
        _theory_holds(tables["moments"]),
        _error_compounds(tables["compounding"], budget),
        _training_suffers(tables["accuracy"], budget),
    ]


def _theory_holds(moments: pd.DataFrame) -> str:
    inside = (moments["exact"] >= moments["ci_low"]) & (moments["exact"] <= moments["ci_high"])
    gap = (moments["simulated"] / moments["exact"] - 1).abs().max()
    return (
        f"Theory holds where it is exact: in linear stacks {int(inside.sum())} of {len(moments)} exact errors lie "
        f"inside the simulation's 95 % interval (95 in 100 are expected), and the largest deviation is {gap:.1%}."
    )


def _error_compounds(compounding: pd.DataFrame, budget: float) -> str:
    deepest = compounding[compounding["depth"] == compounding["depth"].max()]
    unbiased = deepest[deepest["prediction"].notna()]
    if unbiased.empty:
        return "No unbiased method finished training at the largest depth, so no compounding could be measured there."
    parts = []
    for name, rows in unbiased.groupby("method", sort=False):
        first, last = rows.iloc[0]["simulated"], rows.iloc[-1]["simulated"]
        parts.append(f"{name} {_number(first)} → {_number(last)}")
    ratio = unbiased["prediction"] / unbiased["simulated"]
    off = np.exp(np.median(np.abs(np.log(ratio[np.isfinite(ratio) & (ratio > 0)]))))
    return (
        f"Error compounds with depth: at a budget of {budget:.0%} the relative squared error of the sampled forward "
        f"pass grows from the first layer to the output of the deepest networks as {', '.join(parts)}; the compounding "
        f"of the exact one-step errors predicts it within a factor of {off:.2g} (median over layers)."
    )


def _training_suffers(accuracy: pd.DataFrame, budget: float) -> str:
    mean = accuracy.groupby(["method", "depth"], sort=False)[["test_accuracy", "test_accuracy_sampled"]].mean()
    shallow, deep = accuracy["depth"].min(), accuracy["depth"].max()
    parts = []
    for name in accuracy["method"].unique():
        if name != "exact":
            best = mean.loc[name].max(axis=1)
            parts.append(f"{name} {best[shallow]:.1%} → {best[deep]:.1%}")
    return (
        f"Training feels it: from {shallow} to {deep} hidden layers at a budget of {budget:.0%}, the better of exact "
        f"and sampled test accuracy goes {', '.join(parts)}{_exact_at(mean, deep)}."
    )


def _exact_at(mean: pd.DataFrame, depth: int) -> str:
    if ("exact", depth) not in mean.index:
        return ""
    return f", while exact training reaches {mean.loc[('exact', depth), 'test_accuracy']:.1%} at {depth} layers"


def _number(value: float) -> str:
    return f"{value:.2g}" if 0.01 <= abs(value) < 1000 else f"{value:.1e}"
