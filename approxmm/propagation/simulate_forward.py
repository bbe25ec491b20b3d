"""The forward pass of a chunk of trials: sampled, or exact with the scales drawn for the backward pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from approxmm.activations import Activation, Linear
from approxmm.propagation.memory import Space
from approxmm.propagation.simulate_draws import Chunk, Draws
from approxmm.propagation.simulate_kernels import activate_rows, add_bias, add_sums, fill_slopes

__all__ = ["Trace", "exact_forward", "sampled_forward"]


@dataclass
class Trace:
    """What the backward pass needs of a forward pass.

    Attributes
    ----------
    inputs : list of (rows, n) arrays
        What entered each product: the activation, with a mask of the layer before and the scales of its own.
    slopes : list of (rows, m) arrays
        What a layer's output gradient is multiplied by: slope, mask, and the next layer's inner scales.
    """

    inputs: list[np.ndarray] = field(default_factory=list)
    slopes: list[np.ndarray] = field(default_factory=list)

    def keep(self, a: np.ndarray, scales: np.ndarray | None) -> None:
        """Keep a product's input, whose inner scales have been multiplied in, and the scales' place in the gradient."""
        self.inputs.append(a)
        if scales is not None and self.slopes:
            self.slopes[-1] *= scales

    def slope(self, phi: Activation, z: np.ndarray, space: Space) -> np.ndarray:
        """Keep φ′(z) of a layer and return it."""
        out = space.take(f"slopes{len(self.slopes)}", *z.shape)
        fill_slopes(phi, z, out)
        self.slopes.append(out)
        return out


def sampled_forward(
    draws: Draws,
    chunk: Chunk,
    exact: Iterable[tuple[np.ndarray, np.ndarray]],
    space: Space,
    sums: np.ndarray,
    trace: Trace | None,
) -> np.ndarray:
    """Run the sampled network and return its result (rows, m).

    Parameters
    ----------
    exact : iterable of (z, a)
        The exact values of the chunk's inputs, layer by layer.
    sums : (trials, L, places, 3) float64 array
        To places 0 and 1, pre-activation and output, the sums over inputs are added.
    trace : Trace, optional
        Filled for the backward pass.
    """
    network, depth = draws.network, draws.network.depth
    # A trace keeps every layer's values; otherwise two arrays take turns.
    names = [f"values{k if trace is not None else k % 2}" for k in range(depth + 1)]
    a = chunk.spread(draws.inputs[chunk.inputs], space.take(names[0], chunk.rows, network.widths[0]))
    for k, (W, (exact_pre, exact_out)) in enumerate(zip(network.weights, exact, strict=True)):
        incoming, side, scales = a, draws.side(k), None
        if side == "inner":
            scales = draws.scales(k, incoming, None, chunk, space)
            np.multiply(a, scales, out=a)
        if trace is not None:
            trace.keep(a, scales)
        a = np.matmul(a, W, out=space.take(names[k + 1], chunk.rows, W.shape[1]))
        if network.biases is not None:
            add_bias(a, network.biases[k])
        add_sums(a, exact_pre, sums[:, k, 0])
        scales = draws.scales(k, incoming, a, chunk, space) if side == "output" else None
        slopes = None if trace is None else trace.slope(network.phi(k + 1), a, space)
        _activate(network.phi(k + 1), a)
        if scales is not None:
            for array in (a,) if slopes is None else (a, slopes):
                np.multiply(array, scales, out=array)
        add_sums(a, exact_out, sums[:, k, 1])
    return a


def exact_forward(
    draws: Draws,
    chunk: Chunk,
    exact: Iterable[tuple[np.ndarray, np.ndarray]],
    space: Space,
    sums: np.ndarray,
    trace: Trace,
) -> np.ndarray:
    """Fill `trace` with exact values under the scales that their laws draw there, and return the exact result.

    The arrays of the backward pass, which comes later, hold what the laws read.
    """
    network = draws.network
    x = draws.inputs[chunk.inputs]
    incoming = chunk.spread(x, space.take("scratch0", *_shape(chunk, x)))
    a = chunk.spread(x, space.take("values0", *_shape(chunk, x)))
    for k, (pre, out) in enumerate(exact):
        for place, values in enumerate((pre, out)):  # no error, and both norms and the inner product are the exact norm
            sums[:, k, place, 1:] += float(np.vdot(values, values))
        side, scales = draws.side(k), None
        if side == "inner":
            scales = draws.scales(k, incoming, None, chunk, space)
            np.multiply(a, scales, out=a)
        trace.keep(a, scales)
        z = chunk.spread(pre, space.take("delta1", *_shape(chunk, pre)))
        slopes = trace.slope(network.phi(k + 1), z, space)
        a = chunk.spread(out, space.take(f"values{k + 1}", *_shape(chunk, out)))
        if side == "output":
            scales = draws.scales(k, incoming, z, chunk, space)
            for array in (a, slopes):
                np.multiply(array, scales, out=array)
        incoming = chunk.spread(out, space.take(f"scratch{(k + 1) % 2}", *_shape(chunk, out)))
    return incoming


def _shape(chunk: Chunk, values: np.ndarray) -> tuple[int, int]:
    return chunk.rows, values.shape[1]


def _activate(phi: Activation, rows: np.ndarray) -> None:
    if not isinstance(phi, Linear):
        activate_rows(phi, rows)
