"""Reader of IDX, the file format of the MNIST family.

An IDX file is two zero bytes, a type code, the number of dimensions, one
big-endian 32-bit count for each dimension, and then the elements, big-endian,
in C order. Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of
handwritten digits", section "File formats".
"""

from __future__ import annotations

import gzip
import io
import math
import os
import zlib
from typing import Any, BinaryIO, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from approxmm.data.files import open_binary
from approxmm.errors import DataError

__all__ = ["MAX_BYTES", "TYPES", "read_idx"]

TYPES: dict[int, str] = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
"""Type code of the format → NumPy's name of the type."""

MAX_BYTES = 2**31
"""Default limit of the elements' size; the largest set of the MNIST family takes 0.1 GB."""

_Stream: TypeAlias = BinaryIO | gzip.GzipFile

_GZIP_MAGIC = b"\x1f\x8b"
_MAX_DIMENSIONS = 32
_DEFLATE_RATIO = 1032  # no deflate stream expands further (zlib, "Technical details")


def read_idx(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> NDArray[Any]:
    """Read an IDX file, plain or compressed with gzip, and accept nothing but what its header promises.

    Parameters
    ----------
    path : path-like
        The file. Compression is recognised by content, not by name.
    max_bytes : int
        Largest accepted size of the elements in bytes. The header is held
        against it, and against what the file can contain, before anything is
        allocated.

    Returns
    -------
    ndarray
        C-contiguous, in native byte order, of shape and type as the header
        says: uint8, int8, int16, int32, float32 or float64.

    Raises
    ------
    DataError
        If the magic number, the type code or the number of dimensions is not
        the format's, if the file holds fewer or more bytes than its header
        promises, if it is beyond `max_bytes`, or if the compressed stream is
        damaged.
    MissingError, InputError
        If there is no such file, or it cannot be read.
    """
    with open_binary(path, "an IDX file") as raw:
        size = os.fstat(raw.fileno()).st_size
        compressed = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        try:
            if not compressed:
                return _read(raw, path, plain=size, capacity=size, max_bytes=max_bytes)
            with gzip.GzipFile(fileobj=raw) as stream:
                return _read(stream, path, plain=None, capacity=size * _DEFLATE_RATIO, max_bytes=max_bytes)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            _refuse(path, f"the gzip stream is damaged or cut short ({_one_line(error)})")


def _read(
    stream: _Stream,
    path: str | os.PathLike[str],
    *,
    plain: int | None,
    capacity: int,
    max_bytes: int,
) -> NDArray[Any]:
    """Read header and elements; `plain` is the exact size of an uncompressed file, `capacity` a bound for any."""
    dtype, shape = _read_header(stream, path)
    header = 4 + 4 * len(shape)
    size = math.prod(shape) * dtype.itemsize
    promise = f"its header promises {header + size} bytes (shape {shape}, {dtype.name})"
    if size > max_bytes:
        _refuse(path, f"{promise}, the limit is {max_bytes}")
    if plain is not None and plain != header + size:
        _refuse(path, f"{promise}, the file has {plain}")
    if header + size > capacity:
        _refuse(path, f"{promise}, the compressed file can hold at most {capacity}")
    elements = np.empty(size, dtype=np.uint8)
    found = _fill(stream, elements)
    if found < size:
        _refuse(path, f"{promise}, the file has {header + found}")
    if stream.read(1):
        _refuse(path, f"{promise}, the file has more")
    return elements.view(dtype.newbyteorder(">")).astype(dtype, copy=False).reshape(shape)


def _read_header(stream: _Stream, path: str | os.PathLike[str]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the type and the shape."""
    magic = stream.read(4)
    if len(magic) < 4:
        _refuse(path, f"it has {len(magic)} bytes, an IDX header has at least 4")
    if magic[:2] != b"\0\0":
        _refuse(path, f"it starts with 0x{magic[:2].hex()}, an IDX file starts with 0x0000")
    if magic[2] not in TYPES:
        known = ", ".join(f"0x{code:02x}" for code in TYPES)
        _refuse(path, f"type code 0x{magic[2]:02x} is not one of {known}")
    if not 1 <= magic[3] <= _MAX_DIMENSIONS:
        _refuse(path, f"it has {magic[3]} dimensions, supported are 1 to {_MAX_DIMENSIONS}")
    counts = stream.read(4 * magic[3])
    if len(counts) < 4 * magic[3]:
        _refuse(path, f"it ends inside its header, after {4 + len(counts)} of {4 + 4 * magic[3]} bytes")
    shape = tuple(int(count) for count in np.frombuffer(counts, dtype=">u4"))
    return np.dtype(TYPES[magic[2]]), shape


def _fill(stream: _Stream, buffer: NDArray[np.uint8]) -> int:
    """Read into `buffer` until it is full or the stream ends; return the number of bytes read."""
    done = 0
    while done < buffer.size:
        piece = stream.read(min(buffer.size - done, io.DEFAULT_BUFFER_SIZE * 128))
        if not piece:
            break
        buffer[done : done + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        done += len(piece)
    return done


def _refuse(path: str | os.PathLike[str], reason: str) -> NoReturn:
    raise DataError(f"'{os.fspath(path)}' is not a sound IDX file: {reason}; fetch or copy it again")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
