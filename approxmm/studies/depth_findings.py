"""What the depth study found, in sentences whose numbers come from its tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["depth_findings"]

_RUN = ["method", "options", "budget"]


def depth_findings(accuracy: pd.DataFrame, layers: pd.DataFrame) -> list[str]:
    """Return what is left at the largest depth, what falls on the way there, what it costs, and what it finds."""
    found = [_at_the_end(accuracy)]
    deepest = set(accuracy.loc[accuracy["depth"] == accuracy["depth"].max(), "method"])
    if "exact" in deepest and len(deepest) > 1:
        found.append(_lost(accuracy))
    found += [_on_the_way(accuracy), _cost(accuracy)]
    if len(layers) and layers["recall"].notna().any():
        found.append(_recall(layers))
    return found


def _runs(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for (method, options, budget), rows in table.groupby(_RUN, sort=False):
        details = [] if method == "exact" else [f"{budget:.0%}"]
        details += [str(options)] if options else []
        yield f"{method} ({', '.join(details)})" if details else str(method), rows


def _best(rows: pd.DataFrame) -> pd.Series[float]:
    """Return each run's accuracy at test time: the better of the two ways of testing, in the mean over seeds."""
    both = rows[["test_accuracy", "test_accuracy_sampled"]]
    return both[both.mean().idxmax()]


def _at_the_end(accuracy: pd.DataFrame) -> str:
    depth = accuracy["depth"].max()
    parts = []
    for name, rows in _runs(accuracy[accuracy["depth"] == depth]):
        best = _best(rows)
        parts.append(f"{name} {best.mean():.2%} (± {_spread(best):.2%})")
    seeds = accuracy["seed"].nunique()
    return (
        f"Test accuracy at {depth} hidden layers, the better of exact and sampled products at test time, mean and "
        f"standard deviation over {seeds} seeds: {', '.join(parts)}."
    )


def _spread(values: pd.Series[float]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _on_the_way(accuracy: pd.DataFrame) -> str:
    parts = []
    for name, rows in _runs(accuracy):
        by_depth = [f"{_best(group).mean():.1%} ({depth})" for depth, group in rows.groupby("depth")]
        parts.append(f"{name} {', '.join(by_depth)}")
    return f"By number of hidden layers (in brackets): {'; '.join(parts)}."


def _lost(accuracy: pd.DataFrame) -> str:
    """Return what each run lacks against exact training: the better of its ways, in the mean over seeds."""
    deepest = accuracy[accuracy["depth"] == accuracy["depth"].max()]
    exact = [(name, _best(rows)) for name, rows in _runs(deepest) if rows["method"].iloc[0] == "exact"]
    reference, best = max(exact, key=lambda pair: float(pair[1].mean()))
    parts = [
        f"{name} {100 * (best.mean() - _best(rows).mean()):.2f}"
        for name, rows in _runs(deepest)
        if rows["method"].iloc[0] != "exact"
    ]
    return f"Points of test accuracy below {reference}, {best.mean():.2%}: {', '.join(parts)}."


def _cost(accuracy: pd.DataFrame) -> str:
    deepest = accuracy[accuracy["depth"] == accuracy["depth"].max()]
    parts = [f"{name} {rows['multiplications'].mean():.1%}" for name, rows in _runs(deepest)]
    return (
        f"Multiplications done, of those of exact training, at {deepest['depth'].iloc[0]} hidden layers: "
        f"{', '.join(parts)}."
    )


def _recall(layers: pd.DataFrame) -> str:
    deepest = layers[layers["depth"] == layers["depth"].max()]
    parts = []
    for name, rows in _runs(deepest[deepest["recall"].notna()]):
        first, rest = rows["recall"].iloc[0], rows["recall"].iloc[1:]
        parts.append(f"{name} {first:.0%} and {rest.mean() if len(rest) else np.nan:.0%}")
    return f"Recall of the truly largest nodes, first layer and mean of the deeper ones: {', '.join(parts)}."
