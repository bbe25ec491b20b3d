"""A block of a layer's weights stepped by one example's gradient, as the optimiser does it (compiled).

Plain gradient descent adds to the weights where they are; every other optimiser gathers them, with its memory. Which it
is follows from the optimiser's class, so that only one of the two is ever compiled for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled
from approxmm.dispatch import generic
from approxmm.engine.layout import Layout, weights_of
from approxmm.engine.ledger import UPDATE, UPKEEP, Ledger, mark
from approxmm.engine.optimizers import Sgd
from approxmm.engine.sparse.memory import DELTA, LINE, PRODUCT, SCALE, Memory, line_of, listed
from approxmm.engine.sparse.plan import nodes_of
from approxmm.engine.sparse.products import add_block, dot_and_add, dot_lines, is_wide
from approxmm.engine.sparse.units import items_of, outputs
from approxmm.engine.sparse.updates import lines_at_once, times_rate, update_lines
from approxmm.methods.operations import follow, follow_nodes, follows

__all__ = ["change_nodes", "change_rows"]


@generic
def change_rows(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    k: int,
    items: np.ndarray,
    values: np.ndarray,
    whole: np.ndarray,
    back: np.ndarray,
    memory: Memory,
    slot: int,
    rank: int,
    rate: float,
    step: int,
) -> None:
    """Step the weights of layer k, which lie input by input, of the inputs `items` that entered as `values`.

    Parameters
    ----------
    whole : (m,) float array
        ∂loss/∂z of the layer's nodes, zeros where they are not listed.
    back : float array, as long as `items`, written
        ∂loss/∂(what entered), by the weights before the step.
    """


@change_rows.register(Sgd)
@compiled
def _add_to_rows(
    optimizer: Sgd,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    k: int,
    items: np.ndarray,
    values: np.ndarray,
    whole: np.ndarray,
    back: np.ndarray,
    memory: Memory,
    slot: int,
    rank: int,
    rate: float,
    step: int,
) -> None:
    W, nodes = weights_of(params, layout, k), items_of(memory, slot, layout, k + 1)
    scaled = times_rate(values, rate, memory.lines_real[SCALE, rank])
    if is_wide(nodes.size, whole.size):
        dot_and_add(W, items, nodes, whole, scaled, back)
        return
    delta = listed(memory, DELTA, slot, layout, k + 1)
    dot_lines(W, items, nodes, delta, whole, back)
    add_block(W, items, scaled, nodes, delta, whole, False, back)


@change_rows.register(object)
@compiled
def _update_rows(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    k: int,
    items: np.ndarray,
    values: np.ndarray,
    whole: np.ndarray,
    back: np.ndarray,
    memory: Memory,
    slot: int,
    rank: int,
    rate: float,
    step: int,
) -> None:
    W, scratch = weights_of(params, layout, k), memory.scratch[rank]
    nodes, delta = items_of(memory, slot, layout, k + 1), listed(memory, DELTA, slot, layout, k + 1)
    at, most = layout.weight_at[k], lines_at_once(slots, nodes.size, scratch)
    for first in range(0, items.size, most):
        lines, factors = items[first : first + most], values[first : first + most]
        dot_lines(W, lines, nodes, delta, whole, back[first : first + most])
        update_lines(optimizer, params, slots, at, whole.size, lines, factors, nodes, delta, rate, step, scratch)


@generic
def change_nodes(  # type: ignore[empty-body]
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    state: Any,
    k: int,
    memory: Memory,
    slot: int,
    rank: int,
    ledger: Ledger,
    rate: float,
    step: int,
    since: float,
) -> float:
    """Step the weights of layer k's listed nodes, which lie node by node; the method's state follows.

    Returns the time of the last mark.
    """


@change_nodes.register(Sgd)
@compiled
def _add_to_nodes(
    optimizer: Sgd,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    state: Any,
    k: int,
    memory: Memory,
    slot: int,
    rank: int,
    ledger: Ledger,
    rate: float,
    step: int,
    since: float,
) -> float:
    W, sent = nodes_of(params, layout, k), outputs(memory, slot, layout, k)
    nodes, delta = items_of(memory, slot, layout, k + 1), listed(memory, DELTA, slot, layout, k + 1)
    scaled = times_rate(delta, rate, memory.lines_real[SCALE, rank])
    spare = line_of(memory.lines_real, LINE, rank, nodes.size)
    add_block(W, nodes, scaled, sent.items[: sent.size], sent.values[: sent.size], sent.dense, False, spare)
    since = mark(ledger, rank, UPDATE, since)
    if follows(state):
        follow(state, k, sent, nodes, scaled, listed(memory, PRODUCT, slot, layout, k + 1), W.T)
        since = mark(ledger, rank, UPKEEP, since)
    return since


@change_nodes.register(object)
@compiled
def _update_nodes(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    state: Any,
    k: int,
    memory: Memory,
    slot: int,
    rank: int,
    ledger: Ledger,
    rate: float,
    step: int,
    since: float,
) -> float:
    W, sent, scratch = nodes_of(params, layout, k), outputs(memory, slot, layout, k), memory.scratch[rank]
    items, values = sent.items[: sent.size], sent.values[: sent.size]
    nodes, delta = items_of(memory, slot, layout, k + 1), listed(memory, DELTA, slot, layout, k + 1)
    at, most = layout.weight_at[k], lines_at_once(slots, items.size, scratch)
    for first in range(0, nodes.size, most):
        lines, factors = nodes[first : first + most], delta[first : first + most]
        changes = update_lines(
            optimizer, params, slots, at, W.shape[1], lines, factors, items, values, rate, step, scratch
        )
        since = mark(ledger, rank, UPDATE, since)
        if follows(state):
            follow_nodes(state, k, lines, items, changes.reshape((lines.size, items.size)), W.T)
            since = mark(ledger, rank, UPKEEP, since)
    return since
