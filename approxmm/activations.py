"""Activation functions: one class each, usable in NumPy and inside compiled loops.

An activation is a NamedTuple of its parameters. `value` and `slope` are scalar
and compiled, dispatched on the class; `apply` and `apply_slope` map arrays.
"""

from __future__ import annotations

import math
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.dispatch import generic
from approxmm.errors import InputError

__all__ = ["ACTIVATIONS", "LINEAR", "Activation", "Linear", "apply", "apply_slope", "get_activation", "slope", "value"]


class Linear(NamedTuple):
    """φ(z) = z."""


class Relu(NamedTuple):
    """φ(z) = max(z, 0)."""


class LeakyRelu(NamedTuple):
    """φ(z) = z for z > 0, `leak`·z otherwise."""

    leak: float = 0.01


class ShiftedRelu(NamedTuple):
    """φ(z) = max(z − `threshold`, 0): a node fires only above the threshold (Alman, Liang, Song, Zhang, Zhuo 2023)."""

    threshold: float = 0.5


class Tanh(NamedTuple):
    """φ(z) = tanh z."""


class Sigmoid(NamedTuple):
    """φ(z) = 1 / (1 + exp(−z))."""


class Gelu(NamedTuple):
    """φ(z) = z Φ(z) with the normal distribution function Φ (Hendrycks & Gimpel 2016; exact, not the tanh form)."""


class Erf(NamedTuple):
    """φ(z) = erf z."""


Activation = Linear | Relu | LeakyRelu | ShiftedRelu | Tanh | Sigmoid | Gelu | Erf

LINEAR = Linear()
ACTIVATIONS: dict[str, Activation] = {
    "linear": LINEAR,
    "relu": Relu(),
    "leaky_relu": LeakyRelu(),
    "shifted_relu": ShiftedRelu(),
    "tanh": Tanh(),
    "sigmoid": Sigmoid(),
    "gelu": Gelu(),
    "erf": Erf(),
}
_ROOT_HALF, _ROOT_TWO_PI = math.sqrt(0.5), math.sqrt(2.0 * math.pi)


@generic
def value(activation: Activation, z: float) -> float:  # type: ignore[empty-body]
    """Return φ(z) of a scalar."""


@generic
def slope(activation: Activation, z: float) -> float:  # type: ignore[empty-body]
    """Return φ′(z) of a scalar; at a kink, the left derivative (0 for ReLU, as the frameworks choose)."""


@value.register(Linear)
@compiled
def _linear_value(activation: Linear, z: float) -> float:
    return z


@slope.register(Linear)
@compiled
def _linear_slope(activation: Linear, z: float) -> float:
    return 1.0


@value.register(Relu)
@compiled
def _relu_value(activation: Relu, z: float) -> float:
    # Written so that NaN passes through: `max(z, 0)` would hide divergence.
    return 0.0 if z <= 0 else z


@slope.register(Relu)
@compiled
def _relu_slope(activation: Relu, z: float) -> float:
    return 0.0 if z <= 0 else 1.0


@value.register(LeakyRelu)
@compiled
def _leaky_value(activation: LeakyRelu, z: float) -> float:
    return activation.leak * z if z <= 0 else z


@slope.register(LeakyRelu)
@compiled
def _leaky_slope(activation: LeakyRelu, z: float) -> float:
    return activation.leak if z <= 0 else 1.0


@value.register(ShiftedRelu)
@compiled
def _shifted_value(activation: ShiftedRelu, z: float) -> float:
    return 0.0 if z <= activation.threshold else z - activation.threshold


@slope.register(ShiftedRelu)
@compiled
def _shifted_slope(activation: ShiftedRelu, z: float) -> float:
    return 0.0 if z <= activation.threshold else 1.0


@value.register(Tanh)
@compiled
def _tanh_value(activation: Tanh, z: float) -> float:
    return math.tanh(z)


@slope.register(Tanh)
@compiled
def _tanh_slope(activation: Tanh, z: float) -> float:
    return 1.0 - math.tanh(z) ** 2


@value.register(Sigmoid)
@compiled
def _sigmoid_value(activation: Sigmoid, z: float) -> float:
    # tanh saturates where exp would overflow.
    return 0.5 * (1.0 + math.tanh(0.5 * z))


@slope.register(Sigmoid)
@compiled
def _sigmoid_slope(activation: Sigmoid, z: float) -> float:
    s = 0.5 * (1.0 + math.tanh(0.5 * z))
    return s * (1.0 - s)


@value.register(Gelu)
@compiled
def _gelu_value(activation: Gelu, z: float) -> float:
    # erfc keeps the small values of the left tail, which 1 + erf would round away.
    return -0.0 if z == -math.inf else 0.5 * z * math.erfc(-z * _ROOT_HALF)


@slope.register(Gelu)
@compiled
def _gelu_slope(activation: Gelu, z: float) -> float:
    return 0.5 * math.erfc(-z * _ROOT_HALF) + z * math.exp(-0.5 * z * z) / _ROOT_TWO_PI


@value.register(Erf)
@compiled
def _erf_value(activation: Erf, z: float) -> float:
    return math.erf(z)


@slope.register(Erf)
@compiled
def _erf_slope(activation: Erf, z: float) -> float:
    return 2.0 / math.sqrt(math.pi) * math.exp(-z * z)


@compiled
def _map_value(activation: Any, z: np.ndarray, out: np.ndarray) -> None:
    for i in range(z.size):
        out[i] = value(activation, z[i])


@compiled
def _map_slope(activation: Any, z: np.ndarray, out: np.ndarray) -> None:
    for i in range(z.size):
        out[i] = slope(activation, z[i])


def apply(activation: Activation, z: np.ndarray) -> np.ndarray:
    """Return φ(z) elementwise, a new C-ordered array of z's shape and dtype."""
    out = np.empty(z.shape, dtype=z.dtype)
    _map_value(activation, np.ascontiguousarray(z).reshape(-1), out.reshape(-1))
    return out


def apply_slope(activation: Activation, z: np.ndarray) -> np.ndarray:
    """Return φ′(z) elementwise, a new C-ordered array of z's shape and dtype."""
    out = np.empty(z.shape, dtype=z.dtype)
    _map_slope(activation, np.ascontiguousarray(z).reshape(-1), out.reshape(-1))
    return out


def get_activation(name: str) -> Activation:
    """Return the activation called `name`, such as ``relu``, or ``leaky_relu(0.2)`` with a parameter of its own.

    ``leaky_relu`` takes its slope below 0, ``shifted_relu`` its threshold.

    Raises
    ------
    InputError
        If there is none of that name, or the parameter is not a finite number that it takes.
    """
    base, bracket, rest = name.partition("(")
    if base not in ACTIVATIONS:
        close = get_close_matches(base, ACTIVATIONS, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(f"activation={name!r} is unknown; {hint}choose one of {', '.join(ACTIVATIONS)}")
    if not bracket:
        return ACTIVATIONS[base]
    try:
        parameter = float(rest.removesuffix(")")) if rest.endswith(")") else math.nan
    except ValueError:
        parameter = math.nan
    if not ACTIVATIONS[base]._fields or not math.isfinite(parameter):
        raise InputError(
            f"activation={name!r}: only leaky_relu (a slope) and shifted_relu (a threshold) take a parameter, a finite "
            "number: leaky_relu(0.2)"
        )
    return ACTIVATIONS[base]._make((parameter,))
