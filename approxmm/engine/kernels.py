"""Forward, backward and whole runs of steps, compiled.

A sampled product is computed on gathered pairs: with S the active inner items and ξ their scales,
``z = (a_S ∘ ξ_S) W_S + b``; gradients flow through the sampled entries only, which makes them the exact
gradients of the sampled network. Scales on the output side multiply a layer's outputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from approxmm._compile import compiled
from approxmm.activations import slope, value
from approxmm.engine.layout import Layout, bias_of, units_of, weights_of
from approxmm.engine.optimizers import update
from approxmm.methods.contract import refresh, select
from approxmm.methods.draws import column_norms
from approxmm.random import Key, Stream

__all__ = ["Sampling", "Workspace", "backward", "forward", "make_workspace", "train_steps"]

_SELECT = Stream.SELECT


class Sampling(NamedTuple):
    """Which products are sampled; apart from the method's state, so that most kernels compile once for all methods.

    Attributes
    ----------
    layers : int
        How many of the first products are sampled; 0 for exact training.
    inner : bool
        Scales on the inner side (one draw a batch) or on the output side (one an example).
    reads_input : bool
        Whether the law looks at the product's input (on the inner side: at the batch's column norms).
    """

    layers: int
    inner: bool
    reads_input: bool


class Workspace(NamedTuple):
    """All memory of a step, allocated once.

    Attributes
    ----------
    pre, out, mask, delta : 1-D float arrays
        Pre-activations, outputs, output-side scales and ∂loss/∂z of all layers, for a whole batch.
    active_index, active_scale : (L, widest) arrays
        Each inner-sampled layer's active items and scales.
    active_count : (L,) int64
    gathered_a, gathered_w, gathered_g : 1-D float arrays
        The active columns of the input (scaled), the active rows of the weights, and a result of their size.
    norms : (widest,) float array
    grad : (P,) float array
    """

    pre: np.ndarray
    out: np.ndarray
    mask: np.ndarray
    delta: np.ndarray
    active_index: np.ndarray
    active_scale: np.ndarray
    active_count: np.ndarray
    gathered_a: np.ndarray
    gathered_w: np.ndarray
    gathered_g: np.ndarray
    norms: np.ndarray
    grad: np.ndarray


def make_workspace(layout: Layout, parameters: int, batch: int, dtype: np.dtype | type) -> Workspace:
    """Return the memory for steps of up to `batch` examples."""
    units, widest, depth = int(layout.unit_at[-1]) * batch, int(layout.widths.max()), len(layout.weight_at)
    largest = int((layout.widths[:-1] * layout.widths[1:]).max())
    pre, out, mask, delta = (np.zeros(units, dtype=dtype) for _ in range(4))
    return Workspace(
        pre=pre,
        out=out,
        mask=mask,
        delta=delta,
        active_index=np.zeros((depth, widest), dtype=np.int64),
        active_scale=np.zeros((depth, widest), dtype=dtype),
        active_count=np.zeros(depth, dtype=np.int64),
        gathered_a=np.zeros(batch * widest, dtype=dtype),
        gathered_w=np.zeros(largest, dtype=dtype),
        gathered_g=np.zeros(max(largest, batch * widest), dtype=dtype),
        norms=np.zeros(widest, dtype=dtype),
        grad=np.zeros(parameters, dtype=dtype),
    )


@compiled
def gather(a: np.ndarray, W: np.ndarray, k: int, work: Workspace) -> tuple[np.ndarray, np.ndarray]:
    """Return the active columns of `a`, scaled (B, c), and the active rows of `W` (c, m), copied together."""
    batch, m, c = a.shape[0], W.shape[1], work.active_count[k]
    some_a = work.gathered_a[: batch * c].reshape((batch, c))
    some_w = work.gathered_w[: c * m].reshape((c, m))
    for s in range(c):
        i, factor = work.active_index[k, s], work.active_scale[k, s]
        some_w[s] = W[i]
        for b in range(batch):
            some_a[b, s] = a[b, i] * factor
    return some_a, some_w


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


@compiled
def cross_entropy(scores: np.ndarray, labels: np.ndarray, delta: np.ndarray) -> float:
    """Return the mean softmax cross-entropy of `scores` (B, C), and write its gradient to `delta`."""
    batch, classes = scores.shape
    loss = 0.0
    for r in range(batch):
        top = scores[r].max()
        total = 0.0
        for j in range(classes):
            total += np.exp(scores[r, j] - top)
        loss += np.log(total) + top - scores[r, labels[r]]
        for j in range(classes):
            delta[r, j] = np.exp(scores[r, j] - top) / total / batch
        delta[r, labels[r]] -= 1.0 / batch
    mean: float = loss / batch
    return mean


@compiled
def _sampled_gradients(
    a: np.ndarray, W: np.ndarray, k: int, delta: np.ndarray, work: Workspace, grad_w: np.ndarray, into: np.ndarray
) -> None:
    """Write the gradients of an inner-sampled product: rows that were not drawn get none."""
    some_a, some_w = gather(a, W, k, work)
    batch, c = some_a.shape
    grad_w[:] = 0.0
    some_g = work.gathered_g[: c * W.shape[1]].reshape((c, W.shape[1]))
    np.dot(some_a.T, delta, some_g)
    for s in range(c):
        grad_w[work.active_index[k, s]] = some_g[s]
    if k == 0:
        return
    into[:] = 0.0
    back = work.gathered_g[: batch * c].reshape((batch, c))
    np.dot(delta, some_w.T, back)
    for r in range(batch):
        for s in range(c):
            into[r, work.active_index[k, s]] = back[r, s] * work.active_scale[k, s]


@compiled
def backward(
    x: np.ndarray, params: np.ndarray, layout: Layout, activation: Any, sampling: Sampling, work: Workspace
) -> None:
    """Turn ∂loss/∂z_L (in `work.delta`) into all gradients (in `work.grad`), for the draws of the last `forward`."""
    batch, depth = x.shape[0], layout.weight_at.size
    for back in range(depth):
        k = depth - 1 - back
        W, delta = weights_of(params, layout, k), units_of(work.delta, layout, k, batch)
        grad_w, grad_b = weights_of(work.grad, layout, k), bias_of(work.grad, layout, k)
        a = x if k == 0 else units_of(work.out, layout, k - 1, batch)
        # Nothing reads the gradient of the input; its place is given a harmless view.
        into = delta if k == 0 else units_of(work.delta, layout, k - 1, batch)
        grad_b[:] = 0.0
        for r in range(batch):
            grad_b += delta[r]
        if k < sampling.layers and sampling.inner:
            _sampled_gradients(a, W, k, delta, work, grad_w, into)
        else:
            np.dot(a.T, delta, grad_w)
            if k > 0:
                np.dot(delta, W.T, into)
        if k > 0:
            _through_activation(k - 1, layout, activation, sampling, work, into)


@compiled
def _through_activation(
    k: int, layout: Layout, activation: Any, sampling: Sampling, work: Workspace, delta: np.ndarray
) -> None:
    """Turn ∂loss/∂a_k into ∂loss/∂z_k in place: output-side scales, then the activation's slope."""
    batch = delta.shape[0]
    z = units_of(work.pre, layout, k, batch)
    if k < sampling.layers and not sampling.inner:
        delta *= units_of(work.mask, layout, k, batch)
    for r in range(batch):
        for j in range(delta.shape[1]):
            delta[r, j] *= slope(activation, z[r, j])


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
        Steps taken: fewer than asked for if a loss was not finite (the step's update is not made).
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
        if not np.isfinite(losses[s]):
            return s - first
        backward(rows[:size], params, layout, activation, sampling, work)
        update(optimizer, params, work.grad, slots, now + 1)
        for k in range(sampling.layers):
            active[k] += work.active_count[k]
            side = layout.widths[k] if sampling.inner else layout.widths[k + 1]
            refresh(state, k, weights_of(params, layout, k), everything[:side])
    return stop - first
