"""The optimiser's step for scattered parameters: gathered, updated side by side, put back (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled
from approxmm.dispatch import generic
from approxmm.engine.optimizers import Sgd, update

__all__ = ["lines_at_once", "times_rate", "update_lines", "update_some"]


@compiled
def times_rate(numbers: np.ndarray, rate: float, out: np.ndarray) -> np.ndarray:
    """Write −rate · numbers to the beginning of `out`; return that part of it."""
    factor = numbers.dtype.type(-rate)
    for q in range(numbers.size):
        out[q] = factor * numbers[q]
    return out[: numbers.size]


@compiled
def lines_at_once(slots: np.ndarray, columns: int, scratch: np.ndarray) -> int:
    """Return how many lines of so many columns `update_lines` takes; `scratch` has room for at least one."""
    lines: int = scratch.size // ((2 + slots.shape[0]) * max(1, columns))
    return max(1, lines)


@compiled
def _gather(source: np.ndarray, start: int, columns: np.ndarray, out: np.ndarray) -> None:
    for q in range(out.size):
        out[q] = source[np.uint64(start + columns[q])]


@compiled
def _scatter(values: np.ndarray, start: int, columns: np.ndarray, into: np.ndarray) -> None:
    for q in range(values.size):
        into[np.uint64(start + columns[q])] = values[q]


@compiled
def update_lines(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    at: int,
    width: int,
    lines: np.ndarray,
    u: np.ndarray,
    columns: np.ndarray,
    v: np.ndarray,
    rate: float,
    step: int,
    scratch: np.ndarray,
) -> np.ndarray:
    """Step the weights W[lines, columns] by the gradient u vᵀ.

    Parameters
    ----------
    at, width : int
        Where the matrix begins in `params`, and the length of its lines.
    scratch : float array
        Of at least (2 + slot_count) · lines · columns elements.

    Returns
    -------
    (lines · columns,) float array
        By how much each of them changed; a view of `scratch`.
    """
    kept, count, size = slots.shape[0], lines.size * columns.size, columns.size
    weights, changes = scratch[:count], scratch[count : 2 * count]
    memory = scratch[2 * count : (2 + kept) * count].reshape((kept, count))
    for l in range(lines.size):  # noqa: E741
        start, part = at + lines[l] * width, slice(l * size, (l + 1) * size)
        _gather(params, start, columns, weights[part])
        for s in range(kept):
            _gather(slots[s], start, columns, memory[s, part])
        gradient = changes[part]
        for q in range(size):
            gradient[q] = u[l] * v[q]
    update(optimizer, weights, memory, 0, changes, rate, step)
    for l in range(lines.size):  # noqa: E741
        start, part = at + lines[l] * width, slice(l * size, (l + 1) * size)
        _gather(params, start, columns, changes[part])
        _scatter(weights[part], start, columns, params)
        for s in range(kept):
            _scatter(memory[s, part], start, columns, slots[s])
    for i in range(count):
        changes[i] = weights[i] - changes[i]
    return changes


@generic
def update_some(  # type: ignore[empty-body]
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    at: int,
    items: np.ndarray,
    gradient: np.ndarray,
    rate: float,
    step: int,
    scratch: np.ndarray,
) -> np.ndarray:
    """Step the parameters ``params[at + items]``; `scratch` and result as for `update_lines`, with one line."""


@update_some.register(Sgd)
@compiled
def _add_some(
    optimizer: Sgd,
    params: np.ndarray,
    slots: np.ndarray,
    at: int,
    items: np.ndarray,
    gradient: np.ndarray,
    rate: float,
    step: int,
    scratch: np.ndarray,
) -> np.ndarray:
    changes = times_rate(gradient, rate, scratch)
    for q in range(items.size):
        params[at + items[q]] += changes[q]
    return changes


@update_some.register(object)
@compiled
def _update_one_line(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    at: int,
    items: np.ndarray,
    gradient: np.ndarray,
    rate: float,
    step: int,
    scratch: np.ndarray,
) -> np.ndarray:
    one = np.ones(1, params.dtype)
    none = np.zeros(1, np.int64)
    return update_lines(optimizer, params, slots, at, 0, none, one, items, gradient, rate, step, scratch)
