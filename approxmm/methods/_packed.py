"""Ragged stacks: one array a layer, stored one behind the other.

The type of a state that is made of these does not depend on the number of layers, so a loop compiled for one
network serves all.
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
        All entries, layer by layer, row-major.
    start : (L + 1,) int64
        Where each layer begins.
    rows : (L,) int64
        Rows of each layer's matrix (1 for a vector).
    """

    flat: np.ndarray
    start: np.ndarray
    rows: np.ndarray


def pack(arrays: Sequence[np.ndarray], dtype: np.dtype | type) -> Packed:
    """Copy vectors or matrices, one a layer, into one array of this dtype."""
    flat = np.concatenate([np.empty(0, dtype), *(a.reshape(-1) for a in arrays)]).astype(dtype, copy=False)
    start = np.cumsum([0, *(a.size for a in arrays)]).astype(np.int64)
    rows = np.array([a.shape[0] if a.ndim == 2 else 1 for a in arrays], dtype=np.int64)
    return Packed(flat, start, rows)


@compiled
def vector_of(packed: Packed, layer: int) -> np.ndarray:
    """Return a view of a layer's entries, 1-D."""
    return packed.flat[packed.start[layer] : packed.start[layer + 1]]


@compiled
def matrix_of(packed: Packed, layer: int) -> np.ndarray:
    """Return a view of a layer's matrix."""
    rows = packed.rows[layer]
    size = packed.start[layer + 1] - packed.start[layer]
    columns = size // rows if rows > 0 else 0
    return packed.flat[packed.start[layer] : packed.start[layer + 1]].reshape((rows, columns))
