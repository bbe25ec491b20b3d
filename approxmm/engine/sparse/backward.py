"""One example's way back, with a step of the weights on the way (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled, inlined
from approxmm.dispatch import generic
from approxmm.engine.layout import Layout
from approxmm.engine.ledger import BACKWARD, UPKEEP, Ledger, mark
from approxmm.engine.optimizers import adds_directly
from approxmm.engine.sparse.changes import change_nodes, change_rows
from approxmm.engine.sparse.memory import BACK, DELTA, LINE, Memory, line_of, listed
from approxmm.engine.sparse.plan import ByNode, ByRow, is_chosen, nodes_of
from approxmm.engine.sparse.products import columns_read, columns_summed, sum_lines
from approxmm.engine.sparse.units import entering, fill_line, items_of, outputs, take_back
from approxmm.engine.sparse.updates import update_some
from approxmm.engine.sparse.upkeep import show_layer

__all__ = ["step_example"]


@compiled
def _step_bias(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    k: int,
    memory: Memory,
    slot: int,
    rank: int,
    rate: float,
    step: int,
) -> None:
    nodes, delta = items_of(memory, slot, layout, k + 1), listed(memory, DELTA, slot, layout, k + 1)
    update_some(optimizer, params, slots, layout.bias_at[k], nodes, delta, rate, step, memory.scratch[rank])


@compiled
def _step_rows(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    k: int,
    chosen: bool,
    memory: Memory,
    slot: int,
    rank: int,
    ledger: Ledger,
    rate: float,
    step: int,
) -> np.ndarray:
    """Step layer k's weights, which lie input by input; return ∂loss/∂(what entered it)."""
    m = layout.widths[k + 1]
    items, values = entering(memory, slot, layout, k, chosen)
    nodes, delta = items_of(memory, slot, layout, k + 1), listed(memory, DELTA, slot, layout, k + 1)
    back, whole = line_of(memory.lines_real, BACK, rank, items.size), line_of(memory.lines_real, LINE, rank, m)
    fill_line(nodes, delta, whole)
    change_rows(optimizer, params, slots, layout, k, items, values, whole, back, memory, slot, rank, rate, step)
    read = columns_read(nodes, m)
    ledger.counts[rank, k, 1] += items.size * read if k > 0 else 0  # for the first layer nobody asks for it
    ledger.counts[rank, k, 2] += items.size * (read if adds_directly(optimizer) else nodes.size)
    return back


@inlined
def _step_nodes(
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
    """Step layer k's weights, which lie node by node; leave ∂loss/∂(its input) in the thread's line BACK."""
    W = nodes_of(params, layout, k)
    sent, nodes = outputs(memory, slot, layout, k), items_of(memory, slot, layout, k + 1)
    items, delta = sent.items[: sent.size], listed(memory, DELTA, slot, layout, k + 1)
    back = line_of(memory.lines_real, BACK, rank, items.size)
    if k > 0:
        sum_lines(W, nodes, delta, items, line_of(memory.lines_real, LINE, rank, W.shape[1]), back)
    since = mark(ledger, rank, BACKWARD, since)
    ledger.counts[rank, k, 1] += nodes.size * columns_summed(items.size, W.shape[1]) if k > 0 else 0
    changed = columns_read(items, W.shape[1]) if adds_directly(optimizer) else items.size
    ledger.counts[rank, k, 2] += nodes.size * changed
    return change_nodes(optimizer, params, slots, layout, state, k, memory, slot, rank, ledger, rate, step, since)


@generic
def step_example(  # type: ignore[empty-body]
    plan: Any,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    optimizer: Any,
    state: Any,
    memory: Memory,
    slot: int,
    rank: int,
    ledger: Ledger,
    rate: float,
    step: int,
    since: float,
) -> float:
    """Step all parameters by the gradient of one example, whose ∂loss/∂z_L is in DELTA (compiled).

    Each layer's weights are read for the layer below before they change. Returns the time of the last mark.
    """


@step_example.register(ByNode)
@compiled
def step_by_node(
    plan: ByNode,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    optimizer: Any,
    state: Any,
    memory: Memory,
    slot: int,
    rank: int,
    ledger: Ledger,
    rate: float,
    step: int,
    since: float,
) -> float:
    """Step the active nodes' weights from the units that entered them."""
    depth = layout.weight_at.size
    for up in range(depth):
        k = depth - 1 - up
        if k == depth - 1:
            _step_rows(optimizer, params, slots, layout, k, False, memory, slot, rank, ledger, rate, step)
        else:
            since = _step_nodes(
                optimizer, params, slots, layout, state, k, memory, slot, rank, ledger, rate, step, since
            )
        _step_bias(optimizer, params, slots, layout, k, memory, slot, rank, rate, step)
        if k > 0:
            back = line_of(memory.lines_real, BACK, rank, memory.sizes[0, slot, k])
            take_back(back, False, plan.normalised, memory, slot, layout, k)
        since = mark(ledger, rank, BACKWARD, since)
    for k in range(plan.layers):
        changed = items_of(memory, slot, layout, k + 1)
        show_layer(plan, state, k, params, layout, memory, slot, slot + 1, changed)
    return mark(ledger, rank, UPKEEP, since)


@step_example.register(ByRow)
@compiled
def step_by_row(
    plan: ByRow,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    optimizer: Any,
    state: Any,
    memory: Memory,
    slot: int,
    rank: int,
    ledger: Ledger,
    rate: float,
    step: int,
    since: float,
) -> float:
    """Step the weights of the inputs that entered, towards the nodes that count."""
    depth = layout.weight_at.size
    for up in range(depth):
        k = depth - 1 - up
        chosen = is_chosen(plan, k)
        back = _step_rows(optimizer, params, slots, layout, k, chosen, memory, slot, rank, ledger, rate, step)
        _step_bias(optimizer, params, slots, layout, k, memory, slot, rank, rate, step)
        if k > 0:
            take_back(back, chosen, plan.normalised, memory, slot, layout, k)
        since = mark(ledger, rank, BACKWARD, since)
    for k in range(plan.layers):
        changed = entering(memory, slot, layout, k, True)[0] if plan.inner else items_of(memory, slot, layout, k + 1)
        show_layer(plan, state, k, params, layout, memory, slot, slot + 1, changed)
    return mark(ledger, rank, UPKEEP, since)
