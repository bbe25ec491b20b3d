"""What the closure study found, in sentences whose numbers come from its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["closure_findings"]

_LARGE, _LIMIT = 0.2, 0.05
_NOTABLE = 1.25  # ratio from which differences are called larger or smaller


def closure_findings(table: pd.DataFrame) -> list[str]:
    """Return how near the closure comes, where it does not, and why."""
    found = []
    if table["full"].notna().any():
        large = table[table["budget"] >= _LARGE]
        if len(large):
            found += [_near(large), _far(large)]
        found.append(_why(table))
    return [*found, _diagonal(table)]


def _near(large: pd.DataFrame) -> str:
    off, beyond = large["full_off"].abs(), _beyond(large)
    return (
        f"With full covariances and budgets from {_LARGE:.0%} the closure is within {_LIMIT:.0%} of the simulated "
        f"error in {int((off < _LIMIT).sum())} of {len(large)} layers (median difference {off.median():.1%}, at a "
        f"median interval of the simulation of ± {large['interval'].median():.1%}); in {int(beyond.sum())} layers the "
        f"difference is beyond {_LIMIT:.0%} for every error in the interval."
    )


def _beyond(rows: pd.DataFrame) -> pd.Series:
    """Return where the whole interval of the difference lies beyond the limit."""
    low = (rows["full"] / rows["ci_high"] - 1).abs()
    high = (rows["full"] / rows["ci_low"] - 1).abs()
    same_side = (rows["full"] > rows["ci_high"]) | (rows["full"] < rows["ci_low"])
    return same_side & (np.minimum(low, high) > _LIMIT)


def _far(large: pd.DataFrame) -> str:
    worst = large.loc[large["full_off"].abs().idxmax()]
    beyond = large[_beyond(large)]
    if beyond.empty:
        return f"The largest difference is {worst['full_off']:+.1%} ({_place(worst)}), which the interval explains."
    methods = ", ".join(str(name) for name in beyond["method"].unique())
    return (
        f"Worse it is for {methods} in networks of {_range(beyond['depth'])} hidden layers: at worst "
        f"{worst['full_off']:+.1%} ({_place(worst)})."
    )


def _why(table: pd.DataFrame) -> str:
    """Compare layers where the sums are far from normal with the others."""
    known = table[(table["layer"] > 1) & (table["terms"] > 0) & (table["interval"] < _LIMIT)]
    if len(known) < 8:
        return "Too few layers were simulated precisely enough to say where the closure is worse."
    network = [table[key] for key in ("method", "options", "budget", "depth")]
    kept = (table["terms"].where(table["terms"] > 0) * table["budget"]).groupby(network).cummin()[known.index]
    return (
        "The closure takes pre-activations as normal, which sums of few terms, and sums whose terms follow few common "
        "directions, need not be. "
        f"{_split(known['full_off'], kept, 'terms with noise that the budget leaves (fewest so far in the network)')} "
        f"{_split(known['full_off'], known['directions'], 'directions of the noise, (tr V)²/tr V²')}"
    )


def _split(off: pd.Series, cause: pd.Series, what: str) -> str:
    """Say how differences in the quarter of the layers with the smallest `cause` compare with the others'."""
    edge = cause.quantile(0.25)
    few, rest = off[cause <= edge].abs(), off[cause > edge].abs()
    nearly_all = few.quantile(0.9), rest.quantile(0.9)
    verdict = "larger" if nearly_all[0] > _NOTABLE * nearly_all[1] else "not larger"
    if nearly_all[1] > _NOTABLE * nearly_all[0]:
        verdict = "smaller"
    return (
        f"Differences are {verdict} in the quarter of the layers with the fewest {what}, up to {edge:.1f}: nine in ten "
        f"are below {nearly_all[0]:.1%} there (median {few.median():.1%}) and below {nearly_all[1]:.1%} elsewhere "
        f"(median {rest.median():.1%})."
    )


def _diagonal(table: pd.DataFrame) -> str:
    off, worst = table["diagonal_off"].abs(), table.loc[table["diagonal_off"].abs().idxmax()]
    hidden = table["layer"] <= table["depth"]
    return (
        f"Without covariances (diagonal) the median difference is {off[hidden].median():.1%} in hidden layers and "
        f"{off[~hidden].median():.1%} at the output, whose few nodes add up what correlates; at worst "
        f"{worst['diagonal_off']:+.1%} ({_place(worst)})."
    )


def _place(row: pd.Series) -> str:
    return f"{row['method']} at {row['budget']:.0%}, layer {row['layer']} of {row['depth'] + 1}"


def _range(depths: pd.Series) -> str:
    low, high = int(depths.min()), int(depths.max())
    return str(low) if low == high else f"{low} to {high}"
