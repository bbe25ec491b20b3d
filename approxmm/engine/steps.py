"""Many steps in one compiled call."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled
from approxmm.engine.backward import backward, cross_entropy
from approxmm.engine.forward import forward
from approxmm.engine.layout import Layout, bias_of, units_of, weights_of
from approxmm.engine.optimizers import update
from approxmm.engine.workspace import Sampling, Workspace
from approxmm.methods.contract import observe, refresh
from approxmm.random import Key, Stream

__all__ = ["LOSS_LIMIT", "train_steps"]

# Nats. A classifier that is this wrong has left the range where training means anything, although in float32 its dead
# units may keep the loss finite for ever.
LOSS_LIMIT = 1e9
_SELECT = Stream.SELECT


@compiled
def train_steps(
    x: np.ndarray,
    labels: np.ndarray,
    order: np.ndarray,
    first: int,
    stop: int,
    before: int,
    batch: int,
    params: np.ndarray,
    slots: np.ndarray,
    layout: Layout,
    activation: Any,
    optimizer: Any,
    state: Any,
    sampling: Sampling,
    seed: int,
    work: Workspace,
    everything: np.ndarray,
    losses: np.ndarray,
    active: np.ndarray,
) -> int:
    """Take the steps `first` … `stop` − 1 of an epoch.

    Parameters
    ----------
    x : (N, n_0) float array
    labels, order : (N,) int64
        Labels; the epoch's order of examples.
    before : int
        Steps taken before this epoch: keys and Adam's bias correction count from there.
    everything : int64 array
        0 … widest − 1: all items change in a dense update.
    losses : (steps of the epoch,) float64, written
    active : (L,) float64
        The number of active inner items is added here.

    Returns
    -------
    int
        Steps taken: fewer than asked for if a loss was not finite or beyond `LOSS_LIMIT`, whose update is not made.
    """
    rows = np.empty((batch, x.shape[1]), dtype=x.dtype)
    targets = np.empty(batch, dtype=np.int64)
    depth = layout.weight_at.size
    for s in range(first, stop):
        size = min(batch, order.size - s * batch)
        for r in range(size):
            rows[r] = x[order[s * batch + r]]
            targets[r] = labels[order[s * batch + r]]
        now = before + s
        forward(rows[:size], params, layout, activation, state, sampling, Key(seed, _SELECT, now, 0, 0), work)
        scores = units_of(work.out, layout, depth - 1, size)
        delta = units_of(work.delta, layout, depth - 1, size)
        losses[s] = cross_entropy(scores, targets[:size], delta)
        if not losses[s] < LOSS_LIMIT:  # written so that NaN ends the run too
            return s - first
        backward(rows[:size], params, layout, activation, sampling, work)
        update(optimizer, params, work.grad, slots, now + 1)
        for k in range(sampling.layers):
            active[k] += work.active_count[k]
            seen = rows[:size] if k == 0 else units_of(work.out, layout, k - 1, size)
            observe(state, k, seen, bias_of(params, layout, k))
            side = layout.widths[k] if sampling.inner else layout.widths[k + 1]
            refresh(state, k, weights_of(params, layout, k), everything[:side])
    return stop - first
