"""Many steps in one compiled call: of an example each, or of several."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import borrowed, compiled
from approxmm.engine.layout import Layout
from approxmm.engine.ledger import BACKWARD, FORWARD, SELECT, TIMED, UPDATE, Ledger, mark, start
from approxmm.engine.losses import evaluate
from approxmm.engine.sparse.additions import add_share, adds_alone
from approxmm.engine.sparse.backward import step_example
from approxmm.engine.sparse.batch import step_layer
from approxmm.engine.sparse.descend import descend
from approxmm.engine.sparse.forward import forward_layer
from approxmm.engine.sparse.memory import DELTA, VALUES, Memory, part
from approxmm.engine.sparse.scoring import score_layer
from approxmm.engine.sparse.units import list_input
from approxmm.engine.steps import StepRange
from approxmm.engine.team import Team, barrier, share, take
from approxmm.random import Key, Stream

__all__ = ["walk_batches", "walk_examples"]

_SELECT = Stream.SELECT
_TOGETHER = 8  # steps that a thread takes at a time: their losses are a cache line


@compiled
def _evaluate(loss: Any, targets: np.ndarray, row: int, layout: Layout, memory: Memory, slot: int, size: int) -> float:
    """Return the loss of the example in a slot, and leave ∂(mean loss of `size` examples)/∂(its scores) there."""
    depth = layout.weight_at.size
    scores, delta = part(memory.real, VALUES, slot, layout, depth), part(memory.real, DELTA, slot, layout, depth)
    one: float = evaluate(
        loss, scores.reshape((1, scores.size)), targets[row : row + 1], delta.reshape((1, delta.size))
    )
    for j in range(delta.size):
        delta[j] /= size
    return one


@compiled
def _mean_loss(memory: Memory, size: int) -> float:
    total = 0.0
    for b in range(size):
        total += memory.loss[b]
    return total / size


@compiled
def walk_examples(
    x: np.ndarray,
    targets: np.ndarray,
    steps: StepRange,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    activation: Any,
    loss: Any,
    optimizer: Any,
    state: Any,
    plan: Any,
    seed: int,
    memory: Memory,
    ledger: Ledger,
    losses: np.ndarray,
    team: Team,
) -> int:
    """Take some steps of an epoch, one example a step.

    Threads of a team, each of which takes the next few steps as it comes to them, share the parameters without any
    order between them.

    Parameters
    ----------
    x : (N, n_0) float array
    targets : (N, t) array
        From `target_rows`.
    losses : (steps of the epoch,) float64, written

    Returns
    -------
    int
        How many steps of the range are certain: all, or those before the first whose loss was not finite or beyond
        the limit of `loss`, whose update is not made.
    """
    x, targets, params, slots, losses = borrowed((x, targets, params, slots, losses))
    steps, layout, state, memory, ledger = borrowed((steps, layout, state, memory, ledger))
    depth, rank = layout.weight_at.size, team.rank
    first = steps.first + take(team, _TOGETHER)
    while first < steps.stop:
        for s in range(first, min(first + _TOGETHER, steps.stop)):
            now, row = steps.before + s, steps.order[s]
            since = start(now % TIMED == 0)
            key = Key(seed, _SELECT, now, 0, 0)
            list_input(x[row], memory, rank, layout)
            for k in range(depth):
                since = forward_layer(
                    plan, k, params, layout, activation, state, key, memory, rank, rank, ledger, since
                )
            losses[s] = _evaluate(loss, targets, row, layout, memory, rank, 1)
            since = mark(ledger, rank, FORWARD, since)
            if not losses[s] < loss.limit:  # written so that NaN ends the run too
                return s - steps.first
            rate = steps.rates[s - steps.first]
            step_example(
                plan, params, slots, layout, optimizer, state, memory, rank, rank, ledger, rate, now + 1, since
            )
        first = steps.first + take(team, _TOGETHER)
    return steps.stop - steps.first


@compiled
def walk_batches(
    x: np.ndarray,
    targets: np.ndarray,
    steps: StepRange,
    batch: int,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    activation: Any,
    loss: Any,
    optimizer: Any,
    state: Any,
    plan: Any,
    seed: int,
    memory: Memory,
    ledger: Ledger,
    losses: np.ndarray,
    team: Team,
) -> int:
    """Take some steps of an epoch, of `batch` examples each; all threads of the team call it with the same arrays.

    Threads share the examples on the way forward and back, and the layers in the update: no result depends on how many
    there are. Parameters as for `walk_examples`.

    Returns
    -------
    int
        Steps taken: fewer than asked for if a loss was not finite or beyond the limit of `loss`; its update is not
        made.
    """
    x, targets, params, slots, losses = borrowed((x, targets, params, slots, losses))
    steps, layout, state, memory, ledger = borrowed((steps, layout, state, memory, ledger))
    depth, rank = layout.weight_at.size, team.rank
    for s in range(steps.first, steps.stop):
        now, size = steps.before + s, min(batch, steps.order.size - s * batch)
        since = start(now % TIMED == 0)
        first, stop = share(team, size, 1)
        # Layer by layer: weights that several examples need are then still in the cache.
        for b in range(first, stop):
            list_input(x[steps.order[s * batch + b]], memory, b, layout)
        for k in range(depth):
            score_layer(plan, state, k, layout, memory, first, stop)
            since = mark(ledger, rank, SELECT, since)
            for b in range(first, stop):
                key = Key(seed, _SELECT, now, 0, b)
                since = forward_layer(plan, k, params, layout, activation, state, key, memory, b, rank, ledger, since)
        for b in range(first, stop):
            memory.loss[b] = _evaluate(loss, targets, steps.order[s * batch + b], layout, memory, b, size)
        since = mark(ledger, rank, FORWARD, since)
        barrier(team)
        mean = _mean_loss(memory, size)
        if rank == 0:
            losses[s] = mean
        if not mean < loss.limit:  # written so that NaN ends the run too
            return s - steps.first
        rate = steps.rates[s - steps.first]
        since = start(since != 0.0)
        # A layer is stepped as soon as nobody needs its weights any more: they are still near.
        for up in range(depth):
            k = depth - 1 - up
            if k > 0:
                for b in range(first, stop):
                    descend(plan, k, params, layout, memory, b, rank, ledger)
                since = mark(ledger, rank, BACKWARD, since)
                barrier(team)
            if adds_alone(plan, k, optimizer, state):
                add_share(plan, params, layout, k, memory, size, team, ledger, rate)
                since = mark(ledger, rank, UPDATE, since)
        barrier(team)
        for k in range(rank, depth, team.size):
            since = step_layer(
                plan, params, slots, layout, optimizer, state, k, memory, size, rank, ledger, rate, now + 1, since
            )
        barrier(team)
    return steps.stop - steps.first
