"""One example's way back, with a step of the weights on the way (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled, inlined
from approxmm.dispatch import generic
from approxmm.engine.layout import Layout, weights_of
from approxmm.engine.optimizers import adds_directly
from approxmm.engine.sparse.ledger import BACKWARD, UPDATE, UPKEEP, Ledger, mark
from approxmm.engine.sparse.memory import BACK, DELTA, LINE, PRODUCT, SCALE, Memory, line_of, listed
from approxmm.engine.sparse.plan import ByNode, ByRow, is_chosen, nodes_of
from approxmm.engine.sparse.products import add_block, dot_and_add, dot_lines, is_wide, sum_lines
from approxmm.engine.sparse.units import entering, items_of, outputs, take_back
from approxmm.engine.sparse.updates import lines_at_once, times_rate, update_lines, update_some
from approxmm.engine.sparse.upkeep import show_layer
from approxmm.methods.operations import follow, follow_nodes, follows

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
    W, m = weights_of(params, layout, k), layout.widths[k + 1]
    items, values = entering(memory, slot, layout, k, chosen)
    nodes, delta = items_of(memory, slot, layout, k + 1), listed(memory, DELTA, slot, layout, k + 1)
    back, whole = line_of(memory.lines_real, BACK, rank, items.size), line_of(memory.lines_real, LINE, rank, m)
    whole[:] = 0.0
    for q in range(nodes.size):
        whole[nodes[q]] = delta[q]
    if adds_directly(optimizer):
        scaled = times_rate(values, rate, memory.lines_real[SCALE, rank])
        if is_wide(nodes.size, m):
            dot_and_add(W, items, whole, scaled, back)
        else:
            dot_lines(W, items, nodes, delta, whole, back)
            add_block(W, items, scaled, nodes, delta, whole, back)
    else:
        most = lines_at_once(slots, nodes.size, memory.scratch[rank])
        for first in range(0, items.size, most):
            lines, factors = items[first : first + most], values[first : first + most]
            dot_lines(W, lines, nodes, delta, whole, back[first : first + most])
            update_lines(
                optimizer,
                params,
                slots,
                layout.weight_at[k],
                m,
                lines,
                factors,
                nodes,
                delta,
                rate,
                step,
                memory.scratch[rank],
            )
    touched = items.size * (m if is_wide(nodes.size, m) else nodes.size)
    ledger.counts[rank, k, 1] += touched if k > 0 else 0  # for the first layer nobody asks for it
    ledger.counts[rank, k, 2] += touched
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
    items, values, delta = sent.items[: sent.size], sent.values[: sent.size], listed(memory, DELTA, slot, layout, k + 1)
    back, scratch = line_of(memory.lines_real, BACK, rank, items.size), memory.scratch[rank]
    if k > 0:
        sum_lines(W, nodes, delta, items, line_of(memory.lines_real, LINE, rank, W.shape[1]), back)
    since = mark(ledger, rank, BACKWARD, since)
    touched = nodes.size * (W.shape[1] if is_wide(items.size, W.shape[1]) else items.size)
    ledger.counts[rank, k, 1] += touched if k > 0 else 0
    ledger.counts[rank, k, 2] += touched
    if adds_directly(optimizer):
        scaled = times_rate(delta, rate, memory.lines_real[SCALE, rank])
        spare = line_of(memory.lines_real, LINE, rank, nodes.size)
        add_block(W, nodes, scaled, items, values, sent.dense, spare)
        since = mark(ledger, rank, UPDATE, since)
        if follows(state):
            follow(state, k, sent, nodes, scaled, listed(memory, PRODUCT, slot, layout, k + 1), W.T)
            since = mark(ledger, rank, UPKEEP, since)
        return since
    most = lines_at_once(slots, items.size, scratch)
    for first in range(0, nodes.size, most):
        lines = nodes[first : first + most]
        changes = update_lines(
            optimizer,
            params,
            slots,
            layout.weight_at[k],
            W.shape[1],
            lines,
            delta[first : first + most],
            items,
            values,
            rate,
            step,
            scratch,
        )
        since = mark(ledger, rank, UPDATE, since)
        if follows(state):
            follow_nodes(state, k, lines, items, changes.reshape((lines.size, items.size)), W.T)
            since = mark(ledger, rank, UPKEEP, since)
    return since


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
