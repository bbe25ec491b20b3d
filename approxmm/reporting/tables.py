"""Tables as the page shows them: rounded, with the numbers to the right."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.reporting.axes import column
from approxmm.reporting.display import cell_text, is_number, number_text, plain_text
from approxmm.reporting.records import with_index
from approxmm.reporting.series import KEYS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TableView", "accuracy_summary", "output_summary", "settings_view", "view"]

_SHOWN = 50
_HEADINGS = {
    "ci_low": "95 % from",
    "ci_high": "to",
    "cost_fraction": "cost ÷ exact",
    "multiplications_fraction": "cost ÷ exact",
    "title": "what it is",
    "citation": "source",
}


@dataclass(frozen=True)
class TableView:
    """A table of texts.

    Attributes
    ----------
    headings : list of str
    numeric : list of bool
        Which columns stand to the right.
    rows : list of list of str
    total : int
        Rows of the whole table, of which `rows` may be the first part.
    """

    headings: list[str]
    numeric: list[bool]
    rows: list[list[str]]
    total: int


def view(table: pd.DataFrame, limit: int = _SHOWN) -> TableView:
    """Return the first `limit` rows for display."""
    flat = with_index(table)
    columns = [flat.iloc[:limit, i].tolist() for i in range(flat.shape[1])]
    return TableView(
        headings=[_heading(str(name)) for name in flat.columns],
        numeric=[
            any(is_number(v) for v in values) and not any(isinstance(v, str) for v in values) for values in columns
        ],
        rows=[[cell_text(value) for value in row] for row in zip(*columns, strict=True)],
        total=len(flat),
    )


def settings_view(settings: Mapping[str, Any]) -> TableView:
    """Return names and values; numbers are shown in full."""
    rows = [[plain_text(str(name)), _setting_text(value)] for name, value in settings.items()]
    return TableView(["name", "value"], [False, False], rows, len(rows))


def accuracy_summary(table: pd.DataFrame) -> TableView:
    """Return mean test accuracy over finished seeds in per cent, exact products / sampled path, by series and depth."""
    depth = column(table, "depth")
    depths = np.unique(depth[np.isfinite(depth)])
    keys = [key for key in KEYS if key in table.columns]
    rows = []
    for values, records in table.groupby(keys, sort=False, dropna=False):
        cells = [_accuracy_cell(records[column(records, "depth") == d]) for d in depths]
        rows.append([*(cell_text(v) for v in values), *cells])
    numeric = [key == "budget" for key in keys] + [True] * len(depths)
    headings = [*(_heading(key) for key in keys), *(f"depth {number_text(d)}" for d in depths)]
    return TableView(headings, numeric, rows, len(rows))


def output_summary(table: pd.DataFrame) -> TableView:
    """Return the last layer's record of every method and depth."""
    keys = [key for key in (*KEYS, "depth") if key in table.columns]
    series = table.groupby(keys[:-1], sort=False, dropna=False).ngroup().to_numpy()
    ordered = table.iloc[np.lexsort((column(table, "layer"), column(table, "depth"), series))]
    last = ordered.drop_duplicates(keys, keep="last")
    return view(last.reset_index(drop=True).drop(columns=["layer"]), limit=200)


def _column_texts(values: list[Any]) -> list[str]:
    """Round a column; where one of its numbers needs all digits, the others keep their zeros."""
    short = [cell_text(value) for value in values]
    floats = [isinstance(value, float) and not value.is_integer() for value in values]
    full = any(f and sum(c.isdigit() for c in text.lstrip("0.")) >= 4 for f, text in zip(floats, short, strict=True))
    return [
        number_text(value, zeros=True) if full and f and math.isfinite(value) else text
        for value, f, text in zip(values, floats, short, strict=True)
    ]


def _accuracy_cell(records: pd.DataFrame) -> str:
    """Return "exact / sampled" in per cent, and how many runs diverged."""
    lost = records["status"].astype(str) == "diverged"
    finished, count = records[~lost], int(lost.sum())
    parts = []
    for name in ("test_accuracy", "test_accuracy_sampled"):
        values = column(finished, name)
        values = values[np.isfinite(values)]
        parts.append(f"{100 * values.mean():.1f}" if values.size else "–")
    text = " / ".join(parts) if len(finished) else "–"
    return f"{text} ({count} diverged)" if count else text


def _heading(name: str) -> str:
    return plain_text(_HEADINGS.get(name, name.replace("_", " ")), limit=60)


def _setting_text(value: Any) -> str:
    return plain_text(repr(value), limit=60) if isinstance(value, float) else cell_text(value)
