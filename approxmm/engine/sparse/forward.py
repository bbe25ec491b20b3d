"""One layer for one example: its active nodes, from the units of the layer below that count."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled, copy_into
from approxmm.dispatch import generic
from approxmm.engine.layout import Layout, bias_of, weights_of
from approxmm.engine.ledger import FORWARD, KEPT, SELECT, Ledger, mark
from approxmm.engine.sparse.memory import (
    BACK,
    LINE,
    SCALE,
    SELECTED,
    VALUES,
    Memory,
    line_of,
    part,
)
from approxmm.engine.sparse.plan import ByNode, ByRow, nodes_of
from approxmm.engine.sparse.products import columns_read, dot_lines, sum_whole_lines
from approxmm.engine.sparse.scoring import select_nodes
from approxmm.engine.sparse.units import choose, entering, items_of, list_units, outputs
from approxmm.methods.operations import SparseVector, select
from approxmm.random import Key

__all__ = ["forward_layer"]


@generic
def forward_layer(  # type: ignore[empty-body]
    plan: Any,
    k: int,
    params: np.ndarray,
    layout: Layout,
    activation: Any,
    state: Any,
    key: Key,
    memory: Memory,
    slot: int,
    rank: int,
    ledger: Ledger,
    since: float,
) -> float:
    """Compute layer k (from 0) for one example, by the plan; return the time of the last mark (compiled).

    Parameters
    ----------
    key : Key
        Of the example's draws, but for the layer.
    slot, rank : int
        The example's place in `memory`, and the thread's.
    since : float
        From `start`.
    """


@compiled
def _whole_layer(
    params: np.ndarray, layout: Layout, k: int, chosen: bool, memory: Memory, slot: int, rank: int, ledger: Ledger
) -> np.ndarray:
    """Return the products of all nodes of layer k (from 0) with what enters it, without the bias."""
    W, m = weights_of(params, layout, k), layout.widths[k + 1]
    items, values = entering(memory, slot, layout, k, chosen)
    line = line_of(memory.lines_real, LINE, rank, m)
    line[:] = 0.0
    sum_whole_lines(W, items, values, line)
    ledger.counts[rank, k, 0] += items.size * m
    return line


@compiled
def _last_layer(params: np.ndarray, layout: Layout, memory: Memory, slot: int, rank: int, ledger: Ledger) -> None:
    depth = layout.weight_at.size
    line = _whole_layer(params, layout, depth - 1, False, memory, slot, rank, ledger)
    scores, bias = part(memory.real, VALUES, slot, layout, depth), bias_of(params, layout, depth - 1)
    for j in range(line.size):
        scores[j] = line[j] + bias[j]
    memory.sizes[0, slot, depth] = memory.sizes[2, slot, depth] = line.size
    copy_into(items_of(memory, slot, layout, depth), memory.everything[: line.size])


@forward_layer.register(ByNode)
@compiled
def forward_by_node(
    plan: ByNode,
    k: int,
    params: np.ndarray,
    layout: Layout,
    activation: Any,
    state: Any,
    key: Key,
    memory: Memory,
    slot: int,
    rank: int,
    ledger: Ledger,
    since: float,
) -> float:
    """Select nodes, then compute these alone."""
    if k == plan.layers:
        _last_layer(params, layout, memory, slot, rank, ledger)
        return mark(ledger, rank, FORWARD, since)
    sent = outputs(memory, slot, layout, k)
    W, bias = nodes_of(params, layout, k), bias_of(params, layout, k)
    index, scale = memory.lines_whole[SELECTED, rank], memory.lines_real[SCALE, rank]
    # A law that reads nothing is given as many numbers as there are nodes.
    read = sent.dense if plan.reads_input else memory.lines_real[SCALE, rank, : bias.size]
    here = Key(key.seed, key.stream, key.step, k + 1, key.item)
    seen = SparseVector(read, sent.items, sent.values, sent.size)
    count = select_nodes(state, k, seen, here, bias.size, memory, slot, index, scale)
    since = mark(ledger, rank, SELECT, since)
    products = line_of(memory.lines_real, LINE, rank, count)
    items, values = sent.items[: sent.size], sent.values[: sent.size]
    dot_lines(W, index[:count], items, values, sent.dense, products)
    ledger.counts[rank, k, 0] += count * columns_read(items, W.shape[1])
    list_units(activation, plan.normalised, index[:count], scale, products, False, bias, memory, slot, layout, k + 1)
    ledger.counts[rank, k, KEPT] += count
    return mark(ledger, rank, FORWARD, since)


@forward_layer.register(ByRow)
@compiled
def forward_by_row(
    plan: ByRow,
    k: int,
    params: np.ndarray,
    layout: Layout,
    activation: Any,
    state: Any,
    key: Key,
    memory: Memory,
    slot: int,
    rank: int,
    ledger: Ledger,
    since: float,
) -> float:
    """Compute all nodes, from chosen inputs, or drop nodes when they are known."""
    if k == layout.weight_at.size - 1:
        _last_layer(params, layout, memory, slot, rank, ledger)
        return mark(ledger, rank, FORWARD, since)
    index, scale = memory.lines_whole[SELECTED, rank], memory.lines_real[SCALE, rank]
    here = Key(key.seed, key.stream, key.step, k + 1, key.item)
    sampled = k < plan.layers
    if sampled and plan.inner:
        sent = outputs(memory, slot, layout, k)
        count = select(state, k, sent.dense, here, index, scale)
        choose(index[:count], scale, memory, slot, layout, k)
        ledger.counts[rank, k, KEPT] += count
        since = mark(ledger, rank, SELECT, since)
    products = _whole_layer(params, layout, k, sampled and plan.inner, memory, slot, rank, ledger)
    bias, count = bias_of(params, layout, k), products.size
    since = mark(ledger, rank, FORWARD, since)
    if sampled and not plan.inner:
        z = line_of(memory.lines_real, BACK, rank, count)
        for j in range(count):
            z[j] = products[j] + bias[j]
        count = select(state, k, z, here, index, scale)
        ledger.counts[rank, k, KEPT] += count
        since = mark(ledger, rank, SELECT, since)
    else:
        copy_into(index, memory.everything[:count])
        scale[:count] = 1.0
    list_units(activation, plan.normalised, index[:count], scale, products, True, bias, memory, slot, layout, k + 1)
    return mark(ledger, rank, FORWARD, since)
