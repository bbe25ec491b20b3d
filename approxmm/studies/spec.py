"""A study's settings in a TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from approxmm.errors import DataError, InputError, MissingError
from approxmm.studies.settings import (
    ClosureSettings,
    DepthSettings,
    FieldSettings,
    QuickSettings,
    RecallSettings,
    StudySettings,
)

__all__ = ["load_settings"]

_KINDS: dict[str, type[StudySettings]] = {
    "quick": QuickSettings,
    "recall": RecallSettings,
    "field": FieldSettings,
    "closure": ClosureSettings,
    "depth": DepthSettings,
}


def load_settings(path: str | Path) -> StudySettings:
    """Read settings from a TOML file; what it does not name keeps its default.

    Raises
    ------
    MissingError, DataError, InputError
        If the file is missing, is not TOML, or holds a setting that is unknown or out of range.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingError(f"study file {path} does not exist; leave it out to run the quick study with its defaults")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not valid TOML ({error}); see reports/quick.toml for an example") from error
    name = content.get("study", "quick")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise InputError(f"{path}: study={name!r} is unknown; choose one of {', '.join(_KINDS)}")
    try:
        return kind(**content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(kind.model_fields)
        raise InputError(f"{path}: {where}={first['input']!r}: {first['msg']}; settings are {known}") from error
