"""The gradients of the loss, and the optimiser's step in the same pass over the weights, compiled.

Where all products share one draw, gradients flow through the sampled entries only, which makes them the exact gradients
of the network that was sampled; `approxmm.engine.recipe` defines the other modes. A team's threads share a layer by the
rows of its weights: a row's part of ∂loss/∂a, its gradient and its step need nothing of the other rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.activations import slope
from approxmm.compile import compiled
from approxmm.engine.dense import dot_rows
from approxmm.engine.layout import Layout, units_of, weights_of
from approxmm.engine.ledger import BACKWARD, UPDATE, Ledger, mark
from approxmm.engine.normalising import normalise_gradient
from approxmm.engine.optimizers import adds_directly, kept, update
from approxmm.engine.team import Team, barrier, share
from approxmm.engine.weights import ROWS_AT_ONCE, position, update_weights
from approxmm.engine.workspace import EXACT, Sampling, Workspace, active_items, copied, entering, masks_input

__all__ = ["backward"]

_BLOCK = 8 * ROWS_AT_ONCE  # rows of the weights that stay in the second-level cache between their two uses


@compiled
def _step_bias(
    optimizer: Any,
    params: np.ndarray,
    slots: np.ndarray,
    at: int,
    D: np.ndarray,
    start: int,
    stop: int,
    rate: float,
    step: int,
    scratch: np.ndarray,
) -> None:
    """Step some entries of a bias by the sum of the rows of D, which `update_weights` was given too."""
    total, bias = scratch[: stop - start], params[at + start : at + stop]
    total[:] = 0.0
    for r in range(D.shape[0]):
        row = D[r, start:stop]
        for j in range(total.size):
            total[j] += row[j]
    if adds_directly(optimizer):
        keep = params.dtype.type(kept(optimizer, rate))
        for j in range(total.size):
            bias[j] = keep * bias[j] + total[j]
    else:
        update(optimizer, params, slots, at + start, total, rate, step)


@compiled
def _multiply_rows(delta: np.ndarray, factor: float, team: Team) -> None:
    """Multiply ∂loss/∂z (B, m) by a number in place; threads share the examples."""
    kind = delta.dtype.type(factor)
    first, stop = share(team, delta.shape[0], 1)
    for r in range(first, stop):
        for j in range(delta.shape[1]):
            delta[r, j] *= kind
    barrier(team)


@compiled
def _is_masked(draws: tuple[int, int]) -> bool:
    """Return whether one output-side mask serves both gradients, so that ∂loss/∂z is masked where it stands."""
    return draws[0] == draws[1] != EXACT


@compiled
def _sides(
    delta: np.ndarray, k: int, draws: tuple[int, int], layout: Layout, work: Workspace, rank: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return ∂loss/∂z_k (B, m) times the output-side scales of the input gradient and of the weight gradient.

    Both are `delta` itself where there is nothing to do, or where one mask serves both, which it has had then.
    """
    sides = (delta, delta)
    if draws[0] == draws[1]:
        return sides
    for side in range(2):
        if draws[side] != EXACT:
            scaled = work.scaled[2 * rank + side, : delta.size].reshape(delta.shape)
            mask = units_of(work.mask[draws[side]], layout, k, delta.shape[0])
            for r in range(delta.shape[0]):
                for j in range(delta.shape[1]):
                    scaled[r, j] = delta[r, j] * mask[r, j]
            sides = (scaled, sides[1]) if side == 0 else (sides[0], scaled)
    return sides


@compiled
def _send_back(
    delta: np.ndarray,
    W: np.ndarray,
    k: int,
    draw: int,
    work: Workspace,
    into: np.ndarray,
    top: int,
    end: int,
) -> None:
    """Write the columns top … end − 1 of ∂loss/∂(input of layer k), (δ Wᵀ) ∘ ξ, to `into` (B, n)."""
    if draw == EXACT:
        dot_rows(delta, W, work.everything, into, top, end)
        return
    chosen, scale = active_items(k, draw, work)
    low, high = position(chosen, top), position(chosen, end)
    back = work.back[: into.shape[0] * chosen.size].reshape((into.shape[0], chosen.size))
    dot_rows(delta, W, chosen, back, low, high)
    for r in range(into.shape[0]):
        into[r, top:end] = 0.0
        for s in range(low, high):
            into[r, chosen[s]] = back[r, s] * scale[s]


@compiled
def _times_slope(activation: Any, z: np.ndarray, delta: np.ndarray) -> None:
    """Multiply `delta` (n,) by φ′(z) in place; rounded at once, so that float32 is not computed in float64."""
    kind = z.dtype.type
    for j in range(z.size):
        delta[j] *= kind(slope(activation, z[j]))


