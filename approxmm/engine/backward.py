"""The gradients of the loss, and the optimiser's step in the same pass over the weights, compiled.

Gradients flow through the sampled entries only, which makes them the exact gradients of the network that was sampled.
A team's threads share a layer by the rows of its weights: a row's part of ∂loss/∂a, its gradient and its step need
nothing of the other rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.activations import slope
from approxmm.compile import compiled
from approxmm.engine.dense import dot_rows
from approxmm.engine.layout import Layout, units_of, weights_of
from approxmm.engine.optimizers import adds_directly, update
from approxmm.engine.team import Team, barrier, share
from approxmm.engine.weights import ROWS_AT_ONCE, update_weights
from approxmm.engine.workspace import Sampling, Workspace, entering

__all__ = ["backward"]

_BLOCK = 8 * ROWS_AT_ONCE  # rows of the weights that stay in the second-level cache between their two uses


@compiled
def _step_bias(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    at: int,
    delta: np.ndarray,
    rate: float,
    step: int,
    scratch: np.ndarray,
) -> None:
    gradient = scratch[: delta.shape[1]]
    gradient[:] = 0.0
    for r in range(delta.shape[0]):
        for j in range(gradient.size):
            gradient[j] += delta[r, j]
    update(optimizer, params, slots, at, gradient, rate, step)


@compiled
def _scaled_by_rate(delta: np.ndarray, rate: float, into: np.ndarray) -> np.ndarray:
    factor = delta.dtype.type(-rate)
    scaled = into[: delta.size].reshape(delta.shape)
    for r in range(delta.shape[0]):
        for j in range(delta.shape[1]):
            scaled[r, j] = factor * delta[r, j]
    return scaled


@compiled
def _scatter(
    back: np.ndarray, k: int, chosen: np.ndarray, low: int, high: int, sampled: bool, work: Workspace, into: np.ndarray
) -> None:
    """Put ∂loss/∂(active inputs) into their places, times the scales that those inputs were given."""
    for r in range(back.shape[0]):
        for s in range(low, high):
            into[r, chosen[s]] = back[r, s] * work.active_scale[k, s] if sampled else back[r, s]


@compiled
def _through_activation(
    k: int,
    layout: Layout,
    activation: Any,
    sampling: Sampling,
    work: Workspace,
    delta: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Turn ∂loss/∂a_k into ∂loss/∂z_k in place, for some columns: output-side scales, then the activation's slope."""
    batch = delta.shape[0]
    z = units_of(work.pre, layout, k, batch)
    if k < sampling.layers and not sampling.inner:
        mask = units_of(work.mask, layout, k, batch)
        for r in range(batch):
            for j in range(first, stop):
                delta[r, j] *= mask[r, j]
    for r in range(batch):
        for j in range(first, stop):
            delta[r, j] *= slope(activation, z[r, j])


@compiled
def backward(
    x: np.ndarray,
    params: np.ndarray,
    layout: Layout,
    activation: Any,
    sampling: Sampling,
    work: Workspace,
    optimizer: Any,
    slots: np.ndarray,
    rate: float,
    step: int,
    team: Team,
) -> None:
    """Turn ∂loss/∂z_L (in `work.delta`) into gradients, layer by layer, and step the parameters by them.

    The draws are those of the last `forward`; all threads of the team call it.

    Parameters
    ----------
    optimizer : NamedTuple
        `Collect` only writes the gradients to ``slots[0]``.
    slots : (slot_count, P) float array
    rate : float
        Learning rate.
    step : int
        Number of this step, from 1.
    """
    batch, depth = x.shape[0], layout.weight_at.size
    for up in range(depth):
        k = depth - 1 - up
        W, delta = weights_of(params, layout, k), units_of(work.delta, layout, k, batch)
        n = W.shape[0]
        sampled = k < sampling.layers and sampling.inner
        A, chosen = entering(x if k == 0 else units_of(work.out, layout, k - 1, batch), k, sampled, work)
        back = work.back[: batch * chosen.size].reshape((batch, chosen.size))
        # Nothing reads the gradient of the input; its place is given a harmless view.
        into = delta if k == 0 else units_of(work.delta, layout, k - 1, batch)
        D = _scaled_by_rate(delta, rate, work.scaled[team.rank]) if adds_directly(optimizer) else delta
        at, scratch = layout.weight_at[k], work.scratch[team.rank]
        first, stop = share(team, n, _BLOCK)
        for top in range(first, stop, _BLOCK):
            end = min(stop, top + _BLOCK)
            low, high = int(np.searchsorted(chosen, top)), int(np.searchsorted(chosen, end))
            if k > 0:
                dot_rows(delta, W, chosen, back, low, high)
                for r in range(batch):
                    into[r, top:end] = 0.0
                _scatter(back, k, chosen, low, high, sampled, work, into)
            update_weights(optimizer, params, slots, at, A, D, chosen, top, end, rate, step, scratch)
        if k > 0:
            _through_activation(k - 1, layout, activation, sampling, work, into, first, stop)
        if team.rank == 0:
            _step_bias(optimizer, params, slots, layout.bias_at[k], delta, rate, step, scratch)
        barrier(team)
