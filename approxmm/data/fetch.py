"""Explicit, checksummed download of data sets; the only place that opens a connection."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeAlias

from approxmm.atomic import atomic_path
from approxmm.data.check import checksum_status, matches
from approxmm.data.registry import source_of
from approxmm.data.source import Archive, DataFile, FileSource
from approxmm.errors import DataError, InputError, MissingError

__all__ = ["Progress", "fetch_data"]

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with (file name, bytes so far, bytes in all)."""

_CHUNK = 1 << 16


def fetch_data(name: str, data_dir: str | os.PathLike[str] | None = None, *, progress: Progress | None = None) -> Path:
    """Download the files of a data set that are missing or damaged.

    Parameters
    ----------
    name : str
        One of the names of `available` whose origin is files.
    data_dir : path-like, optional
        The folder to which `<name>/` belongs, as for `load_data`.
    progress : callable, optional
        Called with (file name, bytes so far, bytes in all) as pieces arrive.

    Returns
    -------
    Path
        The folder `<name>/` with the files. Each appears there only after
        its checksum was found right. Files that are there already and sound are
        kept; a damaged one is replaced.

    Raises
    ------
    InputError
        If the name is unknown, embedded or generated, or the folder cannot be
        written to.
    MissingError
        If no mirror could be reached or has the file.
    DataError
        If what a mirror sent does not have the published size and checksum.
    """
    source = source_of(name)
    files = source.file_source()
    if not isinstance(source, FileSource):
        needed = f"fetch {files.name!r}, of which it is made" if files is not None else "load it as it is"
        raise InputError(f"data set {name!r} is {source.origin} and cannot be fetched; {needed}")
    folder = source.folder(data_dir)
    wanted = [file for file, path in source.located(folder) if path is None or not _is_sound(source, file, path)]
    if not set(wanted) <= set(source.files):  # the parts of an unpacked archive: mend them by the archive
        wanted = list(source.files)
    if source.archive is None:
        for file in wanted:
            _fetch_file(source, file, folder, progress)
    elif wanted:
        _fetch_archive(source, source.archive, wanted, folder, progress)
    return folder


def _is_sound(source: FileSource, file: DataFile, path: Path) -> bool:
    return checksum_status(source, file, path) != "bad"


def _fetch_file(source: FileSource, file: DataFile, folder: Path, progress: Progress | None) -> None:
    if file.size is None or file.checksum is None:
        raise MissingError(f"no checksum of '{file.name}.gz' is known; copy the file into '{folder}'")
    target = folder / f"{file.name}.gz"
    _download(source.mirrors, target, file.size, file.checksum, progress)


def _fetch_archive(
    source: FileSource, archive: Archive, wanted: list[DataFile], folder: Path, progress: Progress | None
) -> None:
    """Download the archive, take the wanted files out of it, and remove it."""
    packed = folder / archive.name
    if not (packed.is_file() and matches(packed, archive.checksum)):
        _download(source.mirrors, packed, archive.size, archive.checksum, progress)
    try:
        with zipfile.ZipFile(packed) as members:
            for file in wanted:
                member = f"{archive.folder}{file.name}.gz"
                target = folder / f"{file.name}.gz"
                with members.open(member) as content, atomic_path(target) as temporary, open(temporary, "wb") as out:
                    shutil.copyfileobj(content, out)
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"'{packed}' is not the expected archive ({error}); remove it and fetch again") from error
    packed.unlink()


def _download(mirrors: tuple[str, ...], target: Path, size: int, checksum: str, progress: Progress | None) -> None:
    """Try the mirrors in turn until one sends the file with the right checksum."""
    reasons: list[str] = []
    spoilt = False
    for mirror in mirrors:
        url = mirror + target.name
        try:
            with atomic_path(target) as temporary:
                _stream(url, temporary, size, progress)
                if not matches(temporary, checksum):
                    raise DataError(f"{temporary.stat().st_size} bytes of another checksum, not {size} of {checksum}")
            return
        except DataError as error:
            spoilt = True
            reasons.append(f"{url}: {error}")
        except OSError as error:
            reasons.append(f"{url}: {_reason(error)}")
    message = f"cannot fetch '{target.name}' ({'; '.join(reasons)})"
    if spoilt:
        raise DataError(f"{message}; try again later, or copy the file into '{target.parent}'")
    raise MissingError(f"{message}; check the connection, or copy the file into '{target.parent}'")


def _stream(url: str, path: Path, size: int, progress: Progress | None) -> None:
    """Write what `url` sends to `path`, up to `size` bytes."""
    import pooch

    with open(path, "wb") as out:
        download = pooch.HTTPDownloader(progressbar=False, chunk_size=_CHUNK)
        download(url, _Bounded(out, url.rsplit("/", 1)[-1], size, progress), None)


class _Bounded:
    """A file that refuses to grow beyond the published size, and reports its growth."""

    def __init__(self, out: BinaryIO, name: str, size: int, progress: Progress | None) -> None:
        self._out, self._name, self._size, self._progress = out, name, size, progress
        self._done = 0

    def write(self, piece: bytes) -> int:
        self._done += len(piece)
        if self._done > self._size:
            raise DataError(f"it sends more than the published {self._size} bytes")
        if self._progress is not None:
            self._progress(self._name, self._done, self._size)
        return self._out.write(piece)

    def flush(self) -> None:
        self._out.flush()


def _reason(error: OSError) -> str:
    """Say in a few words why a download failed."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not accepted"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return " ".join(str(error).split())[:200] or type(error).__name__
