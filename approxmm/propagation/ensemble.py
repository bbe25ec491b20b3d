"""A random stack described without being built: widths, activations, variances of weights and biases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from approxmm.activations import LINEAR, Activation, get_activation
from approxmm.errors import InputError, NotAvailableError
from approxmm.initialisers import get_initialiser
from approxmm.network import Network
from approxmm.propagation.plan import require_unnormalised

__all__ = ["Ensemble"]


@dataclass(frozen=True)
class Ensemble:
    """Layers with independent centred weights and biases, of which only the variances are given.

    Parameters
    ----------
    widths : sequence of int
        Input size, then every layer's output size: L + 1 numbers.
    activation : str or sequence of str
        One name, or one for each of the L − 1 hidden layers (none follows the last layer).
    weight_variance : float or sequence of float
        σ_w² = n_in · Var(weight), the variance that a unit input gives a node: one number, or one a layer.
    bias_variance : float or sequence of float
        σ_b², likewise.
    source : str
        Where the variances come from, for the settings of results.

    Raises
    ------
    InputError
        If numbers do not fit each other, or are not finite and non-negative.
    """

    widths: tuple[int, ...]
    activation: str | tuple[str, ...] = "relu"
    weight_variance: float | tuple[float, ...] = 2.0
    bias_variance: float | tuple[float, ...] = 0.0
    source: str = "given"
    phis: tuple[Activation, ...] = field(init=False, repr=False)
    variances: tuple[tuple[float, float], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        widths = tuple(self.widths)
        if len(widths) < 2 or not all(isinstance(n, (int, np.integer)) and n >= 1 for n in widths):
            raise InputError(f"widths={list(widths)[:8]!r} must be two or more positive integers")
        depth = len(widths) - 1
        names = _one_a_layer("activation", self.activation, depth - 1, "hidden layers")
        object.__setattr__(self, "widths", tuple(int(n) for n in widths))
        # A name is looked up once for each distinct one: a stack may have thousands of layers.
        found = {name: get_activation(name) for name in dict.fromkeys((*names, *self._single_name()))}
        object.__setattr__(self, "phis", tuple(found[name] for name in names))
        of_weights = _one_a_layer("weight_variance", self.weight_variance, depth, "layers")
        of_biases = _one_a_layer("bias_variance", self.bias_variance, depth, "layers")
        for name, numbers in (("weight_variance", of_weights), ("bias_variance", of_biases)):
            for number in numbers:
                if not (math.isfinite(number) and number >= 0.0):
                    raise InputError(f"{name}={number} must be a finite number of at least 0")
        object.__setattr__(self, "variances", tuple(zip(map(float, of_weights), map(float, of_biases), strict=True)))

    def _single_name(self) -> tuple[str, ...]:
        return (self.activation,) if isinstance(self.activation, str) else ()

    @classmethod
    def random(
        cls,
        widths: Sequence[int],
        *,
        activation: str | tuple[str, ...] = "relu",
        init: str = "he",
        bias_std: float = 0.0,
    ) -> Ensemble:
        """Return the ensemble that `Network.random` draws from, with the same arguments.

        Raises
        ------
        InputError
            If an argument is not acceptable.
        NotAvailableError
            If the initialiser's weights are not independent.
        """
        law = get_initialiser(init)
        if not law.independent:
            raise NotAvailableError(
                f"init={init!r}: its weights are not independent of each other, which the mean field assumes; "
                "simulate a network drawn with them (Network.random), or take another initialiser"
            )
        stack = cls(tuple(widths), activation)  # checks the widths before they are used
        of_weights = tuple(float(n * law.deviation(n, m) ** 2) for n, m in pairwise(stack.widths))
        return cls(stack.widths, activation, of_weights, float(bias_std) ** 2, f"init {init}")

    @classmethod
    def of(cls, network: Network) -> Ensemble:
        """Return an ensemble with a network's widths and activations and each layer's *measured* mean squares.

        Not claimed: that the network is a draw from it. Trained weights are correlated, and what is computed for the
        ensemble then is that of a random network of the same variances.

        Raises
        ------
        NotAvailableError
            If the network normalises its layers.
        """
        require_unnormalised(network)
        of_weights = [W.shape[0] * _mean_square(W) for W in network.weights]
        of_biases = [_mean_square(network.bias(k)) for k in range(1, network.depth + 1)]
        return cls(network.widths, network.activation, tuple(of_weights), tuple(of_biases), "measured")

    @property
    def depth(self) -> int:
        """Number of layers L."""
        return len(self.widths) - 1

    def phi(self, layer: int) -> Activation:
        """Return the activation that follows `layer` (counted from 1): linear after the last."""
        return LINEAR if layer == self.depth else self.phis[layer - 1]

    def describe(self) -> dict[str, Any]:
        """Return where the variances come from, and the range of each, as plain values."""
        return {
            "variances": self.source,
            **{
                name: round(values[0], 12) if min(values) == max(values) else [min(values), max(values)]
                for name, values in zip(
                    ("weight_variance", "bias_variance"), zip(*self.variances, strict=True), strict=True
                )
            },
        }


def _one_a_layer(name: str, value: Any, count: int, what: str) -> tuple[Any, ...]:
    if isinstance(value, (str, int, float, np.number)):
        return (value,) * count
    if len(value) != count:
        raise InputError(f"{name} has {len(value)} entries for {count} {what}; give one, or one for each")
    return tuple(value)


def _mean_square(array: np.ndarray) -> float:
    values = array.astype(np.float64, copy=False).reshape(-1)
    return float(values @ values) / values.size
