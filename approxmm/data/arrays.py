"""A user's own inputs: a `.npy` file with one example a row."""

from __future__ import annotations

import math
import os
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from approxmm.data.files import open_binary
from approxmm.errors import DataError, InputError

__all__ = ["check_finite", "load_inputs"]

_NPY_MAGIC = b"\x93NUMPY"
_REMEDY = "write it with numpy.save, one example a row"


def check_finite(array: NDArray[Any], name: str) -> None:
    """Raise DataError, with the first bad index and the number of bad values, if NaN or infinity is in `array`.

    Parameters
    ----------
    array : ndarray
        Any shape, any real type.
    name : str
        What the message calls it.
    """
    finite = np.isfinite(array)
    if finite.all():
        return
    first = np.unravel_index(int(np.argmin(finite)), array.shape)
    index = ", ".join(str(int(i)) for i in first)
    count = array.size - int(np.count_nonzero(finite))
    raise DataError(
        f"{name} has {count} value(s) that are NaN or infinite, the first is {array[first]} at index ({index}); "
        "remove or replace them"
    )


def load_inputs(path: str | os.PathLike[str], features: int | None = None) -> NDArray[Any]:
    """Read inputs from a `.npy` file.

    Parameters
    ----------
    path : path-like
        A file as `numpy.save` writes it: two dimensions (examples, features),
        real numbers. Nothing is unpickled.
    features : int, optional
        The number of features that the network expects.

    Returns
    -------
    ndarray
        Shape (examples, features), C-contiguous, native byte order, finite;
        float32 if the file holds float32 or float16, otherwise float64.

    Raises
    ------
    DataError
        If the file is not `.npy`, holds Python objects, is shorter or longer
        than its header promises, is empty, is not two-dimensional, is not
        numeric, or has a NaN or an infinite value.
    InputError
        If the number of features is not `features`, or the file cannot be read.
    MissingError
        If there is no such file.
    """
    array = _read(path)
    if array.ndim != 2:
        _refuse(path, f"it has {array.ndim} dimension(s), shape {array.shape}, and must have 2 (examples, features)")
    if array.size == 0:
        _refuse(path, f"it is empty, shape {array.shape}, and must hold at least one example of one feature")
    if features is not None and array.shape[1] != features:
        raise InputError(
            f"inputs '{os.fspath(path)}' have {array.shape[1]} features, the network expects {features}; "
            "give inputs of that width, or another network"
        )
    narrow = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    inputs = np.array(array, dtype=np.float32 if narrow else np.float64, order="C", subok=False)
    check_finite(inputs, f"inputs '{os.fspath(path)}'")
    return inputs


def _read(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Hold the file's size against its header before anything of the promised size is allocated."""
    with open_binary(path, "a .npy file") as raw:
        dtype, shape = _read_header(raw, path)
        if dtype.hasobject:
            _refuse(path, "it holds pickled Python objects, which are never loaded")
        if dtype.kind not in "fiu":
            _refuse(path, f"its elements are of type {dtype} and must be real numbers (float or integer)")
        size = os.fstat(raw.fileno()).st_size
        promised = raw.tell() + dtype.itemsize * math.prod(shape)
        if size != promised:
            _refuse(path, f"its header promises {promised} bytes (shape {shape}, {dtype}), the file has {size}")
        raw.seek(0)
        array: NDArray[Any] = np.load(raw, allow_pickle=False)
    return array


def _read_header(raw: BinaryIO, path: str | os.PathLike[str]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the type and the shape; formats beyond 2.0 exist for named fields only, which are no inputs."""
    head = raw.read(len(_NPY_MAGIC))
    raw.seek(0)
    if head != _NPY_MAGIC:
        _refuse(
            path, "it is " + ("a zip archive (.npz?)" if head.startswith(b"PK") else "text, a pickle or another format")
        )
    try:
        version = np.lib.format.read_magic(raw)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(raw)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(raw)
    except (ValueError, TypeError, SyntaxError, EOFError) as error:
        _refuse(path, f"its header is damaged ({' '.join(str(error).split())[:120]})")
    if any(count < 0 for count in shape):
        _refuse(path, f"its header has a negative count, shape {shape}")
    return dtype, shape


def _refuse(path: str | os.PathLike[str], reason: str) -> NoReturn:
    raise DataError(f"'{os.fspath(path)}' is not a sound .npy file of inputs: {reason}; {_REMEDY}")
