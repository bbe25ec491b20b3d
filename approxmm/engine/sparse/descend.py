"""One example's way back, while the weights stay as they are (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled
from approxmm.dispatch import generic
from approxmm.engine.layout import Layout, weights_of
from approxmm.engine.ledger import Ledger
from approxmm.engine.sparse.memory import BACK, DELTA, LINE, Memory, line_of, listed
from approxmm.engine.sparse.plan import ByNode, ByRow, is_chosen, nodes_of
from approxmm.engine.sparse.products import columns_read, columns_summed, dot_lines, sum_lines
from approxmm.engine.sparse.units import entering, fill_line, items_of, take_back

__all__ = ["descend"]


@compiled
def _back_through_rows(
    params: np.ndarray, layout: Layout, k: int, chosen: bool, memory: Memory, slot: int, rank: int, ledger: Ledger
) -> np.ndarray:
    """Return ∂loss/∂(what entered layer k), whose weights lie input by input."""
    W, m = weights_of(params, layout, k), layout.widths[k + 1]
    items = entering(memory, slot, layout, k, chosen)[0]
    nodes, delta = items_of(memory, slot, layout, k + 1), listed(memory, DELTA, slot, layout, k + 1)
    back, whole = line_of(memory.lines_real, BACK, rank, items.size), line_of(memory.lines_real, LINE, rank, m)
    fill_line(nodes, delta, whole)
    dot_lines(W, items, nodes, delta, whole, back)
    ledger.counts[rank, k, 1] += items.size * columns_read(nodes, m)
    return back


@generic
def descend(
    plan: Any, k: int, params: np.ndarray, layout: Layout, memory: Memory, slot: int, rank: int, ledger: Ledger
) -> None:
    """Turn one example's ∂loss/∂z of layer k (from 0; not the first) into that of the layer below, in DELTA (compiled).

    The layers are counted by their weights: layer k leads from the units numbered k to those numbered k + 1.
    """


@descend.register(ByNode)
@compiled
def descend_by_node(
    plan: ByNode, k: int, params: np.ndarray, layout: Layout, memory: Memory, slot: int, rank: int, ledger: Ledger
) -> None:
    """Read the active nodes' weights, in the hidden layers node by node."""
    if k == plan.layers:
        back = _back_through_rows(params, layout, k, False, memory, slot, rank, ledger)
    else:
        W, items = nodes_of(params, layout, k), items_of(memory, slot, layout, k)
        nodes, delta = items_of(memory, slot, layout, k + 1), listed(memory, DELTA, slot, layout, k + 1)
        back = line_of(memory.lines_real, BACK, rank, items.size)
        line = line_of(memory.lines_real, LINE, rank, W.shape[1])
        sum_lines(W, nodes, delta, items, line, back)
        ledger.counts[rank, k, 1] += nodes.size * columns_summed(items.size, W.shape[1])
    take_back(back, False, plan.normalised, memory, slot, layout, k)


@descend.register(ByRow)
@compiled
def descend_by_row(
    plan: ByRow, k: int, params: np.ndarray, layout: Layout, memory: Memory, slot: int, rank: int, ledger: Ledger
) -> None:
    """Read the weights of what entered."""
    chosen = is_chosen(plan, k)
    back = _back_through_rows(params, layout, k, chosen, memory, slot, rank, ledger)
    take_back(back, chosen, plan.normalised, memory, slot, layout, k)
