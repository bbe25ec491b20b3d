"""Opening a file for reading, with errors in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from approxmm.errors import InputError, MissingError

__all__ = ["open_binary"]


@contextmanager
def open_binary(path: str | os.PathLike[str], what: str) -> Iterator[BinaryIO]:
    """Open a regular file for reading.

    Parameters
    ----------
    path : path-like
        The file.
    what : str
        What the caller expects of it, for the error message ("an IDX file").

    Yields
    ------
    BinaryIO
        The buffered stream, closed when the block ends.

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If it is a folder, a device or a pipe, or may not be read.
    """
    try:
        file = Path(path)
        if file.exists() and not file.is_file():
            raise InputError(f"cannot read '{file}': it is not a regular file; name {what}")
        handle = open(file, "rb")  # noqa: SIM115 (closed below; errors of the block must not be renamed here)
    except FileNotFoundError as error:
        raise MissingError(f"cannot read '{os.fspath(path)}': no such file; name {what} that exists") from error
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {os.fspath(path)!r}: {reason}; name {what} that can be read") from error
    with handle:
        yield handle
