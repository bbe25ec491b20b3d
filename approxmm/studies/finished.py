"""Finished pieces of a long study in a file, so that an interruption costs only the pieces that were under way."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from approxmm.atomic import check_writable
from approxmm.errors import DataError, InputError

__all__ = ["Finished"]

Tables = dict[str, list[dict[str, Any]]]
_FORMAT = "approxmm finished runs, 1"


class Finished:
    """Records by the description of the piece of work that they came from, one line of JSON each.

    A line is appended, and on the disk, as soon as its piece is done; an incomplete last line, of a process that was
    killed while it wrote, counts as not written. Records are returned as they are read back from the file, so that a
    study's tables are the same whether it was interrupted or not.

    Parameters
    ----------
    path : path-like, optional
        Made if it is missing. Without it, records are kept by the caller alone.

    Raises
    ------
    InputError
        If the file cannot be written.
    DataError
        If there is a file that is not of this kind.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._lock = Lock()
        self._tables: dict[str, Tables] = {}
        if self.path is not None:
            if self.path.exists():
                self._tables = self._read(self.path)
            else:
                check_writable(self.path)

    def get(self, piece: Mapping[str, Any]) -> Tables | None:
        """Return the records of a piece, by table; None if it is not finished."""
        return self._tables.get(_key(piece))

    def put(self, piece: Mapping[str, Any], tables: Tables) -> Tables:
        """Keep a piece's records, from any thread, and return them as they will be read back.

        Parameters
        ----------
        piece : mapping
            All that decides the records, as plain values.
        tables : dict of lists of records
            Records hold texts, integers and floats (NumPy's too).

        Raises
        ------
        InputError
            If the file cannot be written, for example because the disk is full. What is in it stays.
        """
        line = json.dumps({"piece": _key(piece), "tables": _plain(tables)}, allow_nan=False)
        with self._lock:
            if self.path is not None:
                self._append(self.path, line)
            return self._tables.setdefault(_key(piece), _tables(json.loads(line)))

    def _append(self, path: Path, line: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "ab+") as file:
                size = file.seek(0, os.SEEK_END)
                if size == 0:
                    line = f"{json.dumps(_FORMAT)}\n{line}"
                elif file.seek(size - 1) is not None and file.read(1) != b"\n":
                    line = f"\n{line}"  # closes the line that a killed process left
                file.write(f"{line}\n".encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(
                f"cannot write '{path}': {error.strerror}; finished runs stay in it, continue when there is room"
            ) from error

    @staticmethod
    def _read(path: Path) -> dict[str, Tables]:
        try:
            first, *lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise InputError(f"cannot read '{path}': {error.strerror}; name another folder") from error
        if first not in (b"", json.dumps(_FORMAT).encode()):
            raise DataError(
                f"{path} holds no finished runs of this version of approxmm; remove it or name another folder"
            )
        found = {}
        for line in lines:
            try:
                content = json.loads(line)
                found[str(content["piece"])] = _tables(content)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue  # cut off: the piece is done once more
        return found


def _key(piece: Mapping[str, Any]) -> str:
    return json.dumps(piece, sort_keys=True)


def _plain(tables: Tables) -> Tables:
    return {name: [{k: _value(v) for k, v in row.items()} for row in rows] for name, rows in tables.items()}


def _value(value: Any) -> Any:
    """Return a value that strict JSON can say; a number that is not finite becomes None."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _tables(content: Mapping[str, Any]) -> Tables:
    """Return the records of a line, None as what it stands for."""
    return {
        str(name): [{str(k): math.nan if v is None else v for k, v in row.items()} for row in rows]
        for name, rows in content["tables"].items()
    }
