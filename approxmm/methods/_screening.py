"""The state of principal-subspace screening and its compiled operations: scores, upkeep, renewals."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from approxmm.compile import compiled, copy_into
from approxmm.hashing import add_rows, list_nonzeros
from approxmm.locks import fetch_add, release, try_acquire
from approxmm.methods._basis import follow_subspace
from approxmm.methods._packed import Packed, matrix_of, vector_of
from approxmm.methods._query import unit_query
from approxmm.methods._rows import keep_all
from approxmm.methods.operations import (
    SparseVector,
    follow,
    follow_node,
    follow_nodes,
    follows,
    needs_products,
    observe,
    refresh,
    select,
    select_sparse,
)
from approxmm.methods.scoring import begin_scores, score_factors, select_scored
from approxmm.random import Key
from approxmm.ranking import fill_top

__all__ = ["BASIS", "BIAS", "FIRST_SWEEPS", "PROJECTED", "RING", "SubspaceScreenState"]


class SubspaceScreenState(NamedTuple):
    """What scores need, for all layers.

    Attributes
    ----------
    active : (L,) int64
    arrays : Packed
        Of each layer: the basis U (n, r), the projected weights V = UᵀW (r, m), the bias (m,), and the
        latest inputs (c, n) before a renewal, a ring.
    seen, renewed, projected : (L,) int64
        Inputs observed so far, at the basis's last renewal, and when V was last computed from the weights.
    behind, busy : (L,) int64
        1 where V does not know of changes of the weights, and while a thread renews it; else 0.
    renew, project : int
        Observed inputs between renewals of the basis, and of V where it is behind.
    """

    active: np.ndarray
    arrays: Packed
    seen: np.ndarray
    renewed: np.ndarray
    projected: np.ndarray
    behind: np.ndarray
    busy: np.ndarray
    renew: int
    project: int


BASIS, PROJECTED, BIAS, RING = range(4)  # parts of `arrays`
FIRST_SWEEPS = 4  # of the iteration, before there is a basis to start from; later one is as good


@score_factors.register(SubspaceScreenState)
@compiled
def projected_weights(state: SubspaceScreenState, layer: int, like: np.ndarray) -> np.ndarray:
    """Return V."""
    return matrix_of(state.arrays.flat, state.arrays.layout[layer, PROJECTED])


@begin_scores.register(SubspaceScreenState)
@compiled
def begin_with_bias(
    state: SubspaceScreenState, layer: int, x: SparseVector, coordinates: np.ndarray, scores: np.ndarray
) -> float:
    """Write Uᵀx and the bias, both relative to the input's size; NaN as scores of an input that is not finite.

    Scores relative to the size order the nodes alike, and keep their digits where the input is tiny.
    """
    flat, at = state.arrays.flat, state.arrays.layout[layer]
    query, size = unit_query(x.values[: x.size])
    coordinates[:] = 0.0
    if math.isfinite(size):
        add_rows(matrix_of(flat, at[BASIS]), x.items[: x.size], query, coordinates)
    bias = vector_of(flat, at[BIAS])
    if size == 1.0:  # nearly always: divisions would take as long as the products
        copy_into(scores, bias)
    else:
        for j in range(scores.size):
            scores[j] = bias[j] / size if math.isfinite(size) else np.nan
    return size


@select_scored.register(SubspaceScreenState)
@compiled
def select_largest(
    state: SubspaceScreenState, layer: int, scores: np.ndarray, index: np.ndarray, scale: np.ndarray
) -> int:
    """Select the nodes of largest score; all of them, to be seen, where scores are NaN."""
    if math.isnan(scores[0]):
        return keep_all(index, scale, scores.size)
    count = fill_top(scores, state.active[layer], index)
    for i in range(count):
        scale[i] = 1.0
    return count


@select_sparse.register(SubspaceScreenState)
@compiled
def select_subspace_screen_sparse(
    state: SubspaceScreenState, layer: int, x: SparseVector, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Select the nodes of largest score; a non-zero of the input costs r multiplications."""
    projected = projected_weights(state, layer, x.values)
    rank, nodes = projected.shape
    coordinates, scores = np.empty(rank, projected.dtype), np.empty(nodes, projected.dtype)
    begin_with_bias(state, layer, x, coordinates, scores)
    add_rows(projected, np.arange(rank), coordinates, scores)
    return select_largest(state, layer, scores, index, scale)


