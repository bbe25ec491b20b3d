"""The sampled forward pass, compiled.

A sampled product is computed on the chosen pairs: with S the active inner items and ξ their scales,
``z = (a_S ∘ ξ_S) W_S + b``. Scales on the output side multiply a layer's outputs. Scales of the backward pass are
drawn here too, where the law sees what it reads. A team's threads share a layer by its columns, and what
is done example by example (masks, normalisation) by examples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.activations import value
from approxmm.compile import compiled, copy_into
from approxmm.engine.dense import multiply
from approxmm.engine.layout import Layout, bias_of, units_of, weights_of
from approxmm.engine.ledger import FORWARD, KEPT, SELECT, Ledger, mark
from approxmm.engine.normalising import normalise_row
from approxmm.engine.team import Team, barrier, share
from approxmm.engine.workspace import EXACT, Sampling, Workspace, copied, entering, masks_input, pack
from approxmm.methods.draws import column_norms
from approxmm.methods.operations import select
from approxmm.random import Key

__all__ = ["COLUMNS", "forward"]

_DRAWS_APART = 1 << 32  # in the items of their keys, where each sampled product has a draw of its own
COLUMNS = 32  # threads share a layer's columns in units of this: whole tiles


@compiled
def _for_draw(key: Key, draw: int, item: int) -> Key:
    """Return the key of a layer's draw number `draw` for an item (of fewer than 2³²)."""
    return Key(key.seed, key.stream, key.step, key.layer, item + draw * _DRAWS_APART)


@compiled
def _draw_inner(state: Any, a: np.ndarray, k: int, sampling: Sampling, key: Key, work: Workspace) -> None:
    norms = work.norms[: a.shape[1]]
    if sampling.reads_input:
        column_norms(a, norms)
    for draw in range(work.packed.shape[0]):
        place = draw * work.packed_at.size + k
        item = _for_draw(key, draw, key.item)
        count = select(state, k, norms, item, work.active_index[place], work.active_scale[place])
        work.active_count[place] = count
        if draw == sampling.forward or draw == sampling.weight_gradient:
            pack(a, k, draw, work)


@compiled
def _activate(activation: Any, z: np.ndarray, out: np.ndarray) -> None:
    """Write φ(z) of some nodes to `out` (n,); rounded at once, so that float32 is not computed in float64."""
    kind = z.dtype.type
    for j in range(z.size):
        out[j] = kind(value(activation, z[j]))


@compiled
def _layer(
    activation: Any,
    A: np.ndarray,
    W: np.ndarray,
    b: np.ndarray,
    chosen: np.ndarray,
    z: np.ndarray,
    out: np.ndarray,
    last: bool,
    start: int,
    stop: int,
) -> None:
    """Write z = A W[chosen] + b and φ(z) for a range of columns."""
    for r in range(z.shape[0]):
        copy_into(z[r, start:stop], b[start:stop])
    multiply(A, W, chosen, z, start, stop)
    for r in range(z.shape[0]):
        if last:
            copy_into(out[r, start:stop], z[r, start:stop])
        else:
            _activate(activation, z[r, start:stop], out[r, start:stop])


@compiled
def _draw_masks(
    state: Any,
    k: int,
    b: int,
    key: Key,
    read: np.ndarray,
    layout: Layout,
    work: Workspace,
    ledger: Ledger,
    rank: int,
    batch: int,
) -> None:
    """Draw the masks of example b's outputs of layer k."""
    index, scale = work.active_index[rank], work.active_scale[rank]
    for draw in range(work.mask.shape[0]):
        mask = units_of(work.mask[draw], layout, k, batch)[b]
        count = select(state, k, read, _for_draw(key, draw, b), index, scale)
        ledger.counts[rank, k, KEPT] += count
        mask[:] = 0.0
        for j in range(count):
            mask[index[j]] = scale[j]


@compiled
def _finish(
    state: Any,
    k: int,
    key: Key,
    read: np.ndarray,
    layout: Layout,
    sampling: Sampling,
    work: Workspace,
    ledger: Ledger,
    since: float,
    team: Team,
) -> float:
    """Do what is left of a hidden layer, example by example: masks, normalisation, the masked copy."""
    batch = read.shape[0]
    out = units_of(work.out, layout, k, batch)
    masked = k < sampling.layers and not sampling.inner
    first, stop = share(team, batch, 1)
    for b in range(first, stop):
        if masked:
            since = mark(ledger, team.rank, FORWARD, since)
            _draw_masks(state, k, b, key, read[b], layout, work, ledger, team.rank, batch)
            since = mark(ledger, team.rank, SELECT, since)
            if sampling.forward != EXACT:
                mask = units_of(work.mask[sampling.forward], layout, k, batch)
                for j in range(out.shape[1]):
                    out[b, j] *= mask[b, j]
        if sampling.normalise:
            work.inverse_rms[k, b] = normalise_row(out[b])
        if masked and masks_input(sampling):
            mask = units_of(work.mask[sampling.weight_gradient], layout, k, batch)
            copy = copied(k + 1, sampling.weight_gradient, batch, out.shape[1], work)
            for j in range(out.shape[1]):
                copy[b, j] = out[b, j] * mask[b, j]
    return since


@compiled
def forward(
    x: np.ndarray,
    params: np.ndarray,
    layout: Layout,
    activation: Any,
    state: Any,
    sampling: Sampling,
    key: Key,
    work: Workspace,
    ledger: Ledger,
    since: float,
    team: Team,
) -> float:
    """Compute all layers for the batch `x` (B, n_0) into the workspace; all threads of the team call it.

    Parameters
    ----------
    state : NamedTuple
        The method's, built for the sampled layers.
    key : Key
        Names the draw; each layer draws with its own number (from 1) as layer.
    ledger : Ledger
        Phases are timed here, and what output-side masks keep is counted.
    since : float
        From `start`.

    Returns
    -------
    float
        The time of the last mark.
    """
    batch, depth = x.shape[0], layout.weight_at.size
    a = x
    for k in range(depth):
        W, b = weights_of(params, layout, k), bias_of(params, layout, k)
        z, out = units_of(work.pre, layout, k, batch), units_of(work.out, layout, k, batch)
        here = Key(key.seed, key.stream, key.step, k + 1, key.item)
        sampled = k < sampling.layers
        if sampled and sampling.inner:
            if team.rank == 0:
                _draw_inner(state, a, k, sampling, here, work)
            barrier(team)
            since = mark(ledger, team.rank, SELECT, since)
        A, chosen = entering(a, k, sampling.forward if sampled and sampling.inner else EXACT, work)
        start, stop = share(team, W.shape[1], COLUMNS)
        _layer(activation, A, W, b, chosen, z, out, k == depth - 1, start, stop)
        barrier(team)
        if k < depth - 1 and (sampling.normalise or (sampled and not sampling.inner)):
            read = a if sampling.reads_input else z
            since = _finish(state, k, here, read, layout, sampling, work, ledger, since, team)
            barrier(team)
        since = mark(ledger, team.rank, FORWARD, since)
        a = out
    return since
