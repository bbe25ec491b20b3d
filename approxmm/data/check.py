"""Whether a set's files are there, are the published ones, and can be loaded."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from approxmm.data.files import open_binary
from approxmm.data.packed import GZIP_MAGIC
from approxmm.data.registry import source_of
from approxmm.data.source import DataFile, FileSource, Source
from approxmm.errors import ApproxmmError, DataError

__all__ = ["DataCheck", "FileStatus", "check_data", "checksum_status", "matches"]

ChecksumStatus = Literal["ok", "bad", "unknown", "missing"]

_CHUNK = 1 << 20


@dataclass(frozen=True)
class FileStatus:
    """One file of a set.

    Attributes
    ----------
    file : str
        Its usual name.
    path : Path or None
        Where it was found.
    size : int or None
        Bytes on the disk.
    checksum : {"ok", "bad", "unknown", "missing"}
        "ok": the compressed file, or its content, is the published one.
        "bad": it is not, or the file is damaged. "unknown": a sound file,
        compressed anew or unpacked, of whose content no checksum is published.
    """

    file: str
    path: Path | None
    size: int | None
    checksum: ChecksumStatus


@dataclass(frozen=True)
class DataCheck:
    """The state of a data set on this machine.

    Attributes
    ----------
    name : str
        The set.
    folder : Path or None
        Where its files were looked for; None if it needs none.
    files : tuple of FileStatus
        Empty if it needs none.
    loadable : bool
        Whether its files are there, sound, and belong together.
    summary : str
        Its numbers if it is loadable, otherwise what is wrong, in one line.
    """

    name: str
    folder: Path | None
    files: tuple[FileStatus, ...]
    loadable: bool
    summary: str

    @property
    def ok(self) -> bool:
        """Whether it is loadable and no checksum is bad."""
        return self.loadable and all(file.checksum in ("ok", "unknown") for file in self.files)


def check_data(name: str, data_dir: str | os.PathLike[str] | None = None) -> DataCheck:
    """Check the files of a data set: presence, checksums, and that they can be loaded together.

    Parameters
    ----------
    name : str
        One of the names of `available`.
    data_dir : path-like, optional
        Where to look, as for `load_data`.

    Raises
    ------
    InputError
        If the name is unknown. What is wrong with the files is in the result.
    """
    source = source_of(name)
    files = source.file_source()
    if files is None:
        return DataCheck(name, None, (), True, f"{source.origin}: {_numbers(source)}")
    folder = files.folder(data_dir)
    statuses = tuple(_status(files, file, path) for file, path in files.located(folder))
    try:
        train, test = files.load_raw(folder, files.defaults())
    except ApproxmmError as error:
        return DataCheck(name, folder, statuses, False, str(error))
    if source is not files:
        return DataCheck(name, folder, statuses, True, f"{source.origin} from {files.name}: {_numbers(source)}")
    summary = (
        f"{len(train.labels):,} training and {len(test.labels):,} test examples, {train.pixels.shape[1]} features, "
        f"{len(source.classes)} classes"
    )
    return DataCheck(name, folder, statuses, True, summary)


def _numbers(source: Source) -> str:
    """Return the numbers of a set at its default options, in words."""
    options = source.defaults()
    features = math.prod(source.image_shape(options))
    return f"{sum(source.sizes(options)):,} examples, {features} features, {len(source.classes)} classes"


def checksum_status(source: FileSource, file: DataFile, path: Path) -> ChecksumStatus:
    """Compare a file with the published checksums of the compressed file and of its content."""
    if file.checksum and matches(path, file.checksum):
        return "ok"
    if file.content_checksum:
        return "ok" if matches(path, file.content_checksum, unpack=True) else "bad"
    try:
        source.check_file(path)
    except DataError:
        return "bad"
    return "unknown"


def matches(path: Path, checksum: str, *, unpack: bool = False) -> bool:
    """Return whether a file has a checksum "algorithm:hexadecimal".

    Parameters
    ----------
    path : Path
        An existing file.
    checksum : str
        Its algorithm is one of hashlib's.
    unpack : bool
        Hash the content of a gzip stream instead of the stream; a damaged
        stream matches nothing.
    """
    algorithm, expected = checksum.split(":")
    with open_binary(path, "a data file") as raw:
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        if not (unpack and packed):
            return _digest(raw, algorithm) == expected
        try:
            with gzip.GzipFile(fileobj=raw) as stream:
                return _digest(stream, algorithm) == expected
        except (gzip.BadGzipFile, EOFError, zlib.error):
            return False


def _digest(stream: BinaryIO | gzip.GzipFile, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    while piece := stream.read(_CHUNK):
        digest.update(piece)
    return digest.hexdigest()


def _status(source: FileSource, file: DataFile, path: Path | None) -> FileStatus:
    if path is None:
        return FileStatus(file.name, None, None, "missing")
    return FileStatus(file.name, path, path.stat().st_size, checksum_status(source, file, path))
