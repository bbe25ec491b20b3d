"""Steps of plain gradient descent for several examples: added to the weights one after the other (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled
from approxmm.engine.layout import Layout, weights_of
from approxmm.engine.ledger import Ledger
from approxmm.engine.optimizers import adds_directly
from approxmm.engine.sparse.memory import (
    BACK,
    COORDINATES,
    DELTA,
    LINE,
    PRODUCT,
    SCALE,
    Memory,
    line_of,
    listed,
    part,
)
from approxmm.engine.sparse.plan import is_chosen, lies_by_node, nodes_of
from approxmm.engine.sparse.products import add_block, columns_read, dot_lines
from approxmm.engine.sparse.scoring import is_scored
from approxmm.engine.sparse.units import entering, fill_line, items_of, outputs
from approxmm.engine.sparse.updates import times_rate
from approxmm.engine.team import Team, share
from approxmm.methods.operations import follow, follows, needs_products
from approxmm.methods.scoring import score_factors

__all__ = ["add_share", "adds_alone", "follow_in_turn", "sides_of"]


@compiled
def sides_of(
    memory: Memory, slot: int, layout: Layout, k: int, by_node: bool, chosen: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return lines and columns of one example's gradient of layer k's weights, each with its factors; views."""
    items, values = entering(memory, slot, layout, k, chosen)
    nodes, delta = items_of(memory, slot, layout, k + 1), listed(memory, DELTA, slot, layout, k + 1)
    if by_node:
        return nodes, delta, items, values
    return items, values, nodes, delta


@compiled
def _spread(
    memory: Memory, slot: int, rank: int, layout: Layout, k: int, by_node: bool, columns: np.ndarray, v: np.ndarray
) -> np.ndarray:
    """Return `v` at its places in a whole line, zeros elsewhere."""
    if by_node:
        return outputs(memory, slot, layout, k).dense
    return fill_line(columns, v, line_of(memory.lines_real, LINE, rank, layout.widths[k + 1]))


@compiled
def adds_alone(plan: Any, k: int, optimizer: Any, state: Any) -> bool:
    """Return whether a layer's steps are only added up: nobody looks at the weights between two examples' steps."""
    return adds_directly(optimizer) and not (lies_by_node(plan, k) and follows(state) and needs_products(state))


@compiled
def _add_example(
    W: np.ndarray,
    layout: Layout,
    k: int,
    by_node: bool,
    chosen: bool,
    memory: Memory,
    slot: int,
    low: int,
    high: int,
    rank: int,
    ledger: Ledger,
    rate: float,
) -> None:
    """Add one example's step to the lines low … high − 1 of layer k's weights."""
    lines, u, columns, v = sides_of(memory, slot, layout, k, by_node, chosen)
    whole, first, stop = _spread(memory, slot, rank, layout, k, by_node, columns, v), 0, 0
    for l in range(lines.size):  # noqa: E741
        first += lines[l] < low
        stop += lines[l] < high
    scaled = times_rate(u[first:stop], rate, memory.lines_real[SCALE, rank])
    spare = line_of(memory.lines_real, BACK, rank, stop - first)
    add_block(W, lines[first:stop], scaled, columns, v, whole, stop - first < lines.size, spare)
    ledger.counts[rank, k, 2] += (stop - first) * columns_read(columns, W.shape[1])


@compiled
def add_share(
    plan: Any,
    params: np.ndarray,
    layout: Layout,
    k: int,
    memory: Memory,
    size: int,
    team: Team,
    ledger: Ledger,
    rate: float,
) -> None:
    """Add the steps of the examples in the slots 0 … size − 1 to this thread's share of the lines of layer k's weights.

    Each line gets them in the order of the slots, however many threads there are.
    """
    by_node, chosen = lies_by_node(plan, k), is_chosen(plan, k)
    W = nodes_of(params, layout, k) if by_node else weights_of(params, layout, k)
    low, high = share(team, W.shape[0], 1)
    for b in range(size):
        _add_example(W, layout, k, by_node, chosen, memory, b, low, high, team.rank, ledger, rate)


@compiled
def _add_to_factors(
    layout: Layout, state: Any, k: int, memory: Memory, slot: int, rank: int, ledger: Ledger, rate: float
) -> None:
    """Let what scores the nodes of layer k follow one example's step, by the coordinates that it was scored by."""
    nodes, delta = items_of(memory, slot, layout, k + 1), listed(memory, DELTA, slot, layout, k + 1)
    factors, size = score_factors(state, k, memory.scores), memory.divisor[slot, k]
    scaled = times_rate(delta, rate * size, memory.lines_real[SCALE, rank])
    whole = _spread(memory, slot, rank, layout, k, False, nodes, scaled)
    rows, spare = memory.everything[: factors.shape[0]], line_of(memory.lines_real, BACK, rank, factors.shape[0])
    coordinates = part(memory.real, COORDINATES, slot, layout, k)[: rows.size]
    add_block(factors, rows, coordinates, nodes, scaled, whole, False, spare)
    ledger.counts[rank, k, 2] += rows.size * columns_read(nodes, factors.shape[1])


@compiled
def follow_in_turn(
    W: np.ndarray,
    layout: Layout,
    state: Any,
    k: int,
    memory: Memory,
    size: int,
    rank: int,
    ledger: Ledger,
    rate: float,
    added: bool,
) -> None:
    """Let the method's state follow the examples' steps one after the other, adding each before unless all are."""
    scored = is_scored(state, k, memory)
    for b in range(size):
        sent, delta = outputs(memory, b, layout, k), listed(memory, DELTA, b, layout, k + 1)
        nodes, products = items_of(memory, b, layout, k + 1), listed(memory, PRODUCT, b, layout, k + 1)
        if not added:
            if b > 0 and not scored:  # earlier examples may have moved these nodes
                items, values = sent.items[: sent.size], sent.values[: sent.size]
                dot_lines(W, nodes, items, values, sent.dense, products)
                ledger.counts[rank, k, 2] += nodes.size * columns_read(items, W.shape[1])
            _add_example(W, layout, k, True, False, memory, b, 0, W.shape[0], rank, ledger, rate)
        if scored:
            _add_to_factors(layout, state, k, memory, b, rank, ledger, rate)
            continue
        follow(state, k, sent, nodes, times_rate(delta, rate, memory.lines_real[SCALE, rank]), products, W.T)
