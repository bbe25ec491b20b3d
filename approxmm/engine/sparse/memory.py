"""What the per-example path works with: all of its memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from approxmm.apart import rows_apart
from approxmm.compile import compiled
from approxmm.engine.layout import Layout

__all__ = [
    "BACK",
    "CHOSEN",
    "COORDINATES",
    "DELTA",
    "DENSE",
    "ENTERING",
    "GAIN",
    "ITEMS",
    "LINE",
    "PRODUCT",
    "SCALE",
    "SELECTED",
    "SPREAD",
    "VALUES",
    "Memory",
    "line_of",
    "listed",
    "make_memory",
    "part",
    "product_row",
]


# Rows of Memory.whole and Memory.real: lists of a layer's units, positions as in ITEMS …
ITEMS, CHOSEN = range(2)
VALUES, GAIN, DELTA, DENSE, PRODUCT = range(5)
ENTERING, SPREAD = 4, 5  # where products are sampled on the inner side, and nobody asks for PRODUCT
COORDINATES = 4  # where nodes are selected by scores, and nobody asks for it either
# … and of the threads' own lines.
SELECTED = 0
SCALE, LINE, BACK = range(3)


_TOGETHER = 4096  # scattered parameters that are updated in one go


class Memory(NamedTuple):
    """All memory of the path. An example has a slot; layer l = 0 is the input, whose units come first.

    Rows that are a slot's or a thread's own are longer than said here, see `rows_apart`.

    Attributes
    ----------
    whole : (2 or 1, S, U) int64
        ITEMS: the units of each layer that count, increasing: those whose output, or its derivative, is not zero.
        CHOSEN: for products sampled on the inner side, those of them that entered, increasing.
    real : (4 to 6, S, U) float array
        By position in ITEMS: VALUES, the outputs; GAIN, ∂output/∂z before any normalisation; DELTA, ∂loss/∂z. By unit:
        DENSE, the outputs, zeros elsewhere. Where weights lie node by node PRODUCT, z without the bias, by position in
        ITEMS; or, for batches whose next product's nodes are selected by scores, COORDINATES of the outputs, as
        `begin_scores` gives them. For products sampled on the inner side, by position in CHOSEN: ENTERING, what
        entered the product; SPREAD, its scale.
    sizes : (3, S, L + 1) int64
        How long ITEMS is; how long CHOSEN is; how many nodes were computed.
    root : (S, L + 1) float array
        What outputs were divided by.
    divisor : (S, L + 1) float array
        The sizes of outputs that `begin_scores` gives with their coordinates.
    loss : (S,) float64
    lines_whole, lines_real : (1, T, widest) int64, (3, T, widest) float arrays
        Scratch of each thread: SELECTED; SCALE, LINE, BACK.
    scratch : (T, …) float array
        Each thread's copies of scattered parameters.
    everything : (widest,) int64
        0, 1, 2, …
    scores : (S, widest) float array
        All nodes' scores in one layer, for laws that score a batch; no rows for single examples.
    """

    whole: np.ndarray
    real: np.ndarray
    sizes: np.ndarray
    root: np.ndarray
    divisor: np.ndarray
    loss: np.ndarray
    lines_whole: np.ndarray
    lines_real: np.ndarray
    scratch: np.ndarray
    everything: np.ndarray
    scores: np.ndarray


def make_memory(
    layout: Layout,
    dtype: np.dtype | type,
    slots: int,
    threads: int,
    kept: int,
    *,
    inner: bool,
    by_node: bool,
    scored: bool,
) -> Memory:
    """Return the memory for so many examples at once, threads, and vectors that the optimiser keeps.

    `inner`: products are sampled on their inner side; `by_node`: weights lie node by node; `scored`: a batch's nodes
    are scored at once.
    """
    units, widest, depth = int(layout.widths.sum()), int(layout.widths.max()), len(layout.weight_at)
    return Memory(
        whole=rows_apart((2 if inner else 1, slots, units), np.int64),
        real=rows_apart((6 if inner else 5 if by_node else 4, slots, units), dtype),
        sizes=rows_apart((3, slots, depth + 1), np.int64),
        root=rows_apart((slots, depth + 1), dtype),
        divisor=rows_apart((slots, depth + 1), dtype),
        loss=np.zeros(slots),
        lines_whole=rows_apart((1, threads, widest), np.int64),
        lines_real=rows_apart((3, threads, widest), dtype),
        scratch=rows_apart((threads, (2 + kept) * max(widest, _TOGETHER)), dtype),
        everything=np.arange(widest, dtype=np.int64),
        scores=np.zeros((slots if scored else 0, widest), dtype=dtype),
    )


@compiled
def part(table: np.ndarray, field: int, slot: int, layout: Layout, layer: int) -> np.ndarray:
    """Return a view of one row's part that belongs to a layer's units (layer 0: the input)."""
    first = 0 if layer == 0 else layout.widths[0] + layout.unit_at[layer - 1]
    return table[field, slot, first : first + layout.widths[layer]]


@compiled
def product_row(memory: Memory) -> int:
    """Return the row of `Memory.real` for products: that of ∂loss/∂z, which is not known yet, if nobody keeps them."""
    return PRODUCT if memory.real.shape[0] > PRODUCT else DELTA


@compiled
def listed(memory: Memory, field: int, slot: int, layout: Layout, layer: int) -> np.ndarray:
    """Return a view of a layer's list of numbers: a row of `Memory.real` up to the length of ITEMS."""
    return part(memory.real, field, slot, layout, layer)[: memory.sizes[0, slot, layer]]


@compiled
def line_of(table: np.ndarray, field: int, rank: int, size: int) -> np.ndarray:
    """Return a thread's scratch of `size` elements."""
    return table[field, rank, :size]
