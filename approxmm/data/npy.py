"""The header of a `.npy` array, read without trusting it."""

from __future__ import annotations

import io
import warnings
from typing import IO, Any

import numpy as np

__all__ = ["CEILING", "MAGIC", "read_header"]

MAGIC = b"\x93NUMPY"
CEILING = 2 * 2**30
"""Bytes that a file may ask for, unless the caller sets another limit."""

_LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}  # 3.0 exists for named fields only
_LONGEST_HEADER = 10_000  # NumPy's own limit, which it checks only after reading


def read_header(stream: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the type and the shape that a `.npy` array declares, and leave `stream` at its data.

    Parameters
    ----------
    stream : binary file
        At the array's first byte.

    Raises
    ------
    ValueError
        If this is no header of format 1.0 or 2.0, it is damaged, or a count is negative: one line, without the file's
        name. Nothing of a declared size is allocated.
    """
    version = np.lib.format.read_magic(stream)
    if version not in _LENGTH_BYTES:
        raise ValueError(f"its header is damaged (format version {version} is none of 1.0, 2.0)")
    prefix = stream.read(_LENGTH_BYTES[version])
    length = int.from_bytes(prefix, "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"its header is damaged (it claims a length of {length} bytes)")
    text = io.BytesIO(prefix + stream.read(length))
    parse = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the text's Python; what counts is the value
            shape, _, dtype = parse(text)
    except Exception as error:  # the text is parsed as Python, which has a dozen ways to fail
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ValueError(f"its header is damaged ({reason})") from error
    if any(count < 0 for count in shape):
        raise ValueError(f"its header has a negative count, shape {shape}")
    return dtype, shape
