"""What a step works with: which products are sampled and how, and all of its memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.engine.layout import Layout
from approxmm.engine.weights import ROWS_AT_ONCE

__all__ = [
    "EXACT",
    "Sampling",
    "Workspace",
    "active_items",
    "copied",
    "entering",
    "make_workspace",
    "masks_input",
    "pack",
]


class Sampling(NamedTuple):
    """What a pass does; apart from the method's state, so that most kernels compile once for all methods.

    Attributes
    ----------
    layers : int
        How many of the first layers are sampled; 0 for exact training.
    inner : bool
        Scales on the inner side (one draw a batch) or on the output side (one an example).
    reads_input : bool
        Whether the law looks at the product's input (on the inner side: at the batch's column norms).
    forward, input_gradient, weight_gradient : int
        Which of a layer's draws, from 0, the product takes its scales from; `EXACT` if it is not sampled.
    normalise : bool
        Whether hidden layers' outputs are divided by their root mean square.
    """

    layers: int
    inner: bool
    reads_input: bool
    forward: int = 0
    input_gradient: int = 0
    weight_gradient: int = 0
    normalise: bool = False


EXACT = -1


class Workspace(NamedTuple):
    """All memory of a step, allocated once.

    Attributes
    ----------
    rows : (B, n_0) float array
        The batch's inputs.
    targets : (B, t) array
        Its labels, or target vectors.
    pre, out, delta : 1-D float arrays
        Pre-activations, outputs and ∂loss/∂z of all layers, for a whole batch.
    mask : (D, units) float array
        Output-side scales of all layers, for each of a layer's D draws.
    active_index, active_scale : (D · L or T, widest) arrays
        Each inner-sampled layer's active items and scales, by draw and layer; on the output side, where they become
        masks, each thread's own.
    active_count : (D · L,) int64
    packed : (D, …) float array
        What enters a product as a copy: the active columns of a layer's input, scaled, or its masked input.
    packed_at : (L,) int64
        Where each layer's part starts, for a batch of one.
    inverse_rms : (L, B) float64 array
        What each layer's outputs were multiplied by to normalise them.
    back : 1-D float array
        ∂loss/∂(active inputs) of the layer at hand, where inputs are sampled for it.
    scaled : (2 · T, B · widest) float array
        Each thread's copies of ∂loss/∂z times the output-side scales of either gradient, where they differ.
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
    inverse_rms: np.ndarray
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
    widest_output = int(layout.widths[1:].max())
    inner, outer = sampling.layers > 0 and sampling.inner, sampling.layers > 0 and not sampling.inner
    draws = 1 + max(sampling.forward, sampling.input_gradient, sampling.weight_gradient)
    lists = draws * depth if inner else threads * outer
    packed_at = np.concatenate([[0], np.cumsum(layout.widths[:-1])])
    packed = int(packed_at[sampling.layers]) * batch if sampling.inner else 0
    if masks_input(sampling):
        packed = int(packed_at[sampling.layers + 1]) * batch
    back = batch * widest if inner and sampling.input_gradient != EXACT else 0
    differ = outer and sampling.input_gradient != sampling.weight_gradient
    return Workspace(
        rows=np.zeros((batch, int(layout.widths[0])), dtype=dtype),
        targets=targets,
        pre=np.zeros(units, dtype=dtype),
        out=np.zeros(units, dtype=dtype),
        mask=np.zeros((draws, units if outer else 0), dtype=dtype),
        delta=np.zeros(units, dtype=dtype),
        active_index=np.zeros((lists, widest), dtype=np.int64),
        active_scale=np.zeros((lists, widest), dtype=dtype),
        active_count=np.zeros(draws * depth, dtype=np.int64),
        packed=np.zeros((draws, packed), dtype=dtype),
        packed_at=packed_at[:-1].astype(np.int64),
        inverse_rms=np.zeros((depth, batch)),
        back=np.zeros(back, dtype=dtype),
        scaled=np.zeros((2 * threads, batch * widest_output if differ else 0), dtype=dtype),
        scratch=np.zeros((threads, (ROWS_AT_ONCE + 1) * widest_output), dtype=dtype),
        norms=np.zeros(widest, dtype=dtype),
        everything=np.arange(widest, dtype=np.int64),
    )


@compiled
def masks_input(sampling: Sampling) -> bool:
    """Return whether weight gradients read a layer's input through the mask of the layer below.

    So they do after an exact forward pass: after a sampled one the input is masked already.
    """
    exact_forward = sampling.forward == EXACT and sampling.weight_gradient != EXACT
    return sampling.layers > 0 and not sampling.inner and exact_forward


@compiled
def active_items(k: int, draw: int, work: Workspace) -> tuple[np.ndarray, np.ndarray]:
    """Return the active items of an inner-side draw of layer k, and their scales."""
    place = draw * work.packed_at.size + k
    count = work.active_count[place]
    return work.active_index[place, :count], work.active_scale[place, :count]


@compiled
def copied(k: int, draw: int, batch: int, columns: int, work: Workspace) -> np.ndarray:
    """Return the memory (B, columns) for a copy of layer k's input as a draw has it."""
    start = work.packed_at[k] * batch
    return work.packed[draw, start : start + batch * columns].reshape((batch, columns))


@compiled
def pack(a: np.ndarray, k: int, draw: int, work: Workspace) -> None:
    """Copy the active columns of layer k's input `a` (B, n), scaled, side by side."""
    index, scale = active_items(k, draw, work)
    into = copied(k, draw, a.shape[0], index.size, work)
    for b in range(a.shape[0]):
        for s in range(index.size):
            into[b, s] = a[b, index[s]] * scale[s]


@compiled
def entering(a: np.ndarray, k: int, draw: int, work: Workspace) -> tuple[np.ndarray, np.ndarray]:
    """Return what enters layer k's product and the rows of the weights that belong to its columns.

    The packed active columns (B, c) of an inner-side draw, or `a` (B, n) itself for `EXACT`.
    """
    if draw == EXACT:
        return a, work.everything[: a.shape[1]]
    index, _ = active_items(k, draw, work)
    return copied(k, draw, a.shape[0], index.size, work), index
