"""A network as one flat vector, so that compiled loops are the same for every depth.

All weights and biases lie in one array (layer by layer, W_k row-major, then b_k), all
activations of a batch in another. Types then do not depend on the number of layers: one
compilation serves all depths, and an optimiser is one loop over one array.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.network import Network

__all__ = ["Layout", "bias_of", "flatten", "make_layout", "unflatten", "units_of", "weights_of"]

_LINE = 64  # bytes of a line of the cache


class Layout(NamedTuple):
    """Where each layer's arrays start.

    Attributes
    ----------
    widths : (L + 1,) int64
        Input size, then each layer's output size.
    weight_at, bias_at : (L,) int64
        Offsets into the parameter vector.
    unit_at : (L + 1,) int64
        Offsets of each layer's outputs, for one example.
    """

    widths: np.ndarray
    weight_at: np.ndarray
    bias_at: np.ndarray
    unit_at: np.ndarray


def make_layout(widths: Sequence[int]) -> tuple[Layout, int]:
    """Return the layout for `widths` and the number of parameters."""
    weight_at, bias_at, size = [], [], 0
    for n, m in pairwise(widths):
        weight_at.append(size)
        bias_at.append(size + n * m)
        size += n * m + m
    unit_at = np.cumsum([0, *widths[1:]])
    return Layout(*(np.array(v, dtype=np.int64) for v in (widths, weight_at, bias_at, unit_at))), size


def flatten(network: Network, dtype: np.dtype | type) -> np.ndarray:
    """Return all parameters of `network` as one new vector, which begins where a line of the cache does."""
    layout, size = make_layout(network.widths)
    item = np.dtype(dtype).itemsize
    room = np.empty(size * item + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    params: np.ndarray = room[start : start + size * item].view(dtype)
    for k, W in enumerate(network.weights):  # layer by layer: no second copy of them all
        weights_of(params, layout, k)[...] = W
        bias_of(params, layout, k)[...] = network.bias(k + 1)
    return params


def unflatten(
    params: np.ndarray, layout: Layout, activation: str | tuple[str, ...], normalise: str = "none", copy: bool = True
) -> Network:
    """Return a network with copies of the parameters, or with views of them."""
    params = params.copy() if copy else params
    weights = tuple(weights_of(params, layout, k) for k in range(len(layout.weight_at)))
    biases = tuple(bias_of(params, layout, k) for k in range(len(layout.bias_at)))
    return Network(weights, biases, activation, normalise)


@compiled
def weights_of(params: np.ndarray, layout: Layout, k: int) -> np.ndarray:
    """Return a view of the weights (n, m) of layer k, counted from 0."""
    n, m, start = layout.widths[k], layout.widths[k + 1], layout.weight_at[k]
    return params[start : start + n * m].reshape((n, m))


@compiled
def bias_of(params: np.ndarray, layout: Layout, k: int) -> np.ndarray:
    """Return a view of the bias (m,) of layer k, counted from 0."""
    start = layout.bias_at[k]
    return params[start : start + layout.widths[k + 1]]


@compiled
def units_of(buffer: np.ndarray, layout: Layout, k: int, batch: int) -> np.ndarray:
    """Return a view (batch, n_k) of layer k's outputs (from 0) in a buffer of all layers' outputs.

    The buffer is laid out for the batch size it is used with: no view of another batch is valid at the same time.
    """
    start, m = layout.unit_at[k] * batch, layout.widths[k + 1]
    return buffer[start : start + batch * m].reshape((batch, m))
