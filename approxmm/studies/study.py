"""What a study hands to the report: tables of records, and what was found in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Study"]


@dataclass(frozen=True)
class Study:
    """A finished study.

    Attributes
    ----------
    name, title, summary : str
    tables : dict of DataFrame
        One row a record; every table's columns are described in `captions`.
    captions : dict of str
        For each table: what the records are and how they were measured.
    findings : list of str
        Sentences whose numbers were computed from the tables.
    settings, environment : dict
        Plain values: what was run, on what.
    seconds : float
        Wall-clock time of the whole study; 0 where it is not known, because part of it was done before.
    """

    name: str
    title: str
    summary: str
    tables: dict[str, pd.DataFrame]
    captions: dict[str, str]
    findings: list[str]
    settings: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
