"""A study's records as files: CSV and strict JSON for every table, and one JSON file on the study itself."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from approxmm.studies.study import Study

__all__ = ["file_stems", "json_value", "write_records", "write_text"]

_RESERVED = "study"  # study.json describes the study


def write_records(study: Study, folder: Path) -> list[Path]:
    """Write all tables and ``study.json`` into `folder`, and return the files.

    Numbers are written in full, so that a CSV read back with exact parsing gives the same table.
    In JSON a number that is not finite becomes null, as JSON has no word for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stems = file_stems(study.tables)
    written = []
    for name, table in study.tables.items():
        flat, csv = with_index(table), folder / f"{stems[name]}.csv"
        flat.to_csv(csv, index=False, lineterminator="\n", encoding="utf-8", errors="backslashreplace")
        written += [csv, write_text(folder / f"{stems[name]}.json", _json_records(flat))]
    return [*written, write_text(folder / f"{_RESERVED}.json", _described(study, stems))]


def file_stems(names: Iterable[str]) -> dict[str, str]:
    """Return a file name for every table: letters, digits, ``_``, ``-`` and ``.`` only, each once."""
    stems: dict[str, str] = {}
    taken = {_RESERVED}
    for name in names:
        base = re.sub(r"[^A-Za-z0-9_.-]+", "_", str(name)).strip("._")[:80] or "table"
        stem, count = base, 1
        while stem.lower() in taken:
            count += 1
            stem = f"{base}-{count}"
        taken.add(stem.lower())
        stems[name] = stem
    return stems


def with_index(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with an index that carries information turned into columns."""
    plain = table.index.nlevels == 1 and table.index.name is None and table.index.equals(_counting(len(table)))
    return table if plain else table.reset_index()


def json_value(value: Any) -> Any:
    """Return the value as strict JSON can hold it: numbers that are not finite and missing values become None."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, set | frozenset):
        return [json_value(item) for item in sorted(value, key=str)]
    if hasattr(value, "tolist"):  # NumPy's scalars and arrays
        return json_value(value.tolist())
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    return None if _is_missing(value) else str(value)


def write_text(path: Path, text: str) -> Path:
    r"""Write UTF-8 with ``\n`` line ends; half a surrogate pair is written as its escape."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    return path


def _json_records(table: pd.DataFrame) -> str:
    """Return a JSON array with one record a line."""
    names = [str(name) for name in table.columns]
    columns = [table.iloc[:, i].tolist() for i in range(len(names))]
    rows = [_dumps(dict(zip(names, map(json_value, row), strict=True))) for row in zip(*columns, strict=True)]
    return "[\n" + ",\n".join(rows) + "\n]\n" if rows else "[]\n"


def _described(study: Study, stems: Mapping[str, str]) -> str:
    tables = {
        name: {"file": f"{stems[name]}.csv", "caption": study.captions.get(name, ""), "rows": len(table)}
        for name, table in study.tables.items()
    }
    content = {
        "name": study.name,
        "title": study.title,
        "summary": study.summary,
        "findings": study.findings,
        "settings": study.settings,
        "environment": study.environment,
        "seconds": study.seconds,
        "tables": tables,
    }
    return _dumps(json_value(content), indent=2) + "\n"


def _dumps(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)


def _counting(length: int) -> pd.Index:
    import pandas as pd

    return pd.RangeIndex(length)


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return value is pd.NA or value is pd.NaT
