"""The nodes' scores for several examples at once, where a method selects by a product of matrices (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled, copy_into
from approxmm.dispatch import generic
from approxmm.engine.dense import multiply
from approxmm.engine.layout import Layout
from approxmm.engine.sparse.memory import COORDINATES, Memory, part
from approxmm.engine.sparse.plan import ByNode, ByRow
from approxmm.engine.sparse.units import outputs
from approxmm.methods.operations import SparseVector, select_sparse
from approxmm.methods.scoring import begin_scores, score_factors, select_scored
from approxmm.random import Key

__all__ = ["is_scored", "score_layer", "select_nodes"]


@compiled
def is_scored(state: Any, k: int, memory: Memory) -> bool:
    """Return whether layer k's nodes are selected by scores of a whole batch, for which there is room then."""
    scored: bool = memory.scores.shape[0] > 0 and score_factors(state, k, memory.scores).shape[0] > 0
    return scored


@generic
def score_layer(plan: Any, state: Any, k: int, layout: Layout, memory: Memory, first: int, stop: int) -> None:
    """Score the nodes of layer k (from 0) for the examples in the slots first … stop − 1, where that serves (compiled).

    A score does not depend on how the examples are divided.
    """


@score_layer.register(ByNode)
@compiled
def score_nodes(plan: ByNode, state: Any, k: int, layout: Layout, memory: Memory, first: int, stop: int) -> None:
    """Multiply all examples' coordinates by the method's factors."""
    if k == plan.layers or not is_scored(state, k, memory):
        return
    factors = score_factors(state, k, memory.scores)
    rank, m = factors.shape
    coordinates = np.empty((stop - first, rank), memory.scores.dtype)
    scores = memory.scores[first:stop]
    for b in range(first, stop):
        sent, own = outputs(memory, b, layout, k), coordinates[b - first]
        size = begin_scores(state, k, sent, own, scores[b - first, :m])
        copy_into(part(memory.real, COORDINATES, b, layout, k), own)
        memory.divisor[b, k] = size
    multiply(coordinates, factors, np.arange(rank), scores, 0, m)


@score_layer.register(ByRow)
@compiled
def score_nothing(plan: ByRow, state: Any, k: int, layout: Layout, memory: Memory, first: int, stop: int) -> None:
    """Do nothing: all nodes are computed."""


@compiled
def select_nodes(
    state: Any,
    k: int,
    sent: SparseVector,
    key: Key,
    nodes: int,
    memory: Memory,
    slot: int,
    index: np.ndarray,
    scale: np.ndarray,
) -> int:
    """Select the nodes of layer k (from 0), `nodes` of them, that are computed, by their scores if there are any."""
    if is_scored(state, k, memory):
        return select_scored(state, k, memory.scores[slot, :nodes], index, scale)
    return select_sparse(state, k, sent, key, index, scale)
