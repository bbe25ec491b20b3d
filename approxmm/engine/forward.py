"""The sampled forward pass, compiled.

A sampled product is computed on gathered pairs: with S the active inner items and ξ their scales,
``z = (a_S ∘ ξ_S) W_S + b``. Scales on the output side multiply a layer's outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.activations import value
from approxmm.compile import compiled
from approxmm.engine.layout import Layout, bias_of, units_of, weights_of
from approxmm.engine.workspace import Sampling, Workspace, gather
from approxmm.methods.contract import select
from approxmm.methods.draws import column_norms
from approxmm.random import Key

__all__ = ["forward"]


@compiled
def _draw_inner(state: Any, a: np.ndarray, k: int, sampling: Sampling, key: Key, work: Workspace) -> None:
    norms = work.norms[: a.shape[1]]
    if sampling.reads_input:
        column_norms(a, norms)
    work.active_count[k] = select(state, k, norms, key, work.active_index[k], work.active_scale[k])


@compiled
def _affine(a: np.ndarray, W: np.ndarray, b: np.ndarray, gathered: int, work: Workspace, z: np.ndarray) -> None:
    """Write a W + b to `z`, over the gathered items of layer `gathered` where that is not negative."""
    if gathered < 0:
        np.dot(a, W, z)
    elif work.active_count[gathered] == 0:
        z[:] = 0.0
    else:
        some_a, some_w = gather(a, W, gathered, work)
        np.dot(some_a, some_w, z)
    for r in range(z.shape[0]):
        for j in range(b.size):
            z[r, j] += b[j]


@compiled
def _activate(activation: Any, z: np.ndarray, out: np.ndarray) -> None:
    for r in range(z.shape[0]):
        for j in range(z.shape[1]):
            out[r, j] = value(activation, z[r, j])


@compiled
def _mask_outputs(state: Any, k: int, key: Key, read: np.ndarray, work: Workspace, mask: np.ndarray) -> None:
    index, scale = work.active_index[k], work.active_scale[k]
    mask[:] = 0.0
    for b in range(read.shape[0]):
        item = Key(key.seed, key.stream, key.step, key.layer, b)
        count = select(state, k, read[b], item, index, scale)
        for j in range(count):
            mask[b, index[j]] = scale[j]


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
) -> None:
    """Compute all layers for the batch `x` (B, n_0) into the workspace.

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
        inner = k < sampling.layers and sampling.inner
        if inner:
            _draw_inner(state, a, k, sampling, here, work)
        _affine(a, W, b, k if inner else -1, work, z)
        if k < depth - 1:
            _activate(activation, z, out)
        else:
            out[:] = z
        if k < sampling.layers and not sampling.inner:
            mask = units_of(work.mask, layout, k, batch)
            _mask_outputs(state, k, here, a if sampling.reads_input else z, work, mask)
            out *= mask
        a = out
