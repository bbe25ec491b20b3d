"""Files that may be compressed with gzip: recognised by content, bounded before anything is allocated."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from approxmm.data.files import open_binary
from approxmm.errors import DataError

__all__ = ["GZIP_MAGIC", "Packed", "open_packed"]

GZIP_MAGIC = b"\x1f\x8b"

_Stream: TypeAlias = BinaryIO | gzip.GzipFile
_DEFLATE_RATIO = 1032  # no deflate stream expands further (zlib, "Technical details")


@dataclass(frozen=True)
class Packed:
    """The content of a file, compressed or not, read once from its beginning.

    Attributes
    ----------
    path : path-like
        The file.
    what : str
        What it should be, for error messages ("an IDX file").
    stream : binary stream
        Its content.
    plain : int or None
        Its exact size if it is not compressed.
    capacity : int
        The most that its content can have in bytes.
    """

    path: str | os.PathLike[str]
    what: str
    stream: _Stream
    plain: int | None
    capacity: int

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes, or fewer where the content ends."""
        return self.stream.read(count)

    def fill(self, buffer: NDArray[np.uint8]) -> int:
        """Read into the 1-D `buffer` until it is full or the content ends; return the number of bytes read."""
        done = 0
        while done < buffer.size:
            piece = self.stream.read(min(buffer.size - done, io.DEFAULT_BUFFER_SIZE * 128))
            if not piece:
                break
            buffer[done : done + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
            done += len(piece)
        return done

    def check_promise(self, promise: str, size: int) -> None:
        """Refuse the file if it cannot have, or has not, the `size` bytes that `promise` (words) says."""
        if self.plain is not None and self.plain != size:
            self.refuse(f"{promise}, the file has {self.plain}")
        if size > self.capacity:
            self.refuse(f"{promise}, the compressed file can hold at most {self.capacity}")

    def check_end(self, promise: str) -> None:
        """Refuse the file if anything is left to read."""
        if self.stream.read(1):
            self.refuse(f"{promise}, the file has more")

    def refuse(self, reason: str) -> NoReturn:
        """Raise DataError with the file, the reason and the remedy."""
        kind = self.what.partition(" ")[2]
        raise DataError(f"'{os.fspath(self.path)}' is not a sound {kind}: {reason}; fetch or copy it again")


@contextmanager
def open_packed(path: str | os.PathLike[str], what: str) -> Iterator[Packed]:
    """Open a file whose content may be compressed.

    Parameters
    ----------
    path : path-like
        The file.
    what : str
        What it should be, with its article ("an IDX file").

    Yields
    ------
    Packed

    Raises
    ------
    DataError
        If the compressed stream is damaged, at whatever point of the block that is found.
    MissingError, InputError
        If there is no such file, or it cannot be read.
    """
    with open_binary(path, what) as raw:
        size = os.fstat(raw.fileno()).st_size
        compressed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        if not compressed:
            yield Packed(path, what, raw, size, size)
            return
        with gzip.GzipFile(fileobj=raw) as stream:
            packed = Packed(path, what, stream, None, size * _DEFLATE_RATIO)
            try:
                yield packed
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                packed.refuse(f"the gzip stream is damaged or cut short ({_one_line(error)})")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
