"""Ragged stacks: arrays of one dtype, several a layer, all in one flat array.

The type of a state that is made of these does not depend on the number of layers, so a loop compiled for one
network serves all. One array for many parts, because each array that a compiled function is handed costs it
compile time, and time in every call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from numba import types
from numba.extending import type_callable
from numba.np import arrayobj

from approxmm.compile import lowered

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


def vector_of(flat: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return a view of the entries of one array, 1-D: `flat` and ``layout[layer, part]`` of a `Packed`.

    In compiled code this is a handful of instructions, and the view does not own the memory: the state that holds
    `flat` must outlive it. (Slices would be most of what is compiled, and counting their references, which is
    indivisible, most of the time that a selection spends on finding its arrays.)
    """
    return flat[place[0] : place[0] + place[1] * place[2]]


def matrix_of(flat: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return a view of one array as a matrix: `flat` and ``layout[layer, part]`` of a `Packed`."""
    return flat[place[0] : place[0] + place[1] * place[2]].reshape((place[1], place[2]))


@type_callable(vector_of)
def _type_vector(context: Any) -> Any:
    return lambda flat, place: flat


@type_callable(matrix_of)
def _type_matrix(context: Any) -> Any:
    return lambda flat, place: types.Array(flat.dtype, 2, "C")


@lowered(vector_of, types.Array, types.Array)
@lowered(matrix_of, types.Array, types.Array)
def _emit_view(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    whole, place = (context.make_array(t)(context, builder, v) for t, v in zip(signature.args, args, strict=True))
    start, rows, columns = (
        builder.load(builder.gep(place.data, [context.get_constant(types.intp, i)])) for i in range(3)
    )
    item = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(signature.args[0].dtype)))
    size = builder.mul(rows, columns)
    view = context.make_array(signature.return_type)(context, builder)
    flat = signature.return_type.ndim == 1
    cast(Any, arrayobj).populate_array(
        view,
        data=builder.gep(whole.data, [start]),
        shape=[size] if flat else [rows, columns],
        strides=[item] if flat else [builder.mul(columns, item), item],
        itemsize=item,
        meminfo=None,
    )
    return view._getvalue()
