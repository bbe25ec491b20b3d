"""Hash tables as an unbiased sampler: retrieved nodes are weighted by the inverse of their retrieval probability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from approxmm.compile import compiled, compiled_fast
from approxmm.hashing import (
    HashIndex,
    item_extra,
    list_in_order,
    list_nonzeros,
    mips_angles,
    pool_rows,
    retrieval,
    weighted_mask,
)
from approxmm.locks import fetch_add
from approxmm.methods._hash_check import check_indexes
from approxmm.methods._hash_upkeep import SCALE_TURN, follow_changes, follow_step, rehash, shrink_scale
from approxmm.methods._hashed import LayerIndexes, check_layer, index_of, search
from approxmm.methods._lsh import HashMethod, query_theta
from approxmm.methods._packed import Packed, matrix_of, pack
from approxmm.methods._query import unit_query
from approxmm.methods._rows import keep_all
from approxmm.methods.budget import Budget
from approxmm.methods.contract import Claims, Cost, Usage
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
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.methods.state_check import MOST_STEPS, check_constants, check_finite, check_within
from approxmm.random import Key

__all__ = ["AlshUnbiased"]

_REACHABLE = 1e-150  # that of `approxmm.hashing.weighted_mask`


class AlshUnbiasedState(NamedTuple):
    """Indexes of all layers; each layer's (pooled) weight columns as rows (m, groups); refreshes so far, int64 (L,)."""

    indexes: LayerIndexes
    columns: Packed
    clock: np.ndarray


