"""What a method sees of a layer after its step (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled
from approxmm.dispatch import generic
from approxmm.engine.layout import Layout, bias_of, weights_of
from approxmm.engine.sparse.memory import Memory
from approxmm.engine.sparse.plan import ByNode, ByRow, lies_by_node, nodes_of
from approxmm.engine.sparse.units import outputs
from approxmm.methods.operations import follows, observe, refresh

__all__ = ["show_layer"]


@generic
def _refresh_layer(plan: Any, state: Any, k: int, params: np.ndarray, layout: Layout, changed: np.ndarray) -> None:
    """Let the method bring its state up to date with layer k's weights (compiled)."""


@_refresh_layer.register(ByNode)
@compiled
def _refresh_nodes(plan: ByNode, state: Any, k: int, params: np.ndarray, layout: Layout, changed: np.ndarray) -> None:
    refresh(state, k, nodes_of(params, layout, k).T, changed)


@_refresh_layer.register(ByRow)
@compiled
def _refresh_rows(plan: ByRow, state: Any, k: int, params: np.ndarray, layout: Layout, changed: np.ndarray) -> None:
    refresh(state, k, weights_of(params, layout, k), changed)


@compiled
def show_layer(
    plan: Any,
    state: Any,
    k: int,
    params: np.ndarray,
    layout: Layout,
    memory: Memory,
    first: int,
    stop: int,
    changed: np.ndarray,
) -> None:
    """Show the method what layer k received in the slots first … stop − 1, and which of its weights changed.

    Parameters
    ----------
    changed : ndarray
        Numbers of the nodes, or of the inputs, whose weights changed. A state that was told each change
        on the way, as `follows` says, is not told them again; that happens only where weights lie node by node.
    """
    for slot in range(first, stop):
        seen = outputs(memory, slot, layout, k).dense
        observe(state, k, seen.reshape((1, seen.size)), bias_of(params, layout, k))
    told = lies_by_node(plan, k) and follows(state)
    _refresh_layer(plan, state, k, params, layout, changed[: 0 if told else changed.size])