@compiled
def _draws(k: int, sampling: Sampling) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return which draws scale the inner and the output side of layer k's input gradient and weight gradient."""
    exact, own = (EXACT, EXACT), (sampling.input_gradient, sampling.weight_gradient)
    if k >= sampling.layers:
        return exact, exact
    return (own, exact) if sampling.inner else (exact, own)


@compiled
def _through_activation(
    k: int,
    batch: int,
    layout: Layout,
    activation: Any,
    sampling: Sampling,
    work: Workspace,
    first: int,
    stop: int,
    team: Team,
) -> None:
    """Turn ∂loss/∂a_k into ∂loss/∂φ(z_k) ∘ φ′(z_k) in place: for the thread's columns, or examples if normalised.

    Where one mask serves both gradients that layer k takes part in, it is multiplied too.
    """
    delta, z = units_of(work.delta, layout, k, batch), units_of(work.pre, layout, k, batch)
    rows, columns = (0, batch), (first, stop)
    if sampling.normalise:
        barrier(team)
        rows, columns = share(team, batch, 1), (0, delta.shape[1])
        out = units_of(work.out, layout, k, batch)
        for r in range(rows[0], rows[1]):
            normalise_gradient(delta[r], out[r], work.inverse_rms[k, r])
    for r in range(rows[0], rows[1]):
        _times_slope(activation, z[r, columns[0] : columns[1]], delta[r, columns[0] : columns[1]])
    draws = _draws(k, sampling)[1]
    if _is_masked(draws):
        mask = units_of(work.mask[draws[0]], layout, k, batch)
        for r in range(rows[0], rows[1]):
            for j in range(columns[0], columns[1]):
                delta[r, j] *= mask[r, j]


@compiled
def _rows_at_once(n: int, k: int, draws: tuple[int, int], work: Workspace) -> int:
    """Return how many rows of layer k's weights to take at a time, of which about `_BLOCK` are active."""
    most = 1
    for draw in draws:
        most = max(most, n if draw == EXACT else active_items(k, draw, work)[0].size)
    return _BLOCK * (n // most)


@compiled
def _input(a: np.ndarray, k: int, draw: int, sampling: Sampling, work: Workspace) -> tuple[np.ndarray, np.ndarray]:
    """Return what enters layer k's weight gradient, and the rows of the weights that belong to its columns."""
    if 0 < k <= sampling.layers and masks_input(sampling):
        copy = copied(k, sampling.weight_gradient, a.shape[0], a.shape[1], work)
        return copy, work.everything[: a.shape[1]]
    return entering(a, k, draw, work)


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
    ledger: Ledger,
    since: float,
    team: Team,
) -> float:
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
    ledger : Ledger
        Phases are timed here.
    since : float
        From `start`.

    Returns
    -------
    float
        The time of the last mark.
    """
    batch, depth = x.shape[0], layout.weight_at.size
    scratch = work.scratch[team.rank]
    if adds_directly(optimizer):  # all that follows is linear in ∂loss/∂z
        _multiply_rows(units_of(work.delta, layout, depth - 1, batch), -rate, team)
    for up in range(depth):
        k = depth - 1 - up
        W, delta = weights_of(params, layout, k), units_of(work.delta, layout, k, batch)
        inner, outer = _draws(k, sampling)
        A, chosen = _input(x if k == 0 else units_of(work.out, layout, k - 1, batch), k, inner[1], sampling, work)
        # Nothing reads the gradient of the input; its place is given a harmless view.
        into = delta if k == 0 else units_of(work.delta, layout, k - 1, batch)
        E, D = _sides(delta, k, outer, layout, work, team.rank)
        first, stop = share(team, W.shape[0], _BLOCK)
        height = _rows_at_once(W.shape[0], k, inner, work)
        for top in range(first, stop, height):
            end = min(stop, top + height)
            if k > 0:
                _send_back(E, W, k, inner[0], work, into, top, end)
            since = mark(ledger, team.rank, BACKWARD, since)
            update_weights(optimizer, params, slots, layout.weight_at[k], A, D, chosen, top, end, rate, step, scratch)
            since = mark(ledger, team.rank, UPDATE, since)
        if k > 0:
            _through_activation(k - 1, batch, layout, activation, sampling, work, first, stop, team)
            since = mark(ledger, team.rank, BACKWARD, since)
        first, stop = share(team, W.shape[1], _BLOCK)
        _step_bias(optimizer, params, slots, layout.bias_at[k], D, first, stop, rate, step, scratch)
        barrier(team)
        since = mark(ledger, team.rank, UPDATE, since)
    return since
