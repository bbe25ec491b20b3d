"""Where data sets lie on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from approxmm.data.sources import IdxFile, Source
from approxmm.errors import InputError, MissingError

__all__ = ["VARIABLE", "data_folder", "find_file", "find_files", "set_folder"]

VARIABLE = "APPROXMM_DATA_DIR"
"""Environment variable that names the data folder."""


def data_folder(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the argument, or what APPROXMM_DATA_DIR names, or approxmm's folder in the user's cache."""
    if data_dir is not None:
        return Path(data_dir).expanduser()
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE]).expanduser()
    import pooch

    return Path(pooch.os_cache("approxmm"))


def set_folder(source: Source, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of one set: `<data folder>/<name>`."""
    return data_folder(data_dir) / source.name


def find_file(file: IdxFile, folder: Path) -> Path | None:
    """Return the file under its usual name or with a dot before `idx`, compressed or plain; None if there is none.

    Raises InputError if the folder may not be read.
    """
    dotted = file.name.replace("-idx", ".idx")
    candidates = (folder / f"{name}{suffix}" for name in (file.name, dotted) for suffix in (".gz", ""))
    try:
        return next((path for path in candidates if path.is_file()), None)
    except OSError as error:
        raise InputError(f"cannot look into '{folder}': {error.strerror}; name a folder that can be read") from error


def find_files(source: Source, folder: Path) -> tuple[Path, Path, Path, Path]:
    """Return the four files of a set, or raise MissingError that says where it looked and what to do."""
    found = [find_file(file, folder) for file in source.files]
    paths = [path for path in found if path is not None]
    if len(paths) < len(found):
        missing = next(file.name for file, path in zip(source.files, found, strict=True) if path is None)
        raise MissingError(
            f"data set '{source.name}': no {missing}.gz (or {missing}) in '{folder}'; run `approxmm data fetch "
            f"{source.name}`, or let --data-dir or {VARIABLE} name the folder that holds {source.name}/"
        )
    train_images, train_labels, test_images, test_labels = paths
    return train_images, train_labels, test_images, test_labels
