"""A feed-forward network as plain arrays: weights, biases, activations.

Layer k computes ``z_k = a_{k−1} W_k + b_k`` with ``W_k`` of shape (n_in, n_out);
``a_k = φ_k(z_k)`` for every layer but the last, whose result is ``z_L``; with ``normalise="rms"`` each hidden layer's
output is divided by its root mean square, ``a ← a / sqrt(mean_j a_j² + 1e-12)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from approxmm.activations import LINEAR, Activation, Linear, apply, get_activation
from approxmm.errors import InputError
from approxmm.initialisers import get_initialiser
from approxmm.normalisation import check_normalisation, rms_normalised
from approxmm.random import Stream, generator, make_key

__all__ = ["Network"]


@dataclass(frozen=True, eq=False)
class Network:
    """A chain of dense layers.

    Parameters
    ----------
    weights : sequence of (n_in, n_out) float arrays
        One a layer; consecutive shapes must chain.
    biases : sequence of (n_out,) float arrays, optional
        None means no biases at all (all zero).
    activation : str or sequence of str
        Name of the activation between layers (none follows the last layer), or one name for each of the L − 1 hidden
        layers. Kept as one name where all are the same.
    normalise : {"none", "rms"}
        What happens to each hidden layer's output before the next product reads it.

    Raises
    ------
    InputError
        If shapes do not chain, a value is not finite, or the activation or normalisation is unknown.
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...] | None = None
    activation: str | tuple[str, ...] = "relu"
    normalise: str = "none"
    phis: tuple[Activation, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_normalisation(self.normalise)
        weights = tuple(_checked(f"W{k}", W, 2) for k, W in enumerate(self.weights, start=1))
        if not weights:
            raise InputError("weights=() has no layer; give at least one (n_in, n_out) array")
        for k in range(1, len(weights)):
            if weights[k].shape[0] != weights[k - 1].shape[1]:
                raise InputError(
                    f"W{k + 1} has shape {weights[k].shape} but W{k} gives {weights[k - 1].shape[1]} outputs; "
                    f"rows of W{k + 1} must equal columns of W{k} (arrays are n_in × n_out: is one transposed?)"
                )
        common = np.result_type(*weights)  # one type throughout, so that compiled loops see one
        weights = tuple(W.astype(common, copy=False) for W in weights)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "biases", _checked_biases(self.biases, weights))
        names = _hidden_names(self.activation, len(weights) - 1)
        object.__setattr__(self, "phis", tuple(get_activation(name) for name in names))
        if len(set(names)) == 1:
            object.__setattr__(self, "activation", names[0])

    @classmethod
    def random(
        cls,
        widths: Sequence[int],
        *,
        activation: str | tuple[str, ...] = "relu",
        init: str = "he",
        bias_std: float = 0.0,
        seed: int = 0,
        dtype: type = np.float64,
        normalise: str = "none",
    ) -> Network:
        """Return a network with random weights and Gaussian biases.

        Parameters
        ----------
        widths : sequence of int
            Input size, hidden sizes, output size: L + 1 numbers for L layers.
        activation : str or tuple of str
            As for the class.
        init : str
            Law of the weights, by name; see `get_initialiser`.
        bias_std : float
            Standard deviation of the biases; 0 gives zero biases.
        seed : int
            All weights are a function of it.
        dtype : float dtype
            Of weights and biases.
        normalise : {"none", "rms"}
            As for the class.
        """
        law = get_initialiser(init)
        if len(widths) < 2 or not all(isinstance(n, (int, np.integer)) and n >= 1 for n in widths):
            raise InputError(f"widths={list(widths)!r} must be two or more positive integers (input, hidden…, output)")
        weights: list[np.ndarray] = []
        biases: list[np.ndarray] = []
        for k, (n, m) in enumerate(pairwise(widths), start=1):
            rng = generator(make_key(seed, Stream.WEIGHTS, layer=k))
            weights.append(law.weights(rng, (n, m)).astype(dtype))
            biases.append((bias_std * rng.standard_normal(m)).astype(dtype))
        return cls(tuple(weights), tuple(biases), activation, normalise)

    @property
    def depth(self) -> int:
        """Number of layers L (weight matrices)."""
        return len(self.weights)

    @property
    def widths(self) -> tuple[int, ...]:
        """Input size, then every layer's output size."""
        return (self.weights[0].shape[0], *(W.shape[1] for W in self.weights))

    @property
    def dtype(self) -> np.dtype:
        """Float type of the parameters."""
        return self.weights[0].dtype

    def bias(self, layer: int) -> np.ndarray:
        """Return the bias of `layer` (counted from 1), zeros where the network has none."""
        if self.biases is None:
            return np.zeros(self.weights[layer - 1].shape[1], dtype=self.dtype)
        return self.biases[layer - 1]

    def phi(self, layer: int) -> Activation:
        """Return the activation that follows `layer` (counted from 1): linear after the last."""
        return LINEAR if layer == self.depth else self.phis[layer - 1]

    def activate(self, layer: int, z: np.ndarray) -> np.ndarray:
        """Return what `layer` (counted from 1) makes of `z`, φ(z) or φ(z) normalised; `z` itself if that is all."""
        phi = self.phi(layer)
        a = z if isinstance(phi, Linear) else apply(phi, z)
        return rms_normalised(a) if self.normalise == "rms" and layer < self.depth else a

    def astype(self, dtype: type) -> Network:
        """Return the network with parameters of `dtype`: itself if it has them already."""
        if self.dtype == dtype:
            return self
        # A value beyond the type's range becomes infinite, which the constructor reports by name.
        with np.errstate(over="ignore"):
            changed: tuple[np.ndarray, ...] | None = (
                None if self.biases is None else tuple(b.astype(dtype) for b in self.biases)
            )
            return Network(tuple(W.astype(dtype) for W in self.weights), changed, self.activation, self.normalise)

    def layers(self, x: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return all pre-activations z_1…z_L and all outputs a_1…a_L for inputs `x`.

        Parameters
        ----------
        x : (B, n_in) float array

        Returns
        -------
        z, a : lists of (B, n_k) arrays
            ``a[-1]`` is ``z[-1]``: the last layer has no activation.
        """
        pre, out = [], []
        a = self.check_inputs(x)
        for k, W in enumerate(self.weights, start=1):
            z = a @ W + self.bias(k)
            a = self.activate(k, z)
            pre.append(z)
            out.append(a)
        return pre, out

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return the exact result (B, n_out) for inputs `x` (B, n_in)."""
        return self.layers(x)[1][-1]

    def check_inputs(self, x: np.ndarray) -> np.ndarray:
        """Return `x` as a finite 2-D array of the network's dtype, or raise `InputError`."""
        x = _checked("inputs", np.atleast_2d(x), 2)
        if x.shape[1] != self.widths[0]:
            raise InputError(
                f"inputs have {x.shape[1]} features but the network takes {self.widths[0]}; "
                f"give an array (B, {self.widths[0]})"
            )
        with np.errstate(over="ignore"):
            return _checked("inputs", x.astype(self.dtype, copy=False), 2)

    def save(self, path: str | Path) -> None:
        """Write ``W1, b1, …, WL, bL``, ``activation`` and ``normalise`` to an .npz file, whole or not at all."""
        from approxmm.network_file import write_network

        write_network(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Network:
        """Read a network written by `save`, or any .npz with arrays ``Wk`` (n_in × n_out) and optionally ``bk``.

        `approxmm.read_model` reads the files of other packages.

        Raises
        ------
        MissingError, DataError
            If the file is missing, truncated, contains pickles, claims more than it holds or than 2 GiB, or holds no
            layers ``W1, W2, …``.
        """
        from approxmm.network_file import read_network

        return read_network(Path(path))

    def __repr__(self) -> str:
        names = self.activation if isinstance(self.activation, str) else ", ".join(self.activation)
        normalised = f", {self.normalise}" if self.normalise != "none" else ""
        return f"Network({' – '.join(map(str, self.widths))}, {names}{normalised}, {self.dtype})"


def _hidden_names(activation: str | Sequence[str], hidden: int) -> tuple[str, ...]:
    """Return the name of each hidden layer's activation; a single name is checked even if no layer uses it."""
    if isinstance(activation, str):
        get_activation(activation)
        return (activation,) * hidden
    if len(activation) != hidden:
        raise InputError(
            f"activation={tuple(activation)!r} names {len(activation)} activations for {hidden} hidden layers; "
            "give one name, or one for each hidden layer (none follows the last layer)"
        )
    return tuple(activation)


def _checked(name: str, array: np.ndarray, ndim: int) -> np.ndarray:
    """Return `array` as a C-contiguous finite float array of `ndim` dimensions."""
    array = np.asarray(array)
    if array.ndim != ndim or array.size == 0:
        raise InputError(f"{name} has shape {array.shape}; it must be a non-empty array of {ndim} dimensions")
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name} has dtype {array.dtype}; it must hold real numbers")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError(f"{name}{list(bad)} is {array[bad]}; all values must be finite: clean or drop them first")
    return np.ascontiguousarray(array)


def _checked_biases(
    biases: Sequence[np.ndarray] | None, weights: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, ...] | None:
    """Return the biases checked against the weights' shapes, in the weights' dtype."""
    if biases is None:
        return None
    if len(biases) != len(weights):
        raise InputError(f"{len(biases)} biases for {len(weights)} layers; give one a layer, or None")
    checked = []
    for k, (b, W) in enumerate(zip(biases, weights, strict=True), start=1):
        b = _checked(f"b{k}", b, 1)
        if b.shape != (W.shape[1],):
            raise InputError(f"b{k} has shape {b.shape}; W{k} has {W.shape[1]} outputs, so it must be ({W.shape[1]},)")
        checked.append(b.astype(W.dtype, copy=False))
    return tuple(checked)
