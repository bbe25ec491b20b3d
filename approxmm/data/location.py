"""Where data sets lie on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from approxmm.errors import InputError

__all__ = ["VARIABLE", "data_folder", "find_file"]

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


def find_file(name: str, folder: Path) -> Path | None:
    """Return the file under its usual name or with a dot before `idx`, compressed or plain; None if there is none.

    Raises InputError if the folder may not be read.
    """
    dotted = name.replace("-idx", ".idx")
    candidates = (folder / f"{stem}{suffix}" for stem in (name, dotted) for suffix in (".gz", ""))
    try:
        return next((path for path in candidates if path.is_file()), None)
    except OSError as error:
        raise InputError(f"cannot look into '{folder}': {error.strerror}; name a folder that can be read") from error