@dataclass(frozen=True)
class AlshUnbiased(HashMethod):
    """Node j is kept if it shares a bucket with the input, and then scaled by 1/P_j.

    P_j = 1 − (1 − (1 − θ_j/π)^K)^L with θ_j the angle between input and weights after pooling and transform, so the
    mean over the hyperplanes is 1; mean and covariance are exact. Every retrieved node costs one inner product with
    the (pooled) input for its angle. The budget is ignored (and is 1.0): K and L decide how much is retrieved.

    Not claimed: a useful variance. It is (1 − P_j)/P_j, and P_j → 0 as θ_j → π, where a node is retrieved almost never
    and then weighted enormously. Below P_j = 1e-150 a node counts as unreachable: mean and variance 0. With frozen
    hyperplanes (one training run) the estimate is unbiased over runs, not over steps.
    """

    name: ClassVar[str] = "alsh_unbiased"
    title: ClassVar[str] = "hash tables weighted by 1/P (unbiased)"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "budget", Budget(1.0))

    @property
    def claims(self) -> Claims:
        """Unbiased over the hyperplanes, which are drawn when the state is built."""
        return Claims(
            side="output",
            unbiased=True,
            reads="input",
            exact_at_full_budget=False,
            deterministic=False,
            products=frozenset({"forward", "input_gradient", "weight_gradient"}),
            budget="ignored: the active set is what the tables hold",
            citation="Charikar, Siminelakis, FOCS (2017); Chen, Xu, Shrivastava, NeurIPS (2019)",
            random_build=True,
        )

    def prepare(
        self, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray] | None = None, key: Key | None = None
    ) -> AlshUnbiasedState:
        """Return the indexes with the hyperplanes of `key`, and the columns for the angles."""
        indexes = self.indexes(weights, key)
        rows = [pool_rows(np.ascontiguousarray(W.T), self.pool) for W in weights]
        return AlshUnbiasedState(indexes, pack([rows], indexes.real.flat.dtype), np.zeros(len(weights), dtype=np.int64))

    def check_fresh(self, state: AlshUnbiasedState, weights: Sequence[np.ndarray]) -> None:
        """Raise InputError if the state's indexes are not those of these weights."""
        for layer, W in enumerate(weights):
            check_layer(state.indexes, layer, W)

    def check_state(self, found: AlshUnbiasedState, own: AlshUnbiasedState) -> None:
        """Raise DataError unless tables, hyperplanes, columns and counts can have come out of training."""
        check_indexes(found.indexes, own.indexes, "state.indexes")
        check_constants(found.columns, own.columns, "state.columns")
        check_finite(found.columns.flat, "state.columns.flat")
        check_within(found.clock, "state.clock", 0, MOST_STEPS)

    def scale_moments(self, x: np.ndarray, weights: np.ndarray) -> ScaleMoments:
        """Mean 1 and covariance (S_ij − P_i P_j)/(P_i P_j) over the hyperplanes."""
        theta, pairs = mips_angles(weights.T, x, self.mips, pool=self.pool)
        law = weighted_mask(theta, pairs, self.bits, self.tables)
        return ScaleMoments(law.mean, np.zeros_like(law.mean), 0, law.mean, dense=law.covariance)

    def marginal_moments(self, x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return 1 and (1 − P_j)/P_j, without the pairs' angles."""
        probability = retrieval(query_theta(self, x, weights), self.bits, self.tables)
        reachable = probability >= _REACHABLE
        odds = np.divide(1.0 - probability, probability, out=np.zeros_like(probability), where=reachable)
        return reachable.astype(np.float64), odds

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return the products of as many nodes as right angles give, hashing and angles, and rehashing all nodes."""
        active = self.right_angle_share() * m
        return Cost(
            product=batch * n * active,
            selection=self.hashing_cost(batch, n) + batch * active * -(-n // self.pool),
            upkeep=self.hashing_cost(m, n),
        )

    def work(self, usage: Usage, n: int, m: int) -> Cost:
        """Return the products, hashing and angles of non-zero inputs, and the upkeep of the active nodes.

        Not counted: repacking all codes at a new scale, which is rare, and what pooling saves of hashing inputs.
        """
        hashing = self.bits * self.tables
        upkeep = self.followed_cost(usage) if self.pool == 1 else usage.active * -(-n // self.pool) * hashing
        return Cost(product=usage.pairs, selection=usage.inputs * hashing + usage.pairs, upkeep=float(upkeep))


@compiled_fast
def _dot(row: np.ndarray, items: np.ndarray, values: np.ndarray) -> float:
    total = 0.0
    for t in range(items.size):
        total += np.float64(row[np.uint64(items[t])]) * np.float64(values[t])
    return total


@compiled_fast
def _squared_norm(values: np.ndarray) -> float:
    total = 0.0
    for t in range(values.size):
        total += np.float64(values[t]) * np.float64(values[t])
    return total


@compiled
def _agreement(index: HashIndex, item: int, product: float, squared_query: float) -> float:
    """Return 1 − θ/π for an item whose inner product with the query is known."""
    transform, factor = index.transform, index.scale[0]
    squared_item = index.squared_norms[item] * factor * factor
    squared, added = squared_item, 0.0
    for e in range(transform.extras):
        extra = item_extra(transform, squared_item, e)
        squared += extra * extra
        added += extra * transform.query_value
    if squared_query == 0.0 or squared == 0.0:  # the room's convention for zero vectors
        return 1.0 if squared_query == squared else 0.5
    length = math.sqrt(squared * (1.0 + transform.extras * transform.query_value**2))
    cosine = (factor * product / math.sqrt(squared_query) + added) / length
    return 1.0 - math.acos(max(-1.0, min(1.0, cosine))) / math.pi


@compiled
def _retrieval(agreement: float, bits: int, tables: int) -> float:
    return -math.expm1(tables * math.log1p(-(agreement**bits))) if agreement < 1.0 else 1.0


@compiled
def _look_up(
    state: AlshUnbiasedState, layer: int, items: np.ndarray, values: np.ndarray, index: np.ndarray, scale: np.ndarray
) -> int:
    hashed, columns = index_of(state.indexes, layer), matrix_of(state.columns.flat, state.columns.layout[layer, 0])
    query, size = unit_query(values)
    if not math.isfinite(size):
        return keep_all(index, scale, hashed.raw.shape[0])
    found = search(state.indexes, layer, items, query, 1)
    count = list_in_order(found.work, index)
    squared_query = _squared_norm(found.values)
    active = 0
    for i in range(count):
        item = index[i]
        agreement = _agreement(hashed, item, _dot(columns[item], found.items, found.values), squared_query)
        probability = _retrieval(agreement, hashed.projections.bits, hashed.projections.tables)
        if probability >= _REACHABLE:
            index[active] = item
            scale[active] = 1.0 / probability
            active += 1
    return active


@select.register(AlshUnbiasedState)
@compiled
def select_alsh_unbiased(
    state: AlshUnbiasedState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Look the input up and weight what is found. An input that is not finite keeps all nodes, to be seen."""
    items, values = np.empty(x.size, np.int64), np.empty(x.size, x.dtype)
    size = list_nonzeros(x, items, values)
    return _look_up(state, layer, items[:size], values[:size], index, scale)


@select_sparse.register(AlshUnbiasedState)
@compiled
def select_alsh_unbiased_sparse(
    state: AlshUnbiasedState, layer: int, x: SparseVector, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Do the same for an input whose non-zeros are listed: hashing and angles cost as many multiplications as these."""
    return _look_up(state, layer, x.items[: x.size], x.values[: x.size], index, scale)


@follows.register(AlshUnbiasedState)
@compiled
def follows_alsh_unbiased(state: AlshUnbiasedState) -> bool:
    """Return whether nothing is pooled; pooled weights are hashed anew by `refresh`."""
    return state.indexes.shape.pool == 1


@follow.register(AlshUnbiasedState)
@compiled
def follow_alsh_unbiased(
    state: AlshUnbiasedState,
    layer: int,
    x: SparseVector,
    nodes: np.ndarray,
    coefficients: np.ndarray,
    products: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Step the nodes' projections by those of the input, and copy the weights that changed."""
    columns = matrix_of(state.columns.flat, state.columns.layout[layer, 0])
    for node in nodes:
        for t in range(x.size):
            columns[node, x.items[t]] = weights[x.items[t], node]
    follow_step(state.indexes, layer, x, nodes, coefficients, products)


@follow_node.register(AlshUnbiasedState)
@compiled
def follow_alsh_unbiased_node(
    state: AlshUnbiasedState, layer: int, node: int, items: np.ndarray, changes: np.ndarray, weights: np.ndarray
) -> None:
    """Project the changes, and copy the weights that changed."""
    one = np.full(1, node, np.int64)
    follow_nodes(state, layer, one, items, np.expand_dims(changes, 0), weights)


@follow_nodes.register(AlshUnbiasedState)
@compiled
def follow_alsh_unbiased_nodes(
    state: AlshUnbiasedState, layer: int, nodes: np.ndarray, items: np.ndarray, changes: np.ndarray, weights: np.ndarray
) -> None:
    """Do the same for several nodes."""
    columns = matrix_of(state.columns.flat, state.columns.layout[layer, 0])
    for node in nodes:
        for item in items:
            columns[node, item] = weights[item, node]
    follow_changes(state.indexes, layer, nodes, items, changes, weights)


@refresh.register(AlshUnbiasedState)
@compiled
def refresh_alsh_unbiased(state: AlshUnbiasedState, layer: int, weights: np.ndarray, changed: np.ndarray) -> None:
    """Rehash the changed nodes at once: the weights 1/P hold for an index that is up to date only."""
    clock = fetch_add(state.clock, layer, 1) + 1
    if changed.size > 0:
        rows = rehash(state.indexes, layer, weights, changed, False)
        columns = matrix_of(state.columns.flat, state.columns.layout[layer, 0])
        for i in range(changed.size):
            columns[changed[i]] = rows[i]
    if clock % SCALE_TURN == 0:
        shrink_scale(state.indexes, layer)
