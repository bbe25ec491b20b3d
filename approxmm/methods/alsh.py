"""Active sets by locality-sensitive hashing (Spring & Shrivastava 2017)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from approxmm.compile import compiled, inlined
from approxmm.errors import InputError
from approxmm.hashing import list_in_order, list_nonzeros, mask_covariance, mips_angles, retrieval
from approxmm.hashing._checks import check_integer
from approxmm.locks import fetch_add
from approxmm.methods._hash_upkeep import SCALE_TURN, follow_changes, follow_step, rehash, shrink_scale
from approxmm.methods._hashed import LayerIndexes, check_layer, search
from approxmm.methods._limits import limited
from approxmm.methods._lsh import HashMethod, query_theta
from approxmm.methods._query import unit_query
from approxmm.methods._rows import keep_all
from approxmm.methods.budget import Budget
from approxmm.methods.contract import Claims, Cost, Usage
from approxmm.methods.operations import SparseVector, follow, follow_node, follows, refresh, select, select_sparse
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.random import Key

__all__ = ["Alsh"]

_SCHEDULES = ("published", "geometric", "incremental", "every")
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


@dataclass(frozen=True)
class Alsh(HashMethod):
    """Nodes whose weights share a bucket with the input are kept with scale 1, all others are 0. Biased.

    The defaults are those published for training: K = 6, L = 5, m = 3, U = 0.83, signed projections of the L2-ALSH
    transform, an active set of exactly the budget (larger ones subsampled, smaller ones filled at random), tables
    rebuilt on a schedule. The weights are never rescaled.

    The law's randomness is in the hyperplanes, and in the subsampling and filling. The plain union of buckets
    (``cap=False, fill=False``, one probe, dense planes) has exact moments in closed form; everything else is for the
    simulation. The budget is the size limit of the active set; the plain union ignores it (then it is 1.0).

    Not claimed: that nodes of large pre-activation are found. Expected recall follows from the angles, which in high
    dimension are all close to 90 degrees.

    Parameters
    ----------
    cap : bool
        Active sets above the budget are cut down to it.
    fill : bool
        Active sets below the budget are filled up with random nodes.
    ranking : {"random", "frequency"}
        What a cut keeps: random nodes, or those found in most tables first (ties: found first).
    probes : int
        Buckets looked up in each table, at most K + 1: the code's own, then those with its least certain bits flipped.
    density : float, optional
        Share of non-zero entries of sparse ±1 hyperplanes; by default planes are dense and Gaussian.
    rebuild : {"published", "geometric", "incremental", "every"}
        When changed weights are rehashed, counted in steps: every 100 up to 10,000, then every 1,000 (published with
        one example a step); after 100, 200, 400, … steps; the changed nodes at once; all nodes at once. In between
        the first two search an index that is out of date.
    """

    name: ClassVar[str] = "alsh"
    title: ClassVar[str] = "active set by hash tables (ALSH)"
    cap: bool = True
    fill: bool = True
    ranking: str = "random"
    probes: int = 1
    density: float | None = None
    rebuild: str = "published"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ranking not in ("random", "frequency"):
            raise InputError(f"ranking={self.ranking!r} is unknown; choose 'random' or 'frequency'")
        if self.ranking == "frequency" and not self.cap:
            raise InputError("ranking='frequency' decides what a cut keeps, but cap=False cuts nothing; set cap=True")
        if self.rebuild not in _SCHEDULES:
            raise InputError(f"rebuild={self.rebuild!r} is unknown; choose one of {', '.join(_SCHEDULES)}")
        check_integer("probes", self.probes, 1, self.bits + 1, "at most each of the bits is flipped once")
        if self.density is not None and not 0.0 < self.density < 1.0:
            raise InputError(f"density={self.density!r} must satisfy 0 < density < 1; leave it out for dense planes")
        if not (self.cap or self.fill):
            object.__setattr__(self, "budget", Budget(1.0))

    @property
    def plane_density(self) -> float:
        """Share of non-zero entries of a hyperplane."""
        return 1.0 if self.density is None else self.density

    @property
    def claims(self) -> Claims:
        """Biased; random in its hyperplanes."""
        return Claims(
            side="output",
            unbiased=False,
            reads="input",
            exact_at_full_budget=self.fill,
            deterministic=False,
            products=frozenset({"forward", "input_gradient", "weight_gradient"}),
            budget="size limit of the active set, per example"
            if self.cap or self.fill
            else "ignored: the active set is what the tables hold",
            citation="Spring, Shrivastava, KDD (2017), arXiv:1602.08194",
            random_build=True,
        )

    def prepare(
        self, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray] | None = None, key: Key | None = None
    ) -> AlshState:
        """Return the indexes with the hyperplanes of `key` (biases are not hashed)."""
        return AlshState(
            indexes=self.indexes(weights, key),
            limit=np.array([self.budget.count(W.shape[1]) for W in weights], dtype=np.int64),
            clock=np.zeros(len(weights), dtype=np.int64),
            cap=self.cap,
            fill=self.fill,
            by_frequency=self.ranking == "frequency",
            probes=self.probes,
            schedule=_SCHEDULES.index(self.rebuild),
        )

    def check_fresh(self, state: AlshState, weights: Sequence[np.ndarray]) -> None:
        """Raise InputError if the state's indexes are not those of these weights."""
        for layer, W in enumerate(weights):
            check_layer(state.indexes, layer, W)

    @property
    def _closed_form(self) -> bool:
        return not self.cap and not self.fill and self.probes == 1 and self.density is None

    def scale_moments(self, x: np.ndarray, weights: np.ndarray) -> ScaleMoments:
        """Mean P_j and covariance S_ij − P_i P_j over the hyperplanes, of the plain union of buckets.

        Raises
        ------
        NotAvailableError
            With cap, fill, several probes or sparse planes.
        """
        if not self._closed_form:
            return super().scale_moments(x, weights)
        theta, pairs = mips_angles(weights.T, x, self.mips, pool=self.pool)
        mean = retrieval(theta, self.bits, self.tables)
        return ScaleMoments(
            mean=mean,
            diagonal=np.zeros_like(mean),
            common=0,
            support=np.ones_like(mean),
            dense=mask_covariance(theta, pairs, self.bits, self.tables),
        )

    def marginal_moments(self, x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return P_j and P_j (1 − P_j), without the pairs' angles."""
        if not self._closed_form:
            return super().marginal_moments(x, weights)
        mean = retrieval(query_theta(self, x, weights), self.bits, self.tables)
        return mean, mean * (1.0 - mean)

    def active(self, m: int) -> float:
        """Return how many of m nodes are active: the budget, or what right angles between input and weights give."""
        retrieved, limit = self.right_angle_share() * m, float(self.budget.count(m))
        retrieved = min(retrieved, limit) if self.cap else retrieved
        return max(retrieved, limit) if self.fill else retrieved

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return the active nodes' products, the hashing of inputs, and the rehashing a step in the long run."""
        per_step = {"published": 1 / 1000, "geometric": 0.0}.get(self.rebuild, 1.0)
        return Cost(
            product=batch * n * self.active(m),
            selection=self.hashing_cost(batch, n),
            upkeep=self.hashing_cost(m, n) * per_step,
        )

    def work(self, usage: Usage, n: int, m: int) -> Cost:
        """Return the products, the hashing of non-zero inputs, and upkeep of active nodes or by scheduled rebuilds.

        Not counted: repacking all codes at a new scale, which is rare, and what pooling saves of hashing inputs.
        """
        hashing = self.bits * self.tables * self.plane_density
        if self.rebuild == "incremental":
            changed = usage.active * -(-n // self.pool) * hashing
            upkeep = self.followed_cost(usage) if self.pool == 1 else changed
        else:
            schedule, steps = _SCHEDULES.index(self.rebuild), range(usage.before + 1, usage.before + usage.steps + 1)
            upkeep = self.hashing_cost(m, n) * sum(_due(schedule, step) for step in steps)
        return Cost(product=usage.pairs, selection=usage.inputs * hashing, upkeep=upkeep)


@inlined
def _look_up(
    state: AlshState, layer: int, items: np.ndarray, values: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    query, size = unit_query(values)
    if not math.isfinite(size):
        return keep_all(index, scale, state.indexes.sizes[layer, 1])
    found = search(state.indexes, layer, items, query, state.probes)
    limited(found, state.limit[layer], state.cap, state.fill, state.by_frequency, key)
    count = list_in_order(found.work, index)
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
    follow_changes(state.indexes, layer, node, items, changes, weights)


@compiled
def _due(schedule: int, clock: int) -> bool:
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
    if state.schedule != _INCREMENTAL:
        if _due(state.schedule, clock):
            rehash(state.indexes, layer, weights, np.arange(weights.shape[1]))
    elif changed.size > 0:
        rehash(state.indexes, layer, weights, changed)
    elif clock % SCALE_TURN == 0:
        shrink_scale(state.indexes, layer)
