"""The step of a layer by the gradients of several examples (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled
from approxmm.dispatch import generic
from approxmm.engine.layout import Layout, weights_of
from approxmm.engine.ledger import UPDATE, UPKEEP, Ledger, mark
from approxmm.engine.optimizers import Sgd
from approxmm.engine.sparse.additions import adds_alone, follow_in_turn, sides_of
from approxmm.engine.sparse.memory import BACK, DELTA, LINE, SELECTED, Memory, line_of, listed
from approxmm.engine.sparse.plan import is_chosen, lies_by_node, nodes_of
from approxmm.engine.sparse.units import entering, items_of
from approxmm.engine.sparse.updates import update_some
from approxmm.engine.sparse.upkeep import show_layer
from approxmm.methods.operations import follow_node, follows

__all__ = ["step_layer"]


@compiled
def _gather_lines(
    memory: Memory, size: int, layout: Layout, k: int, by_node: bool, chosen: bool, height: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where each line's entries begin, and the entries: the example, and the line's position there."""
    starts = np.zeros(height + 1, np.int64)
    for b in range(size):
        for line in sides_of(memory, b, layout, k, by_node, chosen)[0]:
            starts[line + 1] += 1
    for line in range(height):
        starts[line + 1] += starts[line]
    example, place, free = np.empty(starts[height], np.int64), np.empty(starts[height], np.int64), starts.copy()
    for b in range(size):
        lines = sides_of(memory, b, layout, k, by_node, chosen)[0]
        for p in range(lines.size):
            example[free[lines[p]]], place[free[lines[p]]] = b, p
            free[lines[p]] += 1
    return starts, example, place


@compiled
def _sum_line(
    memory: Memory,
    layout: Layout,
    k: int,
    by_node: bool,
    chosen: bool,
    example: np.ndarray,
    place: np.ndarray,
    marks: np.ndarray,
    mark: int,
    touched: np.ndarray,
    gradient: np.ndarray,
) -> int:
    """Add up the gradient of one line over its entries; return how many columns it has, listed in `touched`."""
    count = 0
    for e in range(example.size):
        _, u, columns, v = sides_of(memory, example[e], layout, k, by_node, chosen)
        for q in range(columns.size):
            j = columns[q]
            if marks[j] != mark:
                marks[j] = mark
                touched[count] = j
                gradient[j] = 0.0
                count += 1
            gradient[j] += u[place[e]] * v[q]
    return count


@compiled
def _step_bias(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    k: int,
    memory: Memory,
    size: int,
    rank: int,
    rate: float,
    step: int,
) -> np.ndarray:
    """Step the biases of the nodes that any example touched; return these nodes, increasing."""
    m = layout.widths[k + 1]
    gradient, touched = np.zeros(m, params.dtype), np.zeros(m, np.int64)
    for b in range(size):
        nodes, delta = items_of(memory, b, layout, k + 1), listed(memory, DELTA, b, layout, k + 1)
        for q in range(nodes.size):
            gradient[nodes[q]] += delta[q]
            touched[nodes[q]] = 1
    count = 0
    for j in range(m):
        is_touched = touched[j] != 0
        touched[count], gradient[count] = j, gradient[j]
        count += is_touched
    update_some(
        optimizer, params, slots, layout.bias_at[k], touched[:count], gradient[:count], rate, step, memory.scratch[rank]
    )
    return touched[:count]


@generic
def _step_lines(  # type: ignore[empty-body]
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    W: np.ndarray,
    layout: Layout,
    state: Any,
    plan: Any,
    k: int,
    by_node: bool,
    chosen: bool,
    memory: Memory,
    size: int,
    rank: int,
    ledger: Ledger,
    rate: float,
    step: int,
    since: float,
) -> float:
    """Step layer k's weights by the gradient of the examples in the slots 0 … size − 1, by the optimiser's class.

    Returns the time of the last mark.
    """


