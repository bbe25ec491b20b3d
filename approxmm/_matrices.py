"""What a matrix given by a user must be, and the product of some of its columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.errors import InputError

__all__ = ["check_inner_sides", "check_matrix", "gathered_product"]


def check_matrix(values: Any, name: str) -> np.ndarray:
    """Return `values` as a finite float32 or float64 matrix (integers become float64), or say what is wrong."""
    matrix = np.asarray(values)
    if matrix.dtype.kind in "iu":
        matrix = matrix.astype(np.float64)
    if matrix.dtype not in (np.float32, np.float64):
        raise InputError(f"{name} has dtype {matrix.dtype}; give float32 or float64")
    if matrix.ndim != 2:
        raise InputError(f"{name} has shape {matrix.shape}; a matrix has two dimensions")
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = not np.isfinite(matrix.sum())  # one pass without a temporary; a sum may overflow by itself
    if suspicious and not np.isfinite(matrix).all():
        at = np.argwhere(~np.isfinite(matrix))[0]
        raise InputError(f"{name}[{at[0]}, {at[1]}]={matrix[*at]} is not a finite number; remove or replace it")
    return matrix


def check_inner_sides(a: np.ndarray, b: np.ndarray) -> None:
    """Raise `InputError` unless the columns of `a` are as many as the rows of `b`."""
    if a.shape[1] != b.shape[0]:
        raise InputError(
            f"A has {a.shape[1]} columns but B has {b.shape[0]} rows; the inner sides of a product must agree"
        )


def gathered_product(a: np.ndarray, b: np.ndarray, index: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return Σ scale_s a_{·s} b_{s·} over `index`, the scales multiplied into the smaller side."""
    if index.size == a.shape[1] and (scale == 1.0).all():
        return np.asarray(a @ b)
    some_a, some_b = a.take(index, axis=1), b.take(index, axis=0)
    scale = scale.astype(np.result_type(a, b))  # mixed precision would multiply by way of a temporary
    if some_a.size <= some_b.size:
        some_a *= scale
    else:
        some_b *= scale[:, None]
    return np.asarray(some_a @ some_b)