@select.register(SubspaceScreenState)
@compiled
def select_subspace_screen(
    state: SubspaceScreenState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Do the same for an input whose non-zeros are to be found."""
    items, values = np.empty(x.size, np.int64), np.empty(x.size, x.dtype)
    size = list_nonzeros(x, items, values)
    return select_subspace_screen_sparse(state, layer, SparseVector(x, items, values, size), key, index, scale)


@needs_products.register(SubspaceScreenState)
@compiled
def projections_need_no_products(state: SubspaceScreenState) -> bool:
    """Return False: a step is projected by the input alone."""
    return False


@follows.register(SubspaceScreenState)
@compiled
def follows_subspace_screen(state: SubspaceScreenState) -> bool:
    """Return True: V keeps up with steps of plain gradient descent, and is renewed for others now and then."""
    return True


@follow.register(SubspaceScreenState)
@compiled
def follow_subspace_screen(
    state: SubspaceScreenState,
    layer: int,
    x: SparseVector,
    nodes: np.ndarray,
    coefficients: np.ndarray,
    products: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Add Uᵀx ⊗ c to V: r multiplications a node."""
    flat, at = state.arrays.flat, state.arrays.layout[layer]
    basis, projected = matrix_of(flat, at[BASIS]), matrix_of(flat, at[PROJECTED])
    coordinate = np.zeros(projected.shape[0], projected.dtype)
    add_rows(basis, x.items[: x.size], x.values[: x.size], coordinate)
    P, c, whole = projected, coordinate, coordinate.size - coordinate.size % 4
    for k in range(0, whole, 4):  # four rows a pass: positions and coefficients are read once for them
        c0, c1, c2, c3 = c[k], c[k + 1], c[k + 2], c[k + 3]
        for i in range(nodes.size):
            j, added = np.uint64(nodes[i]), coefficients[i]
            P[k, j] += c0 * added
            P[k + 1, j] += c1 * added
            P[k + 2, j] += c2 * added
            P[k + 3, j] += c3 * added
    for k in range(whole, coordinate.size):
        for i in range(nodes.size):
            P[k, np.uint64(nodes[i])] += c[k] * coefficients[i]


@follow_node.register(SubspaceScreenState)
@compiled
def follow_subspace_screen_node(
    state: SubspaceScreenState, layer: int, node: int, items: np.ndarray, changes: np.ndarray, weights: np.ndarray
) -> None:
    """Note that V is behind the weights."""
    state.behind[layer] = 1


@follow_nodes.register(SubspaceScreenState)
@compiled
def follow_subspace_screen_nodes(
    state: SubspaceScreenState,
    layer: int,
    nodes: np.ndarray,
    items: np.ndarray,
    changes: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Do the same for several nodes."""
    state.behind[layer] = 1


@observe.register(SubspaceScreenState)
@compiled
def observe_subspace_screen(state: SubspaceScreenState, layer: int, inputs: np.ndarray, bias: np.ndarray) -> None:
    """Put the inputs into the ring, those that the next renewal will look at, and take over the bias."""
    flat, at = state.arrays.flat, state.arrays.layout[layer]
    ring, last = matrix_of(flat, at[RING]), state.renewed[layer]
    before = fetch_add(state.seen, layer, inputs.shape[0])
    for r in range(max(0, last + min(last, state.renew) - ring.shape[0] - before), inputs.shape[0]):
        copy_into(ring[(before + r) % ring.shape[0]], inputs[r])
    copy_into(vector_of(flat, at[BIAS]), bias)


@compiled
def _due(state: SubspaceScreenState, layer: int) -> bool:
    """Return whether the basis is renewed: at the first inputs, when their number has doubled, in the end regularly."""
    seen, last = state.seen[layer], state.renewed[layer]
    return bool(seen > last and seen - last >= min(last, state.renew))


@compiled
def _renew_basis(state: SubspaceScreenState, layer: int) -> None:
    flat, at = state.arrays.flat, state.arrays.layout[layer]
    basis, ring = matrix_of(flat, at[BASIS]), matrix_of(flat, at[RING])
    rows = np.empty((min(state.seen[layer], ring.shape[0]), ring.shape[1]), ring.dtype)
    for r in range(rows.shape[0]):
        copy_into(rows[r], ring[r])
    directions = np.empty((basis.shape[1], basis.shape[0]))
    for k in range(basis.shape[1]):
        for i in range(basis.shape[0]):
            directions[k, i] = basis[i, k]
    follow_subspace(directions, rows, FIRST_SWEEPS if state.renewed[layer] == 0 else 1)
    for i in range(basis.shape[0]):
        for k in range(basis.shape[1]):
            basis[i, k] = directions[k, i]


@compiled
def _project_columns(basis: np.ndarray, weights: np.ndarray, changed: np.ndarray, projected: np.ndarray) -> None:
    """Recompute the changed columns of V."""
    total = np.empty(projected.shape[0], projected.dtype)
    for j in changed:
        total[:] = 0
        for i in range(basis.shape[0]):
            for k in range(total.size):
                total[k] += weights[i, j] * basis[i, k]
        for k in range(total.size):
            projected[k, j] = total[k]


@refresh.register(SubspaceScreenState)
@compiled
def refresh_subspace_screen(state: SubspaceScreenState, layer: int, weights: np.ndarray, changed: np.ndarray) -> None:
    """Renew the basis if it is time, and bring the projected weights up to date; one thread at a time does so."""
    late = state.behind[layer] != 0 and state.seen[layer] - state.projected[layer] >= state.project
    due = _due(state, layer)
    if not (due or late or changed.size > 0):
        return
    flat, at = state.arrays.flat, state.arrays.layout[layer]
    basis, projected = matrix_of(flat, at[BASIS]), matrix_of(flat, at[PROJECTED])
    if 0 < changed.size < weights.shape[1] and not due:
        _project_columns(basis, weights, changed, projected)
    elif try_acquire(state.busy, layer):
        if due:
            _renew_basis(state, layer)
            state.renewed[layer] = state.seen[layer]
        np.dot(basis.T, weights, projected)
        state.projected[layer], state.behind[layer] = state.seen[layer], 0
        release(state.busy, layer)
