"""A layer's units as lists: which count, what they send on, and what comes back to them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from approxmm.activations import slope, value
from approxmm.compile import compiled, copy_into
from approxmm.engine.layout import Layout
from approxmm.engine.sparse.memory import (
    CHOSEN,
    DELTA,
    DENSE,
    ENTERING,
    GAIN,
    ITEMS,
    SPREAD,
    VALUES,
    Memory,
    listed,
    part,
    product_row,
)
from approxmm.methods.operations import SparseVector
from approxmm.normalisation import RMS_EPSILON

__all__ = ["choose", "entering", "fill_line", "items_of", "list_input", "list_units", "outputs", "take_back"]


@compiled
def items_of(memory: Memory, slot: int, layout: Layout, layer: int) -> np.ndarray:
    """Return the listed units of a layer, a view."""
    return part(memory.whole, ITEMS, slot, layout, layer)[: memory.sizes[0, slot, layer]]


@compiled
def fill_line(items: np.ndarray, values: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Write numbers at their places in a line, zeros elsewhere; return the line."""
    line[:] = 0.0
    for q in range(items.size):
        line[items[q]] = values[q]
    return line


@compiled
def outputs(memory: Memory, slot: int, layout: Layout, layer: int) -> SparseVector:
    """Return what a layer sends on (layer 0: the input), as views."""
    return SparseVector(
        part(memory.real, DENSE, slot, layout, layer),
        part(memory.whole, ITEMS, slot, layout, layer),
        part(memory.real, VALUES, slot, layout, layer),
        memory.sizes[0, slot, layer],
    )


@compiled
def list_input(x: np.ndarray, memory: Memory, slot: int, layout: Layout) -> None:
    """Take in an example: its entries that are not zero."""
    sent = outputs(memory, slot, layout, 0)
    copy_into(sent.dense, x)
    size = 0
    for i in range(x.size):
        # Written always and kept only if not zero: a branch would be guessed wrong.
        sent.items[size] = i
        sent.values[size] = x[i]
        size += x[i] != 0.0
    memory.sizes[0, slot, 0] = size


@compiled
def list_units(
    activation: Any,
    normalised: bool,
    index: np.ndarray,
    scale: np.ndarray,
    products: np.ndarray,
    by_unit: bool,
    bias: np.ndarray,
    memory: Memory,
    slot: int,
    layout: Layout,
    layer: int,
) -> None:
    """Turn the products of the computed nodes `index` into outputs, and list those that count.

    Parameters
    ----------
    index : (c,) int64
    scale : (c,) float array
        Of the outputs.
    products : float array
        z without the bias, in the order of `index`, or, if `by_unit`, of all nodes.
    """
    sent = outputs(memory, slot, layout, layer)
    gain = part(memory.real, GAIN, slot, layout, layer)
    product = part(memory.real, product_row(memory), slot, layout, layer)
    for q in range(sent.size):
        sent.dense[sent.items[q]] = 0.0
    size = 0
    for q in range(index.size):
        j = index[q]
        u = products[j if by_unit else q]
        a, g = scale[q] * value(activation, u + bias[j]), scale[q] * slope(activation, u + bias[j])
        sent.items[size], sent.values[size], gain[size], product[size] = j, a, g, u
        size += (a != 0.0) | (g != 0.0)
    if normalised:
        memory.root[slot, layer] = _normalise(sent.values, size, layout.widths[layer])
    for q in range(size):
        sent.dense[sent.items[q]] = sent.values[q]
    memory.sizes[0, slot, layer], memory.sizes[2, slot, layer] = size, index.size


@compiled
def _normalise(values: np.ndarray, size: int, width: int) -> float:
    """Divide the values by the root mean square over the whole width; return it."""
    total = 0.0
    for q in range(size):
        number = np.float64(values[q])
        total += number * number
    root: float = values.dtype.type(math.sqrt(total / width + RMS_EPSILON))
    for q in range(size):
        values[q] /= root
    return root


@compiled
def choose(index: np.ndarray, scale: np.ndarray, memory: Memory, slot: int, layout: Layout, layer: int) -> None:
    """Let only the units `index` (increasing) of a layer enter the next product, scaled."""
    sent, chosen = outputs(memory, slot, layout, layer), part(memory.whole, CHOSEN, slot, layout, layer)
    values, spread = part(memory.real, ENTERING, slot, layout, layer), part(memory.real, SPREAD, slot, layout, layer)
    size = q = 0
    for c in range(index.size):
        while q < sent.size and sent.items[q] < index[c]:
            q += 1
        if q < sent.size and sent.items[q] == index[c]:
            chosen[size], values[size], spread[size] = index[c], scale[c] * sent.values[q], scale[c]
            size += 1
    memory.sizes[1, slot, layer] = size


@compiled
def entering(memory: Memory, slot: int, layout: Layout, layer: int, chosen: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the units that entered the product after a layer, and the numbers that did; views."""
    size = memory.sizes[1 if chosen else 0, slot, layer]
    items = part(memory.whole, CHOSEN if chosen else ITEMS, slot, layout, layer)
    values = part(memory.real, ENTERING if chosen else VALUES, slot, layout, layer)
    return items[:size], values[:size]


@compiled
def take_back(
    back: np.ndarray, chosen: bool, normalised: bool, memory: Memory, slot: int, layout: Layout, layer: int
) -> None:
    """Turn ∂loss/∂(what entered the next product) into ∂loss/∂z of a layer's listed units."""
    delta, values = listed(memory, DELTA, slot, layout, layer), listed(memory, VALUES, slot, layout, layer)
    gain = listed(memory, GAIN, slot, layout, layer)
    if chosen:
        items, entered = items_of(memory, slot, layout, layer), part(memory.whole, CHOSEN, slot, layout, layer)
        spread = part(memory.real, SPREAD, slot, layout, layer)
        delta[:] = 0.0
        q = 0
        for c in range(back.size):
            while items[q] < entered[c]:
                q += 1
            delta[q] = spread[c] * back[c]
    else:
        copy_into(delta, back)
    if normalised:
        # â = a/r with r² = mean a² + ε: ∂loss/∂a = (g − â · mean(g â))/r, and units that are not listed have â = 0.
        along = 0.0
        for q in range(delta.size):
            along += delta[q] * values[q]
        mean, root = along / layout.widths[layer], memory.root[slot, layer]
        for q in range(delta.size):
            delta[q] = (delta[q] - values[q] * mean) / root
    for q in range(delta.size):
        delta[q] *= gain[q]
