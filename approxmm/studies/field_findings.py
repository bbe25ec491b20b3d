"""What the field study found, in sentences whose numbers come from its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["field_findings"]

_SELECTION = ["method", "options", "budget"]


def field_findings(tables: dict[str, pd.DataFrame]) -> list[str]:
    """Return five findings: the ratio, the assumption, its cost, the exact division of the error, the second number."""
    return [
        _ratios(tables["shares"]),
        _assumption(tables["shares"]),
        _predictions(tables["field"]),
        _division(tables["field"]),
        _second_number(tables["field"]),
    ]


def _deepest(table: pd.DataFrame) -> pd.DataFrame:
    """Return the records of the first activation listed, of its deepest network, at the smallest active fraction."""
    chosen = table[table["activation"] == table["activation"].iloc[0]]
    return chosen[(chosen["depth"] == chosen["depth"].max()) & (chosen["budget"] == chosen["budget"].min())]


def _compounded(field: pd.DataFrame) -> pd.DataFrame:
    """Return the records after the second and later selections: after the first nothing has compounded."""
    first = field.groupby(["activation", "depth", *_SELECTION], dropna=False)["layer"].transform("min")
    return field[field["layer"] > first]


def _by_selection(records: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for (method, options), rows in records.groupby(["method", "options"], sort=False, dropna=False):
        yield f"{method} ({options})" if options else str(method), rows


def _said_of_each(records: pd.DataFrame, words: Callable[[pd.DataFrame], str]) -> str:
    """Return what `words` says of each selection's records, and of which network they are."""
    parts = ", ".join(f"{name} {words(rows)}" for name, rows in _by_selection(records))
    row = records.iloc[0]
    network = f"{row['activation']} network of depth {row['depth']}"
    return f"{parts} ({row['budget']:.0%} active, medians over the layers of the {network})"


def _ratios(shares: pd.DataFrame) -> str:
    deep = _deepest(shares)
    p = float(deep["budget"].iloc[0])
    ratios = _said_of_each(deep, lambda rows: f"{rows['ratio'].median():.2g}")
    return (
        f"The theorem's ratio c of active to inactive sums is {ratios}; a random set has "
        f"p/(1 − p) = {p / (1 - p) if p < 1 else np.inf:.2g}."
    )


def _assumption(shares: pd.DataFrame) -> str:
    spread = _said_of_each(
        _deepest(shares), lambda rows: f"{rows['dispersion'].median():.0%} and {rows['negative'].median():.0%}"
    )
    return (
        "How far from one ratio for all nodes: the relative standard deviation of their active shares (weighted by "
        f"energy), and the fraction of nodes whose active sum opposes the whole, are {spread}."
    )


def _predictions(field: pd.DataFrame) -> str:
    later = _compounded(field)
    exact, estimate = later["law_over_measured"], later["law_over_measured_to_estimate"]
    return (
        "What that does to the theorem, given the measured ratios: its error over the measured one is "
        f"{_range(exact)} relative to the exact value and {_range(estimate)} relative to the estimate (5 % quantile, "
        "median, 95 % quantile over all networks, selections and layers after the first selection)."
    )


def _division(field: pd.DataFrame) -> str:
    later = _compounded(field)
    part = 100 * later["dispersion"] / later["measured"] ** 2
    large = later[later["law_kept"] > 1e-2]
    return (
        "The multiple of the exact value that is left, Π c/(c + 1), is what the theorem can predict: where it is above "
        f"1 %, predicted over measured is {_range(large['law_kept'] / large['kept'])}. The dispersion that the theorem "
        f"leaves out is {_range(part)} per cent of the squared error (quantiles as before)."
    )


def _second_number(field: pd.DataFrame) -> str:
    later = _compounded(field)
    law, dispersed = later["law_over_measured_to_estimate"], later["dispersed_over_measured_to_estimate"]
    return (
        "With a second number a layer, the norm that the active sums keep, the law's error over the measured one is "
        f"{_range(dispersed)} relative to the estimate, where the theorem's is {_range(law)}."
    )


def _range(values: pd.Series[float]) -> str:
    finite = values[np.isfinite(values)]
    return ", ".join(_number(float(finite.quantile(q))) for q in (0.05, 0.5, 0.95)) if len(finite) else "unknown"


def _number(value: float) -> str:
    if value == 0.0 or 0.01 <= abs(value) < 100:
        return f"{value:.2g}"
    return f"{value:.0f}" if 100 <= abs(value) < 1e4 else f"{value:.1e}"
