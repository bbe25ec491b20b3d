"""The backward pass of a chunk of trials, for the scales that the forward pass drew, and the error of its gradients.

With ŝ_k = ξ_k ∘ â_{k−1} the input of product k and μ_k the mask of its output, the gradients of the sampled network are

    δ̂_L = G ∘ μ_L,    δ̂_k = (δ̂_{k+1} W_{k+1}ᵀ) ∘ ξ_{k+1} ∘ μ_k ∘ φ′(ẑ_k),    ĝ_k = ŝ_kᵀ δ̂_k

with G the loss's gradient at the network's result. ĝ_k is summed over the inputs that share a draw: over a minibatch,
or of one input. No (n, m) array is formed: inner products of such gradients are ⟨AᵀD, BᵀE⟩ = Σ (A Bᵀ) ∘ (D Eᵀ), and
with ΔS = Ŝ − S, ΔD = D̂ − D the error Ĝ − G = ŜᵀΔD + ΔSᵀD is found without cancellation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from approxmm.activations import apply_slope
from approxmm.network import Network
from approxmm.propagation.memory import Space
from approxmm.propagation.simulate_draws import Chunk, Draws, exact_layers
from approxmm.propagation.simulate_forward import Trace
from approxmm.propagation.simulate_kernels import add_sums
from approxmm.propagation.simulate_loss import Loss

__all__ = ["ExactValues", "sampled_backward"]


@dataclass(frozen=True, eq=False)
class ExactValues:
    """The exact values of some inputs at every layer: (size, n) arrays.

    Attributes
    ----------
    inputs, pre, out : lists of arrays
        What enters each product, z, and a.
    delta : list of arrays
        The gradient with respect to z; empty without a loss.
    """

    inputs: list[np.ndarray]
    pre: list[np.ndarray]
    out: list[np.ndarray]
    delta: list[np.ndarray]

    @classmethod
    def of(cls, network: Network, x: np.ndarray, rows: slice, loss: Loss | None) -> ExactValues:
        """Compute them for the inputs `x`, which are `rows` of all inputs."""
        pre, out = (list(values) for values in zip(*exact_layers(network, x), strict=True))
        delta = [] if loss is None else [loss.gradient(out[-1], rows)]
        for k in range(network.depth - 1 if delta else 0, 0, -1):
            delta.append((delta[-1] @ network.weights[k].T) * apply_slope(network.phi(k), pre[k - 1]))
        return cls([x, *out[:-1]], pre, out, delta[::-1])

    def pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Return z and a, layer by layer."""
        return zip(self.pre, self.out, strict=True)

    def squared_norms(self, batch: int) -> np.ndarray:
        """Return ‖z‖² and ‖a‖² of each layer, with a loss also ‖δ‖² and ‖g‖², summed over inputs, (L, 2 or 4)."""
        norms = np.zeros((len(self.pre), 4 if self.delta else 2))
        for k, pair in enumerate(self.pairs()):
            norms[k, :2] = [float(np.vdot(value, value)) for value in pair]
        for k, delta in enumerate(self.delta):
            norms[k, 2] = float(np.vdot(delta, delta))
            for S, D in _minibatches(batch, self.inputs[k][None], delta[None]):
                norms[k, 3] += float(_inner(S, S, D, D)[0])
        return norms