@_step_lines.register(Sgd)
@compiled
def _follow_added_lines(
    optimizer: Sgd,
    params: np.ndarray,
    slots: np.ndarray,
    W: np.ndarray,
    layout: Layout,
    state: Any,
    plan: Any,
    k: int,
    by_node: bool,
    chosen: bool,
    memory: Memory,
    size: int,
    rank: int,
    ledger: Ledger,
    rate: float,
    step: int,
    since: float,
) -> float:
    """Let the method follow the examples' steps, which are added up by `add_share` or one after the other."""
    if by_node and follows(state):
        follow_in_turn(W, layout, state, k, memory, size, rank, ledger, rate, adds_alone(plan, k, optimizer, state))
        since = mark(ledger, rank, UPKEEP, since)
    return since


@_step_lines.register(object)
@compiled
def _update_line_by_line(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    W: np.ndarray,
    layout: Layout,
    state: Any,
    plan: Any,
    k: int,
    by_node: bool,
    chosen: bool,
    memory: Memory,
    size: int,
    rank: int,
    ledger: Ledger,
    rate: float,
    step: int,
    since: float,
) -> float:
    """Update each touched line once, by the sum of its examples' gradients."""
    height, width = W.shape
    starts, example, place = _gather_lines(memory, size, layout, k, by_node, chosen, height)
    marks, touched = np.zeros(width, np.int64), memory.lines_whole[SELECTED, rank]
    summed, packed = line_of(memory.lines_real, LINE, rank, width), line_of(memory.lines_real, BACK, rank, width)
    for line in range(height):
        low, high = starts[line], starts[line + 1]
        count = _sum_line(
            memory, layout, k, by_node, chosen, example[low:high], place[low:high], marks, line + 1, touched, summed
        )
        if count == 0:
            continue
        for q in range(count):
            packed[q] = summed[touched[q]]
        ledger.counts[rank, k, 2] += count * (high - low)
        at = layout.weight_at[k] + line * width
        changes = update_some(
            optimizer, params, slots, at, touched[:count], packed[:count], rate, step, memory.scratch[rank]
        )
        if by_node and follows(state):
            follow_node(state, k, line, touched[:count], changes, W.T)
    return since


@compiled
def step_layer(
    plan: Any,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    optimizer: Any,
    state: Any,
    k: int,
    memory: Memory,
    size: int,
    rank: int,
    ledger: Ledger,
    rate: float,
    step: int,
    since: float,
) -> float:
    """Step layer k by the gradient of the examples in the slots 0 … size − 1, and let the method see it.

    Weights whose steps are only added up, as `adds_alone` says, have had theirs by `add_share`. Needs nothing of the
    other layers but what is in `memory`: threads may take a layer each.

    Returns
    -------
    float
        The time of the last mark.
    """
    by_node, chosen = lies_by_node(plan, k), is_chosen(plan, k)
    W = nodes_of(params, layout, k) if by_node else weights_of(params, layout, k)
    since = _step_lines(
        optimizer,
        params,
        slots,
        W,
        layout,
        state,
        plan,
        k,
        by_node,
        chosen,
        memory,
        size,
        rank,
        ledger,
        rate,
        step,
        since,
    )
    touched = _step_bias(optimizer, params, slots, layout, k, memory, size, rank, rate, step)
    since = mark(ledger, rank, UPDATE, since)
    if k < plan.layers:
        changed = _entered(memory, size, layout, k) if chosen else touched
        show_layer(plan, state, k, params, layout, memory, 0, size, changed)
    return mark(ledger, rank, UPKEEP, since)


@compiled
def _entered(memory: Memory, size: int, layout: Layout, k: int) -> np.ndarray:
    """Return the units that entered layer k in any example, increasing."""
    entered = np.zeros(layout.widths[k], np.bool_)
    for b in range(size):
        for i in entering(memory, b, layout, k, True)[0]:
            entered[i] = True
    return np.flatnonzero(entered)
