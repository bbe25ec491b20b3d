"""Files that appear whole or not at all.

A file is written under a temporary name in the folder of its target, flushed
to the disk and renamed over the target, so that a crash, a full disk or Ctrl-C
leaves either the old file or the new one, never a half-written one.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from approxmm.errors import InputError

__all__ = ["atomic_folder", "atomic_path", "atomic_write_bytes", "atomic_write_text", "check_writable"]

_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write one file through a temporary name, and rename it when it is complete.

    Parameters
    ----------
    path : path-like
        The file to be made. Its folder is created if it is missing; a symbolic
        link is followed, so that the link stays and its target is replaced.

    Yields
    ------
    Path
        An empty file in the same folder, with the same suffix, to write to. It
        becomes `path` when the block ends, and is removed when the block raises
        (Ctrl-C included); an existing `path` is then untouched.

    Raises
    ------
    InputError
        If `path` is a folder or a device, if its folder cannot be made or
        written to, or if the disk is full.
    """
    target = _resolved(path)
    _require_regular(target)
    made = _make_folder(target.parent, path)
    temporary = target.parent / f".{target.stem[:32]}.{secrets.token_hex(6)}{target.suffix}"
    try:
        with _named_errors(path):
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        with _full_disk_named(path):
            yield temporary
        with _named_errors(path):
            _flush(temporary)
            _replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        _remove_empty(made)
        raise


def atomic_write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path`, whole or not at all; errors as for `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def atomic_write_text(path: str | os.PathLike[str], content: str) -> None:
    r"""Write `content` to `path` as UTF-8 with ``\n`` line ends; errors as for `atomic_path`."""
    atomic_write_bytes(path, content.encode("utf-8"))


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Build a set of files in a temporary sibling folder, then move them into place.

    Parameters
    ----------
    path : path-like
        The folder to be made or added to. Files of it that the block does not
        write are kept.

    Yields
    ------
    Path
        An empty folder to fill. If `path` does not exist when the block ends,
        the folder is renamed to it in one step; otherwise its files are renamed
        into place one by one: each file is whole, the set is not one
        transaction. When the block raises, nothing is moved.

    Raises
    ------
    InputError
        If `path` is not a folder, if a folder or a file in it is in the way, if
        it cannot be made or written to, or if the disk is full.
    """
    target = _resolved(path)
    made = _make_folder(target.parent, path)
    temporary = target.parent / f".{target.name[:32]}.{secrets.token_hex(6)}"
    try:
        with _named_errors(path):
            if target.exists() and not target.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "it is a file")
            temporary.mkdir()
        with _full_disk_named(path):
            yield temporary
        with _named_errors(path):
            _move_into_place(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        _remove_empty(made)
        raise
    shutil.rmtree(temporary, ignore_errors=True)


class _Rehearsal(Exception):  # noqa: N818 - raised to end a rehearsal, never seen outside
    """Ends a block of `atomic_path` before anything is put into place."""


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise what `atomic_path` would raise for `path`, before hours of work depend on it; leaves nothing behind."""
    try:
        with atomic_path(path):
            raise _Rehearsal
    except _Rehearsal:
        return


def _resolved(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path with symbolic links followed."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"cannot write {os.fspath(path)!r}: {error}; choose another path") from error


def _require_regular(target: Path) -> None:
    """Refuse a target that is a folder, a device or a pipe."""
    if target.is_dir():
        raise InputError(f"cannot write '{target}': it is a folder; name a file in it")
    if target.exists() and not target.is_file():
        raise InputError(f"cannot write '{target}': it is not a regular file; name a file")


def _make_folder(folder: Path, path: str | os.PathLike[str]) -> list[Path]:
    """Create `folder` and return those of its parents that were missing, innermost first."""
    with _named_errors(path):
        missing = [level for level in (folder, *folder.parents) if not level.exists()]
        nearest = missing[-1].parent if missing else folder
        if not nearest.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"'{nearest}' is a file, not a folder")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except BaseException:
            _remove_empty(missing)
            raise
    return missing


def _remove_empty(folders: list[Path]) -> None:
    """Take back folders that were created for a file that never came."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _flush(file: Path) -> None:
    """Wait until the content is on the disk, so that the rename cannot overtake it."""
    with open(file, "rb+") as handle:
        os.fsync(handle.fileno())


def _replace(temporary: Path, target: Path) -> None:
    """Rename over the target, which keeps its permissions if it exists."""
    if target.exists():
        temporary.chmod(stat.S_IMODE(target.stat().st_mode))
    os.replace(temporary, target)


def _move_into_place(temporary: Path, target: Path) -> None:
    """Rename the whole folder if the target is free, otherwise file by file."""
    files = sorted(file for file in temporary.rglob("*") if file.is_file())
    for file in files:
        _flush(file)
    if not target.exists():
        os.replace(temporary, target)
        return
    moves = [(file, target / file.relative_to(temporary)) for file in files]
    for _, place in moves:
        _require_regular(place)
        place.parent.mkdir(parents=True, exist_ok=True)
    for file, place in moves:
        _replace(file, place)


@contextmanager
def _named_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn an error of the file system into one line that names the path and the remedy."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"cannot write '{os.fspath(path)}': {reason}; choose a folder that exists or can be made and is writable"
        ) from error


@contextmanager
def _full_disk_named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Name the path when the disk fills up while the caller writes; other errors are the caller's own."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        message = f"cannot write '{os.fspath(path)}': {error.strerror}; free some space or choose another disk"
        raise InputError(message) from error
