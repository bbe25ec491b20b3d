"""The arrays of an `.npz` file, its claims held against its real size before anything is unpacked."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from approxmm.data.files import open_binary
from approxmm.data.npy import CEILING, read_header
from approxmm.errors import ApproxmmError, DataError

__all__ = ["check_members", "read_npz"]

_DEFLATE_RATIO = 1032  # no deflated byte stands for more
_MOST_MEMBERS = 100_000


def read_npz(path: str | os.PathLike[str], max_bytes: int = CEILING) -> dict[str, NDArray[Any]]:
    """Read all arrays of an `.npz` file; nothing is unpickled.

    Parameters
    ----------
    path : path-like
        A file as `numpy.savez` or `numpy.savez_compressed` writes it.
    max_bytes : int
        The most that all arrays together may take.

    Returns
    -------
    dict of ndarray
        By name, in the file's order.

    Raises
    ------
    MissingError, InputError
        If there is no such file, or it cannot be read.
    DataError
        If it is no sound archive of plain arrays, or its arrays take more than `max_bytes`. Sizes are checked before
        memory is taken: a claim beyond the file's real content, or the ceiling, costs nothing.
    """
    with open_binary(path, "an .npz file") as file, _one_line_errors(path), zipfile.ZipFile(file) as archive:
        members = check_members(archive, file, max_bytes)
        return {_array_name(member): _array(archive, member) for member in members}


def check_members(archive: zipfile.ZipFile, file: BinaryIO, max_bytes: int) -> list[zipfile.ZipInfo]:
    """Return the members of an archive whose claims agree with each other and with the file's size.

    Raises
    ------
    ValueError
        One line without the file's name: encrypted or oddly compressed members, sizes that the content cannot have,
        members that overlap or share a name, or more than `max_bytes` altogether.
    """
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > _MOST_MEMBERS or len({member.filename for member in members}) != len(members):
        raise ValueError(f"it has {len(members)} members, more than {_MOST_MEMBERS} or two of one name")
    for member in members:
        name = repr(member.filename[:60])
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"member {name} is encrypted or neither stored nor deflated")
        ratio = 1 if member.compress_type == zipfile.ZIP_STORED else _DEFLATE_RATIO
        if member.file_size > ratio * member.compress_size:
            raise ValueError(f"member {name} claims {member.file_size} bytes out of {member.compress_size}")
    if sum(member.compress_size for member in members) > os.fstat(file.fileno()).st_size:
        raise ValueError("its members overlap")
    total = sum(member.file_size for member in members)
    if total > max_bytes:
        raise ValueError(f"it unpacks to {total} bytes, the limit is {max_bytes}")
    return members


def _array_name(member: zipfile.ZipInfo) -> str:
    if not member.filename.endswith(".npy"):
        raise ValueError(f"member {member.filename[:60]!r} is no .npy array")
    return member.filename.removesuffix(".npy")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """Return one array, allocated only after its header has been held against the member's size."""
    name = repr(member.filename[:60])
    with archive.open(member) as stream:
        dtype, shape = read_header(stream)
        promised = stream.tell() + dtype.itemsize * math.prod(shape)
    if dtype.hasobject:
        raise ValueError(f"member {name} holds pickled Python objects, which are never loaded")
    if promised != member.file_size:
        raise ValueError(f"member {name} promises {promised} bytes (shape {shape}, {dtype}), it has {member.file_size}")
    with archive.open(member) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


@contextmanager
def _one_line_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except ApproxmmError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds at a damaged file
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(
            f"{os.fspath(path)} is not a readable .npz of plain arrays ({reason}); write it again with numpy.savez"
        ) from error
