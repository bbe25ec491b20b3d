"""Checks at the room's public edge: every message names argument, value, limit and remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from approxmm.errors import InputError

__all__ = ["Floats", "Ints", "check_indices", "check_integer", "check_matrix", "check_open_unit", "check_vector"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]


def check_integer(name: str, value: int, low: int, high: int | None, remedy: str) -> int:
    """Return `value` as an int within [low, high], or raise InputError."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
    if not whole or value < low or (high is not None and value > high):
        limit = f"at least {low}" if high is None else f"between {low} and {high}"
        raise InputError(f"{name} = {value!r}: must be an integer {limit}; {remedy}")
    return int(value)


def check_open_unit(name: str, value: float, remedy: str) -> float:
    """Return `value` as a float strictly between 0 and 1, or raise InputError."""
    if not 0.0 < value < 1.0:
        raise InputError(f"{name} = {value!r}: must lie strictly between 0 and 1; {remedy}")
    return float(value)


def check_matrix(name: str, value: npt.ArrayLike, columns: int | None = None, *, finite: bool = True) -> Floats:
    """Return `value` as a two-dimensional, C-ordered, finite float array (a copy only if it is not one already).

    With `finite=False` the caller checks finiteness, where that costs nothing extra.
    """
    array = np.asarray(value)
    if array.ndim != 2:
        raise InputError(f"{name} has {array.ndim} dimensions: must have 2; pass one row per item")
    if array.shape[1] == 0 or (columns is not None and array.shape[1] != columns):
        limit = "at least 1" if columns is None else str(columns)
        raise InputError(f"{name} has shape {array.shape}: must have {limit} columns; pass items as rows (W.T)")
    return _floats(name, array, finite)


def check_vector(name: str, value: npt.ArrayLike, length: int) -> Floats:
    """Return `value` as a finite, contiguous float vector of the given length, or raise InputError."""
    array = np.asarray(value)
    if array.shape != (length,):
        raise InputError(f"{name} has shape {array.shape}: must be ({length},); pass one entry per coordinate")
    return _floats(name, array, True)


def check_indices(name: str, value: npt.ArrayLike, limit: int) -> npt.NDArray[np.int64]:
    """Return `value` as a vector of int64 indices in [0, limit), or raise InputError."""
    array = np.asarray(value)
    if array.size == 0:
        return np.empty(0, dtype=np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(
            f"{name} has shape {array.shape} and dtype {array.dtype}: must be a vector of integers; convert it first"
        )
    if array.min() < 0 or array.max() >= limit:
        worst = array.min() if array.min() < 0 else array.max()
        raise InputError(f"{name} contains {worst}: must lie in [0, {limit}); such items do not exist")
    return np.ascontiguousarray(array, dtype=np.int64)


def _floats(name: str, array: npt.NDArray[Any], finite: bool) -> Floats:
    if array.dtype.kind not in "fiu" or array.dtype == np.float16 or array.dtype.itemsize > 8:
        raise InputError(f"{name} has dtype {array.dtype}: must be float32 or float64; convert it with astype first")
    floats = np.ascontiguousarray(array, dtype=array.dtype if array.dtype.kind == "f" else np.float64)
    if finite and not np.isfinite(floats).all():
        worst = floats[~np.isfinite(floats)].flat[0]
        raise InputError(f"{name} contains {worst}: must be finite; replace or remove such entries")
    return floats
