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
    "PLACE",
    "PRODUCT",
    "SCALE",
    "SELECTED",
    "SIZE",
    "SPREAD",
    "VALUES",
    "Memory",
    "line_of",
    "listed",
    "make_memory",
    "part",
]


# Rows of Memory.whole and Memory.real: lists of a layer's units, positions as in ITEMS …
ITEMS, PLACE, CHOSEN = range(3)
VALUES, GAIN, DELTA, PRODUCT, DENSE, ENTERING, SPREAD = range(7)
COORDINATES, SIZE = ENTERING, SPREAD  # where nothing is sampled on the inner side
# … and of the threads' own lines.
SELECTED = 0
SCALE, LINE, BACK = range(3)


_TOGETHER = 4096  # scattered parameters that are updated in one go


class Memory(NamedTuple):
    """All memory of the path. An example has a slot; layer l = 0 is the input, whose units come first.

    Rows that are a slot's or a thread's own are longer than said here, see `rows_apart`.

    Attributes
    ----------
    whole : (3 or 1, S, U) int64
        ITEMS: the units of each layer that count, increasing: those whose output, or its derivative, is not zero.
        PLACE, CHOSEN: for products sampled on the inner side, the chosen positions in ITEMS, and the units there.
    real : (7 or 5, S, U) float array
        By position in ITEMS: VALUES, the outputs; GAIN, ∂output/∂z before any normalisation; DELTA, ∂loss/∂z; PRODUCT,
        z without the bias. By unit: DENSE, the outputs, zeros elsewhere. By position in PLACE, for products sampled on
        the inner side: ENTERING, what entered the product; SPREAD, its scale. For batches whose next product's nodes
        are selected by scores: COORDINATES of the outputs, and SIZE, one number, as `begin_scores` gives them.
    sizes : (3, S, L + 1) int64
        How long ITEMS is; how long PLACE is; how many nodes were computed.
    root : (S, L + 1) float array
        What outputs were divided by.
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
    inner: bool = True,
    together: bool = False,
) -> Memory:
    """Return the memory for so many examples at once, threads, and vectors that the optimiser keeps.

    Without `inner`, no products may be sampled on their inner side; `together`, a batch's nodes may be scored at once.
    """
    units, widest, depth = int(layout.widths.sum()), int(layout.widths.max()), len(layout.weight_at)
    return Memory(
        whole=rows_apart((3 if inner else 1, slots, units), np.int64),
        real=rows_apart((7 if inner or together else 5, slots, units), dtype),
        sizes=rows_apart((3, slots, depth + 1), np.int64),
        root=rows_apart((slots, depth + 1), dtype),
        loss=np.zeros(slots),
        lines_whole=rows_apart((1, threads, widest), np.int64),
        lines_real=rows_apart((3, threads, widest), dtype),
        scratch=rows_apart((threads, (2 + kept) * max(widest, _TOGETHER)), dtype),
        everything=np.arange(widest, dtype=np.int64),
        scores=np.zeros((slots if together else 0, widest), dtype=dtype),
    )


@compiled
def part(table: np.ndarray, field: int, slot: int, layout: Layout, layer: int) -> np.ndarray:
    """Return a view of one row's part that belongs to a layer's units (layer 0: the input)."""
    first = 0 if layer == 0 else layout.widths[0] + layout.unit_at[layer - 1]
    return table[field, slot, first : first + layout.widths[layer]]


@compiled
def listed(memory: Memory, field: int, slot: int, layout: Layout, layer: int) -> np.ndarray:
    """Return a view of a layer's list of numbers: a row of `Memory.real` up to the length of ITEMS."""
    return part(memory.real, field, slot, layout, layer)[: memory.sizes[0, slot, layer]]


@compiled
def line_of(table: np.ndarray, field: int, rank: int, size: int) -> np.ndarray:
    """Return a thread's scratch of `size` elements."""
    return table[field, rank, :size]
