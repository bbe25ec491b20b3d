"""What a step works with: which products are sampled, and all of its memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.engine.layout import Layout
from approxmm.engine.weights import ROWS_AT_ONCE

__all__ = ["Sampling", "Workspace", "entering", "make_workspace", "pack"]


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
    rows : (B, n_0) float array
        The batch's inputs.
    targets : (B, t) array
        Its labels, or target vectors.
    pre, out, mask, delta : 1-D float arrays
        Pre-activations, outputs, output-side scales and ∂loss/∂z of all layers, for a whole batch.
    active_index, active_scale : (L + T, widest) arrays
        Each inner-sampled layer's active items and scales; the last T rows are the threads' own.
    active_count : (L,) int64
    packed : 1-D float array
        The active columns of every layer's input, scaled.
    packed_at : (L,) int64
        Where each layer's part starts, for a batch of one.
    back : 1-D float array
        ∂loss/∂(active inputs) of the layer at hand.
    scaled : (T, B · widest) float array
        Each thread's copy of ∂loss/∂z times the learning rate.
    scratch : (T, …) float array
        Each thread's gradients of a few rows.
    norms : (widest,) float array
    everything : (widest,) int64
        0, 1, 2, …: the items of a product that is not sampled.
    """

    rows: np.ndarray
    targets: np.ndarray
    pre: np.ndarray
    out: np.ndarray
    mask: np.ndarray
    delta: np.ndarray
    active_index: np.ndarray
    active_scale: np.ndarray
    active_count: np.ndarray
    packed: np.ndarray
    packed_at: np.ndarray
    back: np.ndarray
    scaled: np.ndarray
    scratch: np.ndarray
    norms: np.ndarray
    everything: np.ndarray


def make_workspace(
    layout: Layout, targets: np.ndarray, dtype: np.dtype | type, sampling: Sampling, threads: int
) -> Workspace:
    """Return the memory for steps by `threads` threads; `targets`, a part of it, has a row for each example."""
    batch = len(targets)
    units, widest, depth = int(layout.unit_at[-1]) * batch, int(layout.widths.max()), len(layout.weight_at)
    masked = units if sampling.layers and not sampling.inner else 0
    packed_at = np.concatenate([[0], np.cumsum(layout.widths[:-1])])
    packed = int(packed_at[sampling.layers]) * batch if sampling.inner else 0
    return Workspace(
        rows=np.zeros((batch, int(layout.widths[0])), dtype=dtype),
        targets=targets,
        pre=np.zeros(units, dtype=dtype),
        out=np.zeros(units, dtype=dtype),
        mask=np.zeros(masked, dtype=dtype),
        delta=np.zeros(units, dtype=dtype),
        active_index=np.zeros((depth + threads, widest), dtype=np.int64),
        active_scale=np.zeros((depth + threads, widest), dtype=dtype),
        active_count=np.zeros(depth, dtype=np.int64),
        packed=np.zeros(packed, dtype=dtype),
        packed_at=packed_at[:-1].astype(np.int64),
        back=np.zeros(batch * widest, dtype=dtype),
        scaled=np.zeros((threads, batch * widest), dtype=dtype),
        scratch=np.zeros((threads, (ROWS_AT_ONCE + 1) * widest), dtype=dtype),
        norms=np.zeros(widest, dtype=dtype),
        everything=np.arange(widest, dtype=np.int64),
    )


@compiled
def _packed(k: int, batch: int, work: Workspace) -> np.ndarray:
    start, count = work.packed_at[k] * batch, work.active_count[k]
    return work.packed[start : start + batch * count].reshape((batch, count))


@compiled
def pack(a: np.ndarray, k: int, work: Workspace) -> None:
    """Copy the active columns of layer k's input `a` (B, n), scaled, side by side."""
    into = _packed(k, a.shape[0], work)
    for s in range(work.active_count[k]):
        i, factor = work.active_index[k, s], work.active_scale[k, s]
        for b in range(a.shape[0]):
            into[b, s] = a[b, i] * factor


@compiled
def entering(a: np.ndarray, k: int, sampled: bool, work: Workspace) -> tuple[np.ndarray, np.ndarray]:
    """Return what entered layer k's product and the rows of the weights that belong to its columns.

    The packed active columns (B, c) if the product was sampled on the inner side, else `a` (B, n) itself.
    """
    if sampled:
        return _packed(k, a.shape[0], work), work.active_index[k, : work.active_count[k]]
    return a, work.everything[: a.shape[1]]
