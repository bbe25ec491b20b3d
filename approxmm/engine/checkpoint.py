"""Checkpoint files: all of a run's state in one .npz, without pickles, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from approxmm.atomic import atomic_path
from approxmm.data.npz import read_npz
from approxmm.errors import DataError, InputError

__all__ = ["Checkpoint", "check_same_run", "fingerprint", "read_checkpoint", "write_checkpoint"]

_FORMAT = "approxmm checkpoint 1"
_ABOUT = "about"
_FREE = ("threads",)  # settings that results do not depend on


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Attributes
    ----------
    path : Path
    about : dict
        ``settings`` of the run, the ``examples``' fingerprint, its position and curves: plain values.
    arrays : dict
        By dotted name.
    """

    path: Path
    about: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def settings(self) -> dict[str, Any]:
        """What the run was made with."""
        settings: dict[str, Any] = self.about["settings"]
        return settings

    def part(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays ``name.…``, without that prefix."""
        return {key.removeprefix(f"{name}."): array for key, array in self.arrays.items() if key.startswith(f"{name}.")}


def write_checkpoint(path: str | Path, about: dict[str, Any], arrays: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write a checkpoint; a file of that name is replaced when the new one is complete and on the disk.

    Parameters
    ----------
    path : path-like
    about : dict
        Plain values.
    arrays : iterable of (name, array)
        Taken one at a time, so that copies need not be in memory together.

    Raises
    ------
    InputError
        If the file cannot be written, for example because the disk is full. What was there stays.
    """
    text = json.dumps({"format": _FORMAT, **about}).encode()
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, _ABOUT, np.frombuffer(text, dtype=np.uint8))
        for name, array in arrays:
            _add(archive, name, array)


def _add(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    # A fixed date: the same state is the same file.
    member = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
    with archive.open(member, "w", force_zip64=True) as stream:
        np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint; nothing is unpickled, and no size is believed before it is checked.

    Not claimed: that the arrays belong together. Who copies them into a run holds them against it: `restore_arrays`.

    Raises
    ------
    MissingError
        If there is no such file.
    DataError
        If it is damaged, or no checkpoint.
    """
    size = Path(path).stat().st_size if Path(path).is_file() else 0
    arrays = read_npz(path, max_bytes=size)  # members are stored, not deflated: together they are smaller than the file
    try:
        about = json.loads(arrays.pop(_ABOUT).tobytes().decode())
        if about["format"] != _FORMAT or not isinstance(about["settings"], dict):
            raise ValueError("it has another format")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(
            f"{os.fspath(path)} is no checkpoint of this version of approxmm; name a file written by train --checkpoint"
        ) from error
    return Checkpoint(Path(path), about, arrays)


def fingerprint(*arrays: np.ndarray) -> str:
    """Return a digest of arrays: equal if and only if shapes, types and bytes are."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def check_same_run(found: Checkpoint, settings: dict[str, Any], examples: str) -> None:
    """Raise InputError, naming what differs, unless the checkpoint is of a run with these settings and examples.

    The number of threads may differ; so may that of epochs if the learning rate does not depend on it.
    """
    free = [] if settings.get("asynchronous") else list(_FREE)
    free += ["epochs"] if settings.get("schedule") == "constant" else []
    before, now = _flat(found.settings), _flat(settings)
    for name in [*now, *(name for name in before if name not in now)]:
        if name not in free and before.get(name) != now.get(name):
            raise InputError(
                f"checkpoint {found.path} was made with {name}={_shown(before.get(name))}, this run has "
                f"{name}={_shown(now.get(name))}; continue with the same settings, or begin another checkpoint"
            )
    if found.about.get("examples") != examples:
        raise InputError(
            f"checkpoint {found.path} was made with other training or validation examples than those of data "
            f"{settings.get('data')!r} now; continue with the same data, or begin another checkpoint"
        )


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
