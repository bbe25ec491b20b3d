"""The sampled forward pass, compiled.

A sampled product is computed on the chosen pairs: with S the active inner items and ξ their scales,
``z = (a_S ∘ ξ_S) W_S + b``. Scales on the output side multiply a layer's outputs. A team's threads
share a layer by its columns, and per-example draws by examples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.activations import value
from approxmm.compile import compiled
from approxmm.engine.dense import multiply
from approxmm.engine.layout import Layout, bias_of, units_of, weights_of
from approxmm.engine.team import Team, barrier, share
from approxmm.engine.workspace import Sampling, Workspace, entering, pack
from approxmm.methods.draws import column_norms
from approxmm.methods.operations import select
from approxmm.random import Key

__all__ = ["COLUMNS", "forward"]

COLUMNS = 32  # threads share a layer's columns in units of this: whole tiles


@compiled
def _draw_inner(state: Any, a: np.ndarray, k: int, sampling: Sampling, key: Key, work: Workspace) -> None:
    norms = work.norms[: a.shape[1]]
    if sampling.reads_input:
        column_norms(a, norms)
    work.active_count[k] = select(state, k, norms, key, work.active_index[k], work.active_scale[k])
    pack(a, k, work)


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
        for j in range(start, stop):
            z[r, j] = b[j]
    multiply(A, W, chosen, z, start, stop)
    for r in range(z.shape[0]):
        for j in range(start, stop):
            out[r, j] = z[r, j] if last else value(activation, z[r, j])


@compiled
def _mask_outputs(
    state: Any, k: int, key: Key, read: np.ndarray, work: Workspace, mask: np.ndarray, out: np.ndarray, team: Team
) -> None:
    own = work.active_count.size + team.rank
    index, scale = work.active_index[own], work.active_scale[own]
    first, stop = share(team, read.shape[0], 1)
    for b in range(first, stop):
        item = Key(key.seed, key.stream, key.step, key.layer, b)
        count = select(state, k, read[b], item, index, scale)
        mask[b] = 0.0
        for j in range(count):
            mask[b, index[j]] = scale[j]
        for j in range(out.shape[1]):
            out[b, j] *= mask[b, j]


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
    team: Team,
) -> None:
    """Compute all layers for the batch `x` (B, n_0) into the workspace; all threads of the team call it.

    Parameters
    ----------
    state : NamedTuple
        The method's, built for the sampled layers.
    key : Key
        Names the draw; each layer draws with its own number (from 1) as layer.
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
        A, chosen = entering(a, k, sampled and sampling.inner, work)
        start, stop = share(team, W.shape[1], COLUMNS)
        _layer(activation, A, W, b, chosen, z, out, k == depth - 1, start, stop)
        barrier(team)
        if sampled and not sampling.inner:
            mask = units_of(work.mask, layout, k, batch)
            _mask_outputs(state, k, here, a if sampling.reads_input else z, work, mask, out, team)
            barrier(team)
        a = out
