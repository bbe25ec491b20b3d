"""The gradient of a layer's weights and the optimiser's step in one pass over the rows, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled
from approxmm.engine.dense import add_outer
from approxmm.engine.optimizers import adds_directly, kept, moves_idle, update

__all__ = ["ROWS_AT_ONCE", "position", "update_weights"]

ROWS_AT_ONCE = 8  # gradients of so many rows exist at a time; with their weights they fit into the second-level cache


@compiled
def position(chosen: np.ndarray, row: int) -> int:
    """Return how many of the increasing rows `chosen` are below `row`; NumPy's search takes a second to compile."""
    low, high = 0, chosen.size
    while low < high:
        middle = (low + high) // 2
        if chosen[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def update_weights(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    at: int,
    A: np.ndarray,
    D: np.ndarray,
    chosen: np.ndarray,
    first: int,
    stop: int,
    rate: float,
    step: int,
    scratch: np.ndarray,
) -> None:
    """Step the rows first … stop − 1 of W by the gradient AᵀD.

    Parameters
    ----------
    optimizer : NamedTuple
    params : (P,) float array
        Changed in place.
    slots : (slot_count, P) float array
        The optimiser's memory.
    at : int
        Where W (n, m) starts in both.
    A : (B, c) float array
        What entered the product: the chosen items' inputs, scaled.
    D : (B, m) float array
        ∂loss/∂z. If the optimiser adds directly, already multiplied by −rate.
    chosen : (c,) int64
        Rows that the product read, increasing.
    first, stop : int
    rate : float
    step : int
    scratch : float array
        Of at least (ROWS_AT_ONCE + 1)·m elements.
    """
    m = D.shape[1]
    low, high = position(chosen, first), position(chosen, stop)
    if adds_directly(optimizer):
        W = params[at : at + stop * m].reshape((stop, m))
        kind = params.dtype.type
        add_outer(A, D, chosen, W, kind(kept(optimizer, rate)), low, high, low)
    else:
        _update_chosen(optimizer, params, slots, at, A, D, chosen, low, high, rate, step, scratch)
    if moves_idle(optimizer) and high - low < stop - first:
        _update_idle(optimizer, params, slots, at, chosen[low:high], first, stop, rate, step, scratch, m)


@compiled
def _update_chosen(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    at: int,
    A: np.ndarray,
    D: np.ndarray,
    chosen: np.ndarray,
    low: int,
    high: int,
    rate: float,
    step: int,
    scratch: np.ndarray,
) -> None:
    m, places = D.shape[1], np.arange(ROWS_AT_ONCE)
    gradient = scratch[: ROWS_AT_ONCE * m].reshape((ROWS_AT_ONCE, m))
    zero = params.dtype.type(0.0)
    for start in range(low, high, ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, high - start)
        gradient[:count] = zero
        add_outer(A, D, places, gradient, zero, start, start + count, 0)
        for i in range(count):
            update(optimizer, params, slots, at + chosen[start + i] * m, gradient[i], rate, step)


@compiled
def _update_idle(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    at: int,
    chosen: np.ndarray,
    first: int,
    stop: int,
    rate: float,
    step: int,
    scratch: np.ndarray,
    m: int,
) -> None:
    """Step the rows that were not chosen by a gradient of zero."""
    nothing = scratch[ROWS_AT_ONCE * m : (ROWS_AT_ONCE + 1) * m]
    nothing[:] = 0.0
    position = 0
    for row in range(first, stop):
        if position < chosen.size and chosen[position] == row:
            position += 1
            continue
        update(optimizer, params, slots, at + row * m, nothing, rate, step)
