"""What a figure shows of a method: a label, and one colour and marker that are the same in every figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from approxmm.reporting.display import number_text, plain_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KEYS", "MethodStyle", "Series", "method_styles", "series_of"]

# Okabe and Ito's colours, which stay apart for every common kind of colour blindness; their yellow is
# left out because it vanishes on white.
_OWN = {
    "exact": ("#000000", "o"),
    "dropout": ("#E69F00", "s"),
    "with_replacement": ("#0072B2", "^"),
    "bernoulli": ("#009E73", "D"),
    "oracle_active": ("#D55E00", "v"),
}
_OTHER_COLOURS = ("#CC79A7", "#56B4E9", "#7F7F7F", "#8C6D1F")
_OTHER_MARKERS = ("P", "X", "<", ">", "h", "p", "*")
_LINES: tuple[Literal["-", "--", "-.", ":"], ...] = ("-", "--", "-.", ":")
KEYS = ("method", "options", "budget")


@dataclass(frozen=True)
class MethodStyle:
    """Colour and marker of one method."""

    colour: str
    marker: str


@dataclass(frozen=True)
class Series:
    """The records of one method at one budget (and with one set of options).

    Attributes
    ----------
    name : str
        The method, readable.
    detail : str
        Budget and options, readable; may be empty.
    style : MethodStyle
    line : {"-", "--", "-.", ":"}
        Line style, different for the budgets of one method.
    records : DataFrame
    """

    name: str
    detail: str
    style: MethodStyle
    line: Literal["-", "--", "-.", ":"]
    records: pd.DataFrame = field(repr=False)

    @property
    def label(self) -> str:
        """Name and detail on one line."""
        return f"{self.name}, {self.detail}" if self.detail else self.name


def method_styles(tables: Mapping[str, pd.DataFrame]) -> dict[str, MethodStyle]:
    """Return a style for every method that any table names; it depends on the set of names only."""
    names = {str(name) for table in tables.values() if "method" in table.columns for name in table["method"].unique()}
    styles = {name: MethodStyle(*_OWN[name]) for name in names & _OWN.keys()}
    for i, name in enumerate(sorted(names - _OWN.keys())):
        colour = _OTHER_COLOURS[i % len(_OTHER_COLOURS)]
        styles[name] = MethodStyle(colour, _OTHER_MARKERS[i % len(_OTHER_MARKERS)])
    return styles


def series_of(table: pd.DataFrame, styles: Mapping[str, MethodStyle]) -> Iterator[Series]:
    """Yield the table's series in the order in which they first appear."""
    keys = [key for key in KEYS if key in table.columns]
    seen: dict[str, int] = {}
    for values, records in table.groupby(keys, sort=False, dropna=False):
        chosen = dict(zip(keys, values, strict=True))
        method = str(chosen.pop("method"))
        rank = seen[method] = seen.get(method, -1) + 1
        yield Series(_readable(method), _detail(method, chosen), styles[method], _LINES[rank % 4], records)


def _readable(method: str) -> str:
    return plain_text(method.replace("_", " ").strip() or "unnamed", limit=32)


def _detail(method: str, chosen: Mapping[str, Any]) -> str:
    """Return budget and options; the exact product's budget says nothing."""
    budget, options = number_text(chosen.get("budget")), plain_text(str(chosen.get("options") or ""), limit=40)
    parts = [f"budget {budget}"] if budget and method != "exact" else []
    return ", ".join([*parts, *([options] if options not in {"", "nan", "None", "{}"} else [])])
