"""What a step works with: which products are sampled, and all of its memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.engine.layout import Layout

__all__ = ["Sampling", "Workspace", "gather", "make_workspace"]


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
