"""Reader of the binary matrices in which NORB is distributed (files named ``.mat``, which are not MATLAB's).

A file is a magic number that codes the type, the number of dimensions, the
dimensions (at least three numbers: those beyond the number of dimensions are
ignored), all as little-endian 32-bit integers, and then the elements,
little-endian, in C order. Source: F. J. Huang and Y. LeCun, "The small NORB
dataset, v1.0", section "File format".
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from approxmm.data.packed import Packed

__all__ = ["MAGIC", "matrix_shape", "read_rows"]

MAGIC: dict[int, str] = {
    0x1E3D4C51: "float32",
    0x1E3D4C52: "packed",
    0x1E3D4C53: "float64",
    0x1E3D4C54: "int32",
    0x1E3D4C55: "uint8",
    0x1E3D4C56: "int16",
}
"""Magic number of the format → type of the elements."""

_MAX_DIMENSIONS = 8


def matrix_shape(packed: Packed, dtype: str, inner: tuple[int, ...]) -> tuple[int, ...]:
    """Read the header, and hold it against what is expected and against the file's size.

    Parameters
    ----------
    packed : Packed
        The file at its beginning; afterwards at its first element.
    dtype : str
        The type that the elements must have.
    inner : tuple of int
        All dimensions but the first.

    Returns
    -------
    tuple of int
        The shape, (n, *inner) with n ≥ 1.

    Raises
    ------
    DataError
        If type or shape are others, or the file cannot hold the elements.
    """
    head = packed.read(8)
    if len(head) < 8:
        packed.refuse(f"it has {len(head)} bytes, a header has at least 20")
    magic, count = struct.unpack("<II", head)
    found = MAGIC.get(magic)
    if found is None:
        swapped = " (its bytes are in big-endian order)" if struct.unpack(">I", head[:4])[0] in MAGIC else ""
        packed.refuse(
            f"it starts with the magic number 0x{magic:08x} at offset 0, expected 0x{_code(dtype):08x}{swapped}"
        )
    if found != dtype:
        packed.refuse(
            f"it holds {found} (magic number 0x{magic:08x} at offset 0), expected {dtype} (0x{_code(dtype):08x})"
        )
    if not 1 <= count <= _MAX_DIMENSIONS:
        packed.refuse(f"it has {count} dimensions (offset 4), supported are 1 to {_MAX_DIMENSIONS}")
    stored = max(3, count)
    sizes = packed.read(4 * stored)
    if len(sizes) < 4 * stored:
        packed.refuse(f"it ends inside its header, after {8 + len(sizes)} of {8 + 4 * stored} bytes")
    shape = struct.unpack(f"<{stored}I", sizes)[:count]
    if shape[1:] != inner or shape[0] < 1:
        packed.refuse(f"its shape is {shape} (offset 8), expected (n, {', '.join(map(str, inner))}) with n at least 1")
    packed.check_promise(_promise(shape, dtype), 8 + 4 * stored + math.prod(shape) * np.dtype(dtype).itemsize)
    return shape


def read_rows(packed: Packed, shape: tuple[int, ...], dtype: str, start: int, stop: int) -> NDArray[Any]:
    """Return the next rows, `start` to `stop` of the matrix; after the last ones, refuse a file that goes on."""
    width = math.prod(shape[1:]) * np.dtype(dtype).itemsize
    elements = np.empty((stop - start) * width, dtype=np.uint8)
    found = packed.fill(elements)
    if found < elements.size:
        header = 8 + 4 * max(3, len(shape))
        packed.refuse(f"{_promise(shape, dtype)}, the file has {header + start * width + found}")
    if stop == shape[0]:
        packed.check_end(_promise(shape, dtype))
    rows = elements.view(np.dtype(dtype).newbyteorder("<")).astype(dtype, copy=False)
    return rows.reshape(stop - start, *shape[1:])


def _promise(shape: tuple[int, ...], dtype: str) -> str:
    size = 8 + 4 * max(3, len(shape)) + math.prod(shape) * np.dtype(dtype).itemsize
    return f"its header promises {size} bytes (shape {shape}, {dtype})"


def _code(dtype: str) -> int:
    return next(code for code, name in MAGIC.items() if name == dtype)
