"""Ragged stacks: arrays of one dtype, several a layer, all in one flat array.

The type of a state that is made of these does not depend on the number of layers, so a loop compiled for one
network serves all. One array for many parts, because each array that a compiled function is handed costs it
compile time, and time in every call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from approxmm.compile import compiled

__all__ = ["Packed", "matrix_of", "pack", "vector_of"]


class Packed(NamedTuple):
    """Arrays of several layers.

    Attributes
    ----------
    flat : 1-D array
        All entries, part by part and layer by layer, row-major.
    layout : (L, parts, 3) int64
        Where each array begins, its rows (1 for a vector) and its columns.
    """

    flat: np.ndarray
    layout: np.ndarray


def pack(parts: Sequence[Sequence[np.ndarray]], dtype: np.dtype | type) -> Packed:
    """Copy vectors or matrices, `parts[p][layer]`, into one array of this dtype."""
    arrays = [array for part in parts for array in part]
    flat = np.concatenate([np.empty(0, dtype), *(a.reshape(-1) for a in arrays)]).astype(dtype, copy=False)
    shapes = np.array([a.shape if a.ndim == 2 else (1, a.size) for a in arrays], dtype=np.int64).reshape(-1, 2)
    start = np.cumsum([0, *(a.size for a in arrays)])[: len(arrays), None]
    layout = np.hstack([start, shapes]).astype(np.int64).reshape(len(parts), -1, 3)
    return Packed(flat, np.ascontiguousarray(layout.swapaxes(0, 1)))


@compiled
def vector_of(flat: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return a view of the entries of one array, 1-D: `flat` and ``layout[layer, part]`` of a `Packed`.

    (Not the stack and the part's number, because Numba compiles a function afresh for each constant it is given.)
    """
    return flat[place[0] : place[0] + place[1] * place[2]]


@compiled
def matrix_of(flat: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return a view of one array as a matrix: `flat` and ``layout[layer, part]`` of a `Packed`."""
    return flat[place[0] : place[0] + place[1] * place[2]].reshape((place[1], place[2]))
