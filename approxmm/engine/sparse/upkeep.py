"""What a method sees of a layer after its step (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled, inlined
from approxmm.dispatch import generic
from approxmm.engine.layout import Layout, bias_of, weights_of
from approxmm.engine.sparse.memory import Memory
from approxmm.engine.sparse.plan import ByNode, ByRow, lies_by_node, nodes_of
from approxmm.engine.sparse.units import outputs
from approxmm.methods.operations import follows, observe, refresh

__all__ = ["show_layer"]


@generic
def _weights_seen(plan: Any, params: np.ndarray, layout: Layout, k: int) -> np.ndarray:  # type: ignore[empty-body]
    """Return layer k's weights (n, m), a view, however they lie (compiled)."""


@_weights_seen.register(ByNode)
@compiled
def _turned(plan: ByNode, params: np.ndarray, layout: Layout, k: int) -> np.ndarray:
    return nodes_of(params, layout, k).T


@_weights_seen.register(ByRow)
@compiled
def _as_they_lie(plan: ByRow, params: np.ndarray, layout: Layout, k: int) -> np.ndarray:
    return weights_of(params, layout, k)


@inlined
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
    refresh(state, k, _weights_seen(plan, params, layout, k), changed[: 0 if told else changed.size])
