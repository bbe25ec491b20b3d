"""What the backward pass of a simulation starts from: the loss's gradient at the network's result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from approxmm.errors import InputError
from approxmm.network import Network
from approxmm.random import Stream, generator, make_key

__all__ = ["Loss", "make_loss"]


class Loss(Protocol):
    """A loss of the network's result."""

    def gradient(self, result: np.ndarray, rows: slice) -> np.ndarray:
        """Return the gradient at `result`, as a new array of its shape.

        Parameters
        ----------
        result : (trials · size, m) array
            Ordered by (trial, input).
        rows : slice
            Which of all inputs the `size` inputs are.
        """


@dataclass(frozen=True, eq=False)
class _Linear:
    """A loss whose gradient is the same for every result: of each input, (B, m)."""

    cotangent: np.ndarray

    def gradient(self, result: np.ndarray, rows: slice) -> np.ndarray:
        """Return the cotangents of the inputs."""
        part = self.cotangent[rows]
        return np.tile(part, (len(result) // len(part), 1))


@dataclass(frozen=True, eq=False)
class _CrossEntropy:
    """The softmax cross-entropy of each input with its class, (B,) integers."""

    labels: np.ndarray

    def gradient(self, result: np.ndarray, rows: slice) -> np.ndarray:
        """Return softmax(z) − e_label."""
        part = self.labels[rows]
        delta: np.ndarray = np.exp(result - result.max(axis=1, keepdims=True))
        delta /= delta.sum(axis=1, keepdims=True)
        delta[np.arange(len(delta)), np.tile(part, len(delta) // len(part))] -= 1.0
        return delta


def make_loss(gradient: Any, network: Network, inputs: int, seed: int) -> Loss:
    """Return the loss that the argument `gradient` of `simulate` asks for.

    Raises
    ------
    InputError
        If it is not "gaussian", cotangents (inputs, m) or classes (inputs,).
    """
    classes = network.widths[-1]
    if isinstance(gradient, str):
        if gradient != "gaussian":
            raise InputError(
                f"gradient={gradient!r} is unknown; give 'gaussian', an array ({inputs}, {classes}) of the loss's "
                f"gradients, or {inputs} integer labels for the cross-entropy"
            )
        key = make_key(seed, Stream.INPUTS, layer=network.depth)
        return _Linear(generator(key).standard_normal((inputs, classes)).astype(network.dtype))
    values = np.asarray(gradient)
    if values.shape == (inputs,) and values.dtype.kind in "iu":
        if values.min() < 0 or values.max() >= classes:
            raise InputError(
                f"gradient: label {values[(values < 0) | (values >= classes)][0]} is not a class in [0, {classes}), "
                "the network's outputs"
            )
        return _CrossEntropy(values.astype(np.int64))
    if values.shape != (inputs, classes) or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise InputError(
            f"gradient has shape {values.shape} and dtype {values.dtype}; give finite gradients ({inputs}, {classes}), "
            f"or {inputs} integer labels"
        )
    return _Linear(values.astype(network.dtype))