def sampled_backward(
    draws: Draws,
    chunk: Chunk,
    exact: ExactValues,
    trace: Trace,
    gradient: np.ndarray,
    space: Space,
    sums: np.ndarray,
    products: np.ndarray,
) -> None:
    """Run the backward pass from the loss's `gradient` (rows, n_L), which is overwritten.

    Parameters
    ----------
    sums : (trials, L, 4, 3) float64 array
        To places 2 and 3, δ and the weight gradient, the sums over inputs and minibatches are added.
    products : (trials // 2, L) float64 array
        ⟨ĝ_t − g, ĝ_s − g⟩ of the two trials of each pair is added: its mean is ‖E ĝ − g‖².
    """
    weights = draws.network.weights
    delta = gradient
    delta *= trace.slopes[-1]
    for k in range(len(weights) - 1, -1, -1):
        add_sums(delta, exact.delta[k], sums[:, k, 2])
        S_hat, dS = _with_difference(
            chunk, trace.inputs[k], exact.inputs[k], space.take("scratch0", *trace.inputs[k].shape)
        )
        _, dD = _with_difference(chunk, delta, exact.delta[k], space.take("scratch1", *delta.shape))
        for A, dA, E, D in _minibatches(draws.batch, S_hat, dS, dD, exact.delta[k][None]):
            _add_own(A, dA, E, D, sums[:, k, 3])
            _add_pairs(A, dA, E, D, products[:, k])
        if k > 0:
            back = space.take(f"delta{k % 2}", chunk.rows, weights[k].shape[0])
            delta = np.matmul(delta, weights[k].T, out=back)
            delta *= trace.slopes[k - 1]


def _with_difference(
    chunk: Chunk, sampled: np.ndarray, exact: np.ndarray, out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a chunk's values as (trials, size, n), and what they differ by from the exact ones (in `out`)."""
    shape = (chunk.trials, *exact.shape)
    values = sampled.reshape(shape)
    return values, np.subtract(values, exact, out=out.reshape(shape))


def _add_own(A: np.ndarray, dA: np.ndarray, E: np.ndarray, D: np.ndarray, sums: np.ndarray) -> None:
    """Add ‖Ĝ − G‖², ‖Ĝ‖² and ⟨Ĝ, G⟩ for A = Ŝ, dA = ΔS, E = ΔD."""
    AA, AdA, ED, DD = _gram(A, A), _gram(A, dA), _gram(E, D), _gram(D, D)
    EE = _gram(E, E)
    sums[:, 0] += _total(AA * EE) + 2.0 * _total(AdA * ED) + _total(_gram(dA, dA) * DD)
    sums[:, 1] += _total(AA * (EE + ED + ED.swapaxes(-1, -2) + DD))
    sums[:, 2] += _total((AA - AdA) * (ED + DD))


def _add_pairs(A: np.ndarray, dA: np.ndarray, E: np.ndarray, D: np.ndarray, products: np.ndarray) -> None:
    """Add ⟨Ĝ_t − G, Ĝ_s − G⟩ for the pairs of trials (t, s) = (0, 1), (2, 3) and so on."""
    paired = 2 * len(products)
    (A0, dA0, E0), (A1, dA1, E1) = ([X[i:paired:2] for X in (A, dA, E)] for i in (0, 1))
    products += _inner(A0, A1, E0, E1) + _inner(A0, dA1, E0, D) + _inner(dA0, A1, D, E1) + _inner(dA0, dA1, D, D)


def _minibatches(batch: int, *arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield arrays (trials, size, n) as (trials, minibatches, batch, n); a smaller last minibatch by itself."""
    size = arrays[0].shape[1]
    whole = size // batch * batch
    for start, stop, length in ((0, whole, batch), (whole, size, size - whole)):
        if stop > start:
            yield tuple(X[:, start:stop].reshape(len(X), -1, length, X.shape[-1]) for X in arrays)


def _gram(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return X Yᵀ of each minibatch, (trials, minibatches, batch, batch)."""
    gram: np.ndarray = np.matmul(X, Y.swapaxes(-1, -2))
    return gram


def _inner(A: np.ndarray, B: np.ndarray, D: np.ndarray, E: np.ndarray) -> np.ndarray:
    """Return ⟨AᵀD, BᵀE⟩ summed over minibatches, (trials,)."""
    return _total(_gram(A, B) * _gram(D, E))


def _total(grams: np.ndarray) -> np.ndarray:
    total: np.ndarray = grams.sum(axis=(1, 2, 3), dtype=np.float64)
    return total
