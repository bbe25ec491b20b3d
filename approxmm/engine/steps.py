"""Many steps in one compiled call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from approxmm.compile import compiled, copy_into
from approxmm.engine.backward import backward
from approxmm.engine.forward import forward
from approxmm.engine.layout import Layout, bias_of, units_of, weights_of
from approxmm.engine.ledger import FORWARD, KEPT, TIMED, UPKEEP, Ledger, mark, start
from approxmm.engine.losses import evaluate
from approxmm.engine.optimizers import moves_idle
from approxmm.engine.team import Team, barrier, share
from approxmm.engine.workspace import EXACT, Sampling, Workspace, active_items
from approxmm.methods.operations import observe, refresh
from approxmm.random import Key, Stream

__all__ = ["StepRange", "train_steps"]

_SELECT = Stream.SELECT


class StepRange(NamedTuple):
    """Part of an epoch.

    Attributes
    ----------
    order : (N,) int64
        The epoch's order of examples.
    first, stop : int
        The steps first … stop − 1 of the epoch are taken.
    before : int
        Steps taken before this epoch: keys and Adam's bias correction count from there.
    rates : (stop − first,) float64
        Learning rate of each step.
    """

    order: np.ndarray
    first: int
    stop: int
    before: int
    rates: np.ndarray


@compiled
def _fetch(
    x: np.ndarray, targets: np.ndarray, order: np.ndarray, start: int, size: int, work: Workspace, team: Team
) -> None:
    """Copy the examples of a batch next to each other."""
    first, stop = share(team, size, 1)
    for r in range(first, stop):
        copy_into(work.rows[r], x[order[start + r]])
        copy_into(work.targets[r], targets[order[start + r]])
    barrier(team)


@compiled
def _show(
    x: np.ndarray,
    params: np.ndarray,
    layout: Layout,
    state: Any,
    optimizer: Any,
    sampling: Sampling,
    work: Workspace,
) -> None:
    """Let the method see what the step did: the products' inputs and the new weights."""
    only_chosen = sampling.inner and sampling.weight_gradient != EXACT and not moves_idle(optimizer)
    for k in range(sampling.layers):
        seen = x if k == 0 else units_of(work.out, layout, k - 1, x.shape[0])
        observe(state, k, seen, bias_of(params, layout, k))
        side = layout.widths[k] if sampling.inner else layout.widths[k + 1]
        changed = work.everything[:side]
        if only_chosen:
            changed, _ = active_items(k, sampling.weight_gradient, work)
        refresh(state, k, weights_of(params, layout, k), changed)


@compiled
def _count(layout: Layout, sampling: Sampling, work: Workspace, ledger: Ledger, size: int) -> None:
    """Count the multiplications of a step: those of chosen items, or all, for masks drop nodes that were computed."""
    draws = (sampling.forward, sampling.input_gradient, sampling.weight_gradient)
    for k in range(layout.weight_at.size):
        inner = k < sampling.layers and sampling.inner
        for product in range(len(draws)):
            items = layout.widths[k]
            if inner and draws[product] != EXACT:
                items = active_items(k, draws[product], work)[0].size
            if k > 0 or product != 1:  # nothing reads the gradient of the input
                ledger.counts[0, k, product] += size * items * layout.widths[k + 1]
        for draw in range(work.packed.shape[0] if inner else 0):
            ledger.counts[0, k, KEPT] += size * active_items(k, draw, work)[0].size


@compiled
def train_steps(
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
    sampling: Sampling,
    seed: int,
    work: Workspace,
    losses: np.ndarray,
    ledger: Ledger,
    team: Team,
) -> int:
    """Take some steps of an epoch; all threads of the team call it with the same arrays.

    Parameters
    ----------
    x : (N, n_0) float array
    targets : (N, t) array
        From `target_rows`.
    losses : (steps of the epoch,) float64, written
    ledger : Ledger
        What is done is counted and timed here.

    Returns
    -------
    int
        Steps taken: fewer than asked for if a loss was not finite or beyond its limit, whose update is not made.
    """
    depth = layout.weight_at.size
    for s in range(steps.first, steps.stop):
        size = min(batch, steps.order.size - s * batch)
        now = steps.before + s
        # The first thread does what is not shared, so that its clock divides the whole step.
        since = start(team.rank == 0 and now % TIMED == 0)
        _fetch(x, targets, steps.order, s * batch, size, work, team)
        rows = work.rows[:size]
        key = Key(seed, _SELECT, now, 0, 0)
        since = forward(rows, params, layout, activation, state, sampling, key, work, ledger, since, team)
        if team.rank == 0:
            scores = units_of(work.out, layout, depth - 1, size)
            delta = units_of(work.delta, layout, depth - 1, size)
            losses[s] = evaluate(loss, scores, work.targets[:size], delta)
        barrier(team)
        since = mark(ledger, team.rank, FORWARD, since)
        if not losses[s] < loss.limit:  # written so that NaN ends the run too
            return s - steps.first
        rate = steps.rates[s - steps.first]
        since = backward(
            rows, params, layout, activation, sampling, work, optimizer, slots, rate, now + 1, ledger, since, team
        )
        if team.rank == 0:
            _count(layout, sampling, work, ledger, size)
            _show(rows, params, layout, state, optimizer, sampling, work)
        mark(ledger, team.rank, UPKEEP, since)
        barrier(team)
    return steps.stop - steps.first
