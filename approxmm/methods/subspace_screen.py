"""Active sets by scores in the principal subspace of a layer's inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from approxmm.hashing._checks import check_integer
from approxmm.methods._basis import follow_subspace, orthonormalise
from approxmm.methods._packed import pack
from approxmm.methods._screening import FIRST_SWEEPS, SubspaceScreenState
from approxmm.methods.contract import Claims, Cost, Method, Usage
from approxmm.methods.state_check import MOST_STEPS, check_constants, check_finite, check_within
from approxmm.random import Key, Stream, generator, make_key

__all__ = ["SubspaceScreen"]


@dataclass(frozen=True)
class SubspaceScreen(Method):
    """The nodes with the largest scores s = (aU)UᵀW + b are kept with scale 1, all others are 0. Biased.

    U (n × r) spans the principal subspace of a buffer of recent inputs, renewed now and then; scores cost r(n + m)
    instead of nm. Selection is deterministic given U, with ties to the lower node, and every score is within
    ‖(I − UUᵀ)a‖·‖W_j‖ of the pre-activation. The state observes inputs and biases: in training those of every step,
    in a simulation the exact activations. Before it has seen an input, U spans the weights' own leading directions,
    the best choice for isotropic inputs.

    Not claimed: a law in closed form (it depends on the inputs observed), or any bound on the recall of the true top
    nodes.

    Parameters
    ----------
    rank : int
        r; at most the layer's inputs are used.
    buffer : int
        How many recent inputs are kept.
    renew : int
        The basis is renewed after this many observed inputs; at first whenever their number has doubled.
    project : int
        V follows steps of plain gradient descent exactly. Where per-example training uses another optimiser, it is
        computed anew after this many observed inputs, and in between scores are of weights so much older: following
        each changed weight would cost r multiplications.
    """

    name: ClassVar[str] = "subspace_screen"
    title: ClassVar[str] = "active set by principal-subspace scores"
    rank: int = 32
    buffer: int = 256
    renew: int = 4000
    project: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("rank", self.rank, 1, None, "16 to 64 directions are usual")
        check_integer("buffer", self.buffer, 1, None, "a few times the rank is a good size")
        check_integer("renew", self.renew, 1, None, "1 renews the basis after every step")
        check_integer("project", self.project, 1, None, "1 projects the weights after every step")

    @property
    def claims(self) -> Claims:
        """Biased, deterministic given what was observed."""
        return Claims(
            side="output",
            unbiased=False,
            reads="input",
            exact_at_full_budget=True,
            deterministic=True,
            products=frozenset({"forward", "input_gradient", "weight_gradient"}),
            budget="fraction or number of active nodes, per example",
            citation="none known for training; range finder of Halko, Martinsson, Tropp, SIAM Review 53 (2011)",
            observes=True,
        )

    def build(self, weights: Sequence[np.ndarray]) -> Any:
        """Return the state without biases."""
        return self.prepare(weights)

    def prepare(
        self, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray] | None = None, key: Key | None = None
    ) -> SubspaceScreenState:
        """Return the state that has seen no input yet; the key only starts the iteration for the weights' subspace."""
        base = key or make_key(0, Stream.BUILD, layer=1)
        real = weights[0].dtype if weights and weights[0].dtype.kind == "f" else np.dtype(np.float64)
        bases = [self._weights_basis(W, base._replace(layer=base.layer + k)) for k, W in enumerate(weights)]
        frames = [np.ascontiguousarray(basis.T, dtype=real) for basis in bases]
        counts = {name: np.zeros(len(weights), np.int64) for name in ("seen", "renewed", "projected", "behind", "busy")}
        return SubspaceScreenState(
            active=np.array([self.budget.count(W.shape[1]) for W in weights], dtype=np.int64),
            arrays=pack(
                [
                    frames,
                    [U.T @ W for U, W in zip(frames, weights, strict=True)],
                    [np.zeros(W.shape[1]) for W in weights] if biases is None else list(biases),
                    [np.zeros((self.buffer, W.shape[0])) for W in weights],
                ],
                real,
            ),
            renew=self.renew,
            project=self.project,
            **counts,
        )

    def _weights_basis(self, weights: np.ndarray, key: Key) -> np.ndarray:
        n = weights.shape[0]
        directions = generator(key).standard_normal((min(self.rank, n), n))
        orthonormalise(directions)
        follow_subspace(directions, np.array(weights.T, dtype=np.float64, order="C"), FIRST_SWEEPS)
        return directions

    def check_state(self, found: SubspaceScreenState, own: SubspaceScreenState) -> None:
        """Raise DataError unless factors are finite, counts in order, and no renewal is under way."""
        for name in ("active", "arrays"):
            check_constants(getattr(found, name), getattr(own, name), f"state.{name}")
        check_finite(found.arrays.flat, "state.arrays.flat")
        check_within(found.seen, "state.seen", 0, MOST_STEPS)
        for name in ("renewed", "projected"):
            for last, seen in zip(getattr(found, name), found.seen, strict=True):
                check_within(last, f"state.{name}", 0, int(seen))
        check_within(found.behind, "state.behind", 0, 1)
        check_within(found.busy, "state.busy", 0, 0)

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return the active nodes' products, the scores, and UᵀW after all weights changed (renewals of U are rare)."""
        rank = min(self.rank, n)
        return Cost(
            product=float(batch * n * self.budget.count(m)),
            selection=float(batch * rank * (n + m)),
            upkeep=float(rank * n * m),
        )

    def work(self, usage: Usage, n: int, m: int) -> Cost:
        """Return the products, r for each non-zero input and node, r for each node that moves, and the renewals.

        Where steps are not of plain gradient descent, V is computed anew every `project` inputs instead.
        """
        rank, first, stop = min(self.rank, n), usage.before, usage.before + usage.steps
        renewals = [seen for seen in self.renewals(stop) if seen > first]
        upkeep = float(sum(self._renewal(rank, seen, n, m) for seen in renewals))
        if usage.rank_one:
            upkeep += rank * (usage.inputs + usage.active)
        else:
            # Between renewals, which project the weights too, V is computed whenever it is `project` inputs old.
            edges = [0, *self.renewals(stop)]
            spans = zip(edges, [*edges[1:], stop + 1], strict=True)
            late = [seen for start, end in spans for seen in range(start + self.project, end, self.project)]
            upkeep += rank * n * m * sum(seen > first for seen in late)
        return Cost(product=usage.pairs, selection=rank * (usage.inputs + m * usage.steps), upkeep=upkeep)

    def renewals(self, seen: int) -> list[int]:
        """Return after how many inputs, observed one by one, the basis is renewed, up to `seen`."""
        times = [1] if seen >= 1 else []
        while times and times[-1] + min(times[-1], self.renew) <= seen:
            times.append(times[-1] + min(times[-1], self.renew))
        return times

    def _renewal(self, rank: int, seen: int, n: int, m: int) -> int:
        sweeps = FIRST_SWEEPS if seen == 1 else 1
        return sweeps * 2 * rank * n * (min(seen, self.buffer) + rank) + rank * n * m
