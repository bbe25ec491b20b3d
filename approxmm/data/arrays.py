"""A user's own inputs: a `.npy` file with one example a row."""

from __future__ import annotations

import math
import os
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from approxmm.data.files import open_binary
from approxmm.data.npy import CEILING, MAGIC, read_header
from approxmm.errors import DataError, InputError

__all__ = ["check_finite", "load_inputs"]

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


def load_inputs(path: str | os.PathLike[str], features: int | None = None, *, max_bytes: int = CEILING) -> NDArray[Any]:
    """Read inputs from a `.npy` file.

    Parameters
    ----------
    path : path-like
        A file as `numpy.save` writes it: two dimensions (examples, features),
        real numbers. Nothing is unpickled.
    features : int, optional
        The number of features that the network expects.
    max_bytes : int
        The most that the returned array may take.

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
        numeric, takes more than `max_bytes`, or has a NaN or an infinite value.
        All but the last is seen from the header, before memory is taken.
    InputError
        If the number of features is not `features`, or the file cannot be read.
    MissingError
        If there is no such file.
    """
    with open_binary(path, "a .npy file") as raw:
        dtype, shape = _read_header(raw, path)
        wanted = np.dtype(np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64)
        _check_claims(path, dtype, shape, raw.tell(), os.fstat(raw.fileno()).st_size)
        if features is not None and shape[1] != features:
            raise InputError(
                f"inputs '{os.fspath(path)}' have {shape[1]} features, the network expects {features}; "
                "give inputs of that width, or another network"
            )
        if wanted.itemsize * math.prod(shape) > max_bytes:
            _refuse(path, f"shape {shape} takes {wanted.itemsize * math.prod(shape)} bytes, the limit is {max_bytes}")
        raw.seek(0)
        array = np.load(raw, allow_pickle=False)
    inputs = np.array(array, dtype=wanted, order="C", subok=False)
    check_finite(inputs, f"inputs '{os.fspath(path)}'")
    return inputs


def _check_claims(
    path: str | os.PathLike[str], dtype: np.dtype[Any], shape: tuple[int, ...], start: int, size: int
) -> None:
    """Refuse what inputs do not have, and data from byte `start` on that do not fill a file of `size` bytes."""
    if dtype.hasobject:
        _refuse(path, "it holds pickled Python objects, which are never loaded")
    if dtype.kind not in "fiu":
        _refuse(path, f"its elements are of type {dtype} and must be real numbers (float or integer)")
    if len(shape) != 2:
        _refuse(path, f"it has {len(shape)} dimension(s), shape {shape}, and must have 2 (examples, features)")
    if 0 in shape:
        _refuse(path, f"it is empty, shape {shape}, and must hold at least one example of one feature")
    promised = start + dtype.itemsize * math.prod(shape)
    if size != promised:
        _refuse(path, f"its header promises {promised} bytes (shape {shape}, {dtype}), the file has {size}")


def _read_header(raw: BinaryIO, path: str | os.PathLike[str]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the type and the shape, or say what the file is instead."""
    head = raw.read(len(MAGIC))
    raw.seek(0)
    if head != MAGIC:
        _refuse(
            path, "it is " + ("a zip archive (.npz?)" if head.startswith(b"PK") else "text, a pickle or another format")
        )
    try:
        return read_header(raw)
    except ValueError as error:
        _refuse(path, str(error) if "header" in str(error) else f"its header is damaged ({error})")


def _refuse(path: str | os.PathLike[str], reason: str) -> NoReturn:
    raise DataError(f"'{os.fspath(path)}' is not a sound .npy file of inputs: {reason}; {_REMEDY}")
