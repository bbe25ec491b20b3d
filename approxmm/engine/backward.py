"""The loss and its gradients, compiled.

Gradients flow through the sampled entries only, which makes them the exact gradients of the network that was sampled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.activations import slope
from approxmm.compile import compiled
from approxmm.engine.layout import Layout, bias_of, units_of, weights_of
from approxmm.engine.workspace import Sampling, Workspace, gather

__all__ = ["backward", "cross_entropy"]


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
