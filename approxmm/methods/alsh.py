"""Active sets by locality-sensitive hashing (Spring & Shrivastava 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from approxmm.apart import zeros_apart
from approxmm.errors import InputError
from approxmm.hashing import mask_covariance, mips_angles, retrieval
from approxmm.hashing._checks import check_integer
from approxmm.methods._hash_check import check_indexes
from approxmm.methods._hashed import check_layer
from approxmm.methods._lsh import HashMethod, query_theta
from approxmm.methods._tables import SCHEDULES, AlshState, due
from approxmm.methods.budget import Budget
from approxmm.methods.contract import Claims, Cost, Usage
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.methods.state_check import MOST_STEPS, check_constants, check_within
from approxmm.random import Key

__all__ = ["Alsh"]


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
        if self.rebuild not in SCHEDULES:
            raise InputError(f"rebuild={self.rebuild!r} is unknown; choose one of {', '.join(SCHEDULES)}")
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
            clock=zeros_apart(len(weights), np.int64),
            cap=self.cap,
            fill=self.fill,
            by_frequency=self.ranking == "frequency",
            probes=self.probes,
            schedule=SCHEDULES.index(self.rebuild),
        )

    def check_fresh(self, state: AlshState, weights: Sequence[np.ndarray]) -> None:
        """Raise InputError if the state's indexes are not those of these weights."""
        for layer, W in enumerate(weights):
            check_layer(state.indexes, layer, W)

    def check_state(self, found: AlshState, own: AlshState) -> None:
        """Raise DataError unless tables, hyperplanes and counts can have come out of training."""
        check_indexes(found.indexes, own.indexes, "state.indexes")
        check_constants(found.limit, own.limit, "state.limit")
        check_within(found.clock, "state.clock", 0, MOST_STEPS)

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
            schedule, steps = SCHEDULES.index(self.rebuild), range(usage.before + 1, usage.before + usage.steps + 1)
            upkeep = self.hashing_cost(m, n) * sum(due(schedule, step) for step in steps)
        return Cost(product=usage.pairs, selection=usage.inputs * hashing, upkeep=upkeep)
