"""Reader of IDX, the file format of the MNIST family.

An IDX file is two zero bytes, a type code, the number of dimensions, one
big-endian 32-bit count for each dimension, and then the elements, big-endian,
in C order. Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of
handwritten digits", section "File formats".
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from approxmm.data.packed import Packed, open_packed

__all__ = ["MAX_BYTES", "TYPES", "read_idx"]

TYPES: dict[int, str] = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
"""Type code of the format → NumPy's name of the type."""

MAX_BYTES = 2**31
"""Default limit of the elements' size; the largest set of the MNIST family takes 0.1 GB."""

_MAX_DIMENSIONS = 32


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
    with open_packed(path, "an IDX file") as packed:
        return _read(packed, max_bytes)


def _read(packed: Packed, max_bytes: int) -> NDArray[Any]:
    """Read header and elements."""
    dtype, shape = _read_header(packed)
    header = 4 + 4 * len(shape)
    size = math.prod(shape) * dtype.itemsize
    promise = f"its header promises {header + size} bytes (shape {shape}, {dtype.name})"
    if size > max_bytes:
        packed.refuse(f"{promise}, the limit is {max_bytes}")
    packed.check_promise(promise, header + size)
    elements = np.empty(size, dtype=np.uint8)
    found = packed.fill(elements)
    if found < size:
        packed.refuse(f"{promise}, the file has {header + found}")
    packed.check_end(promise)
    return elements.view(dtype.newbyteorder(">")).astype(dtype, copy=False).reshape(shape)


def _read_header(packed: Packed) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the type and the shape."""
    magic = packed.read(4)
    if len(magic) < 4:
        packed.refuse(f"it has {len(magic)} bytes, an IDX header has at least 4")
    if magic[:2] != b"\0\0":
        packed.refuse(f"it starts with 0x{magic[:2].hex()}, an IDX file starts with 0x0000")
    if magic[2] not in TYPES:
        known = ", ".join(f"0x{code:02x}" for code in TYPES)
        packed.refuse(f"type code 0x{magic[2]:02x} is not one of {known}")
    if not 1 <= magic[3] <= _MAX_DIMENSIONS:
        packed.refuse(f"it has {magic[3]} dimensions, supported are 1 to {_MAX_DIMENSIONS}")
    counts = packed.read(4 * magic[3])
    if len(counts) < 4 * magic[3]:
        packed.refuse(f"it ends inside its header, after {4 + len(counts)} of {4 + 4 * magic[3]} bytes")
    shape = tuple(int(count) for count in np.frombuffer(counts, dtype=">u4"))
    return np.dtype(TYPES[magic[2]]), shape
