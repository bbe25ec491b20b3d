"""The state of active sets by hash tables and its compiled operations: look-ups, upkeep, rebuilds on a schedule."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from approxmm.compile import borrowed, compiled, inlined, keep_alive
from approxmm.hashing import list_in_order, list_nonzeros
from approxmm.locks import fetch_add
from approxmm.methods._hash_upkeep import SCALE_TURN, follow_changes, follow_step, rehash, shrink_scale
from approxmm.methods._hashed import LayerIndexes, search
from approxmm.methods._limits import limited
from approxmm.methods._query import unit_query
from approxmm.methods._rows import keep_all
from approxmm.methods.operations import (
    SparseVector,
    follow,
    follow_node,
    follow_nodes,
    follows,
    refresh,
    select,
    select_sparse,
)
from approxmm.random import Key

__all__ = ["SCHEDULES", "AlshState", "due"]

SCHEDULES = ("published", "geometric", "incremental", "every")
_PUBLISHED, _GEOMETRIC, _INCREMENTAL, _EVERY = range(4)


class AlshState(NamedTuple):
    """Indexes of all layers; size limit of each active set, int64 (L,); refreshes so far, int64 (L,); settings."""

    indexes: LayerIndexes
    limit: np.ndarray
    clock: np.ndarray
    cap: bool
    fill: bool
    by_frequency: bool
    probes: int
    schedule: int


@inlined
def _look_up(
    state: AlshState, layer: int, items: np.ndarray, values: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    query, size = unit_query(values)
    if not math.isfinite(size):
        return keep_all(index, scale, state.indexes.sizes[layer, 1])
    found = search(state.indexes, layer, items, query, state.probes)
    used = borrowed(found)
    limited(used, state.limit[layer], state.cap, state.fill, state.by_frequency, key)
    count = list_in_order(used.work, index)
    keep_alive(found)
    for i in range(count):
        scale[i] = 1.0
    return count


@select.register(AlshState)
@compiled
def select_alsh(state: AlshState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray) -> int:
    """Look the input up; cut and fill as asked for. An input that is not finite keeps all nodes, to be seen."""
    items, values = np.empty(x.size, np.int64), np.empty(x.size, x.dtype)
    size = list_nonzeros(x, items, values)
    return _look_up(state, layer, items[:size], values[:size], key, index, scale)


@select_sparse.register(AlshState)
@compiled
def select_alsh_sparse(
    state: AlshState, layer: int, x: SparseVector, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Do the same for an input whose non-zeros are listed; they cost K·L multiplications each."""
    return _look_up(state, layer, x.items[: x.size], x.values[: x.size], key, index, scale)


@follows.register(AlshState)
@compiled
def follows_alsh(state: AlshState) -> bool:
    """Return whether the tables are kept up to date; pooled weights are hashed anew by `refresh`."""
    return state.schedule == _INCREMENTAL and state.indexes.shape.pool == 1


@follow.register(AlshState)
@compiled
def follow_alsh(
    state: AlshState,
    layer: int,
    x: SparseVector,
    nodes: np.ndarray,
    coefficients: np.ndarray,
    products: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Step the nodes' projections by those of the input."""
    follow_step(state.indexes, layer, x, nodes, coefficients, products)


@follow_node.register(AlshState)
@compiled
def follow_alsh_node(
    state: AlshState, layer: int, node: int, items: np.ndarray, changes: np.ndarray, weights: np.ndarray
) -> None:
    """Project the changes."""
    one = np.full(1, node, np.int64)
    follow_changes(state.indexes, layer, one, items, np.expand_dims(changes, 0), weights)


@follow_nodes.register(AlshState)
@compiled
def follow_alsh_nodes(
    state: AlshState, layer: int, nodes: np.ndarray, items: np.ndarray, changes: np.ndarray, weights: np.ndarray
) -> None:
    """Project the changes of all nodes, then look at all codes."""
    follow_changes(state.indexes, layer, nodes, items, changes, weights)


@compiled
def due(schedule: int, clock: int) -> bool:
    """Return whether the tables are rebuilt after this many refreshes."""
    if schedule == _PUBLISHED:
        return clock % (100 if clock <= 10_000 else 1000) == 0
    if schedule == _GEOMETRIC:
        doubled = clock // 100
        return clock % 100 == 0 and doubled & (doubled - 1) == 0
    return True


@refresh.register(AlshState)
@compiled
def refresh_alsh(state: AlshState, layer: int, weights: np.ndarray, changed: np.ndarray) -> None:
    """Rehash the changed nodes, or all nodes when the schedule says so. With no changed items, see to the scale."""
    clock = fetch_add(state.clock, layer, 1) + 1
    at_once = state.schedule == _INCREMENTAL
    if not at_once:
        changed = np.arange(weights.shape[1] if due(state.schedule, clock) else 0)
    if changed.size > 0:
        rehash(state.indexes, layer, weights, changed, not at_once)
    if at_once and clock % SCALE_TURN == 0:
        shrink_scale(state.indexes, layer)
