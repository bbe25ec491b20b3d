"""A training run on the per-example path."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from approxmm.engine.layout import Layout
from approxmm.engine.ledger import KEPT, make_ledger, totals
from approxmm.engine.losses import target_rows
from approxmm.engine.optimizers import Sgd
from approxmm.engine.recipe import Recipe
from approxmm.engine.session import Session
from approxmm.engine.sparse.memory import Memory, make_memory
from approxmm.engine.sparse.plan import ByNode, ByRow, Plan
from approxmm.engine.sparse.walk import walk_batches, walk_examples
from approxmm.engine.steps import StepRange
from approxmm.engine.team import Team, make_teams
from approxmm.methods.contract import Cost, Usage
from approxmm.methods.scoring import score_factors
from approxmm.network import Network

__all__ = ["ExampleSession"]


class ExampleSession(Session):
    """A session whose examples walk through the network one by one, each touching its active weights only.

    While steps are taken, the sampled layers' weights lie node by node if nodes are what is sampled before they are
    computed. `params` and `slots` are always given in the usual order; they are turned around in place for that.

    Parameters
    ----------
    network : Network
        Initial parameters; copied.
    recipe : Recipe
    """

    path = "per_example"

    def __init__(self, network: Network, recipe: Recipe) -> None:
        self._turned = False
        super().__init__(network, recipe)
        self.plan = self._plan(network.normalise == "rms")
        # A step of one example is one thread's work.
        self.walkers = self.threads if recipe.asynchronous or self.batch > 1 else 1
        scores = score_factors.implementation
        self.memory = self._memory(self.walkers, scores(type(self.state)) is not scores(object))
        self.ledger = make_ledger(self.walkers, self.depth)

    together = 1  # the workspace is for evaluation only

    def step_bytes(self) -> int:
        """Return the bytes that steps of one thread take besides the workspace: those of the examples' lists."""
        return sum(array.nbytes for array in self._memory(1, scored=True))

    def _memory(self, walkers: int, scored: bool) -> Memory:
        slots = self.batch if self.batch > 1 else walkers
        inner = self.method.claims.side == "inner" and self.sampled_layers > 0
        by_node = isinstance(self._plan(False), ByNode)
        scored = scored and self.batch > 1 and by_node and self.method.claims.reads == "input"
        sizes = (self.layout, self.dtype, slots, walkers, len(self.slots))
        return make_memory(*sizes, inner=inner, by_node=by_node, scored=scored)

    def statement(self, k: int, steps: int, examples: int) -> Cost:
        """Return what steps cost in sampled layer k besides its products, from what was done there."""
        n, m = int(self.layout.widths[k]), int(self.layout.widths[k + 1])
        pairs, kept = totals(self.ledger).counts[k, (0, KEPT)].tolist()
        nodes = kept if isinstance(self.plan, ByNode) else examples * m  # that were computed
        rank_one = isinstance(self.optimizer, Sgd) and self.optimizer.weight_decay == 0.0
        return self.method.work(
            Usage(examples, examples * pairs / max(nodes, 1), nodes, pairs, rank_one=rank_one), n, m
        )

    def _plan(self, normalised: bool) -> Plan:
        claims = self.method.claims
        if claims.side == "output" and claims.reads != "pre_activation" and self.sampled_layers:
            return ByNode(self.sampled_layers, claims.reads == "input", normalised)
        return ByRow(self.sampled_layers, claims.side == "inner", normalised)

    @property
    def params(self) -> np.ndarray:
        """All parameters, layer by layer, weights (n, m) row-major; valid until steps are taken."""
        self._turn(False)
        return self._params

    @params.setter
    def params(self, values: np.ndarray) -> None:
        self._params = values

    @property
    def slots(self) -> np.ndarray:
        """The optimiser's memory, in the order of `params`; valid until steps are taken."""
        self._turn(False)
        return self._slots

    @slots.setter
    def slots(self, values: np.ndarray) -> None:
        self._slots = values

    def _turn(self, by_node: bool) -> None:
        """Let the sampled layers' weights lie node by node, or input by input as everywhere else."""
        if by_node == self._turned:
            return
        for vector in (self._params, *self._slots):
            for k in range(self.plan.layers):
                _turn_layer(vector, self.layout, k, by_node)
        self._turned = by_node

    def run(self, x: np.ndarray, y: np.ndarray, steps: StepRange, losses: np.ndarray) -> int:
        """Take steps, one example each; return how many were taken (fewer than asked for after a loss that exploded).

        `y` are the classes (N,), or the target vectors (N, C) of a regression.
        """
        targets = target_rows(self.loss, y, self.dtype)
        self._turn(isinstance(self.plan, ByNode))
        if self.walkers == 1:
            return self._walk(x, targets, steps, losses, make_teams(1)[0])
        with ThreadPoolExecutor(self.walkers - 1) as pool:
            first, *others = make_teams(self.walkers)
            running = [pool.submit(self._walk, x, targets, steps, losses, team) for team in others]
            return min(self._walk(x, targets, steps, losses, first), *(thread.result() for thread in running))

    def _walk(self, x: np.ndarray, targets: np.ndarray, steps: StepRange, losses: np.ndarray, team: Team) -> int:
        model = (self._params, self._slots, self.layout, self.phi, self.loss, self.optimizer, self.state, self.plan)
        rest = (*model, self.seed, self.memory, self.ledger, losses, team)
        if self.batch == 1:
            certain: int = walk_examples(x, targets, steps, *rest)
            return certain
        return walk_batches(x, targets, steps, self.batch, *rest)


def _turn_layer(vector: np.ndarray, layout: Layout, k: int, by_node: bool) -> None:
    n, m = (int(layout.widths[k + i]) for i in (0, 1))
    start = int(layout.weight_at[k])
    lying = vector[start : start + n * m].reshape((n, m) if by_node else (m, n))
    vector[start : start + n * m] = lying.T.copy().reshape(-1)
