"""Optimisers: element-wise passes, fused with the gradient's computation and dispatched on the settings' class."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from approxmm.compile import compiled, compiled_fast, copy_into
from approxmm.dispatch import generic

__all__ = [
    "Adagrad",
    "Adam",
    "Collect",
    "Momentum",
    "Optimizer",
    "Sgd",
    "adds_directly",
    "kept",
    "moves_idle",
    "slot_count",
    "update",
]


class Sgd(NamedTuple):
    """Stochastic gradient descent: w ← w − η (g + λ w)."""

    lr: float = 0.1
    weight_decay: float = 0.0


class Momentum(NamedTuple):
    """Heavy-ball momentum, v ← μ v + g + λ w, w ← w − η v; or Nesterov's, w ← w − η (g + λ w + μ v) with the new v."""

    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0


class Adagrad(NamedTuple):
    """Adagrad (Duchi, Hazan & Singer 2011): s ← s + g², w ← w − η g / (√s + ε)."""

    lr: float = 0.01
    eps: float = 1e-10
    weight_decay: float = 0.0


class Adam(NamedTuple):
    """Adam (Kingma & Ba 2015) with bias correction.

    `lazy` leaves weights whose gradient is exactly zero as they are, with their moments: those that a sampled product
    did not touch, or that met an input of zero.
    """

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    lazy: bool = False


class Collect(NamedTuple):
    """No optimiser: gradients are written to the only slot, and parameters stay."""


Optimizer = Sgd | Momentum | Adagrad | Adam
_SLOTS: dict[type, int] = {Sgd: 0, Momentum: 1, Adagrad: 1, Adam: 2, Collect: 1}


def slot_count(optimizer: Optimizer | Collect) -> int:
    """Return how many vectors of the parameters' size the optimiser keeps."""
    return _SLOTS[type(optimizer)]


@generic
def update(
    optimizer: Any, params: np.ndarray, slots: np.ndarray, at: int, grad: np.ndarray, rate: float, step: int
) -> None:
    """Take one step in place for some parameters.

    Parameters
    ----------
    optimizer : NamedTuple
    params : (P,) float array
    slots : (slot_count, P) float array
        The optimiser's memory, zeros at the start.
    at : int
        Where the parameters in question start.
    grad : (p,) float array
        Their gradient.
    rate : float
        Learning rate of this step.
    step : int
        Number of this step, from 1.
    """


@generic
def moves_idle(optimizer: Any) -> bool:  # type: ignore[empty-body]
    """Return whether parameters whose gradient is zero change all the same (or their memory does)."""


@generic
def adds_directly(optimizer: Any) -> bool:  # type: ignore[empty-body]
    """Return whether w ← kept · w − rate · g is all there is, so that no gradient need be stored."""


@generic
def kept(optimizer: Any, rate: float) -> float:  # type: ignore[empty-body]
    """Return what weights are multiplied by before the gradient is added, for an optimiser that adds directly."""


@kept.register(object)
@compiled
def _keeps_all(optimizer: Any, rate: float) -> float:
    return 1.0


@kept.register(Sgd)
@compiled
def _decays(optimizer: Sgd, rate: float) -> float:
    return 1.0 - rate * optimizer.weight_decay


@adds_directly.register(object)
@compiled
def _stores_gradient(optimizer: Any) -> bool:
    return False


@adds_directly.register(Sgd)
@compiled
def _adds_to_weights(optimizer: Sgd) -> bool:
    return True


@moves_idle.register(Collect)
@compiled
def _collects_zeros(optimizer: Collect) -> bool:
    return True


@moves_idle.register(Momentum)
@compiled
def _rolls_on(optimizer: Momentum) -> bool:
    return True


@moves_idle.register(Sgd)
@moves_idle.register(Adagrad)
@compiled
def _only_decays(optimizer: Any) -> bool:
    return optimizer.weight_decay != 0.0  # type: ignore[no-any-return]


@moves_idle.register(Adam)
@compiled
def _unless_lazy(optimizer: Adam) -> bool:
    return not optimizer.lazy


@update.register(Collect)
@compiled
def _collect(
    optimizer: Collect, params: np.ndarray, slots: np.ndarray, at: int, grad: np.ndarray, rate: float, step: int
) -> None:
    copy_into(slots[0, at:], grad)


@update.register(Sgd)
@compiled_fast
def _update_sgd(
    optimizer: Sgd, params: np.ndarray, slots: np.ndarray, at: int, grad: np.ndarray, rate: float, step: int
) -> None:
    kind = params.dtype.type
    lr, keep = kind(rate), kind(1.0 - rate * optimizer.weight_decay)
    weights = params[at : at + grad.size]
    for i in range(grad.size):
        weights[i] = keep * weights[i] - lr * grad[i]


@update.register(Momentum)
@compiled_fast
def _update_momentum(
    optimizer: Momentum, params: np.ndarray, slots: np.ndarray, at: int, grad: np.ndarray, rate: float, step: int
) -> None:
    kind = params.dtype.type
    lr, momentum, decay = kind(rate), kind(optimizer.momentum), kind(optimizer.weight_decay)
    # v is written out in both: w ← w − η (own · g + ahead · v) covers the two rules without a branch an element.
    own, ahead = (kind(1.0), momentum) if optimizer.nesterov else (kind(0.0), kind(1.0))
    weights, velocity = params[at : at + grad.size], slots[0, at : at + grad.size]
    for i in range(grad.size):
        g = grad[i] + decay * weights[i]
        velocity[i] = momentum * velocity[i] + g
        weights[i] -= lr * (own * g + ahead * velocity[i])


@update.register(Adagrad)
@compiled_fast
def _update_adagrad(
    optimizer: Adagrad, params: np.ndarray, slots: np.ndarray, at: int, grad: np.ndarray, rate: float, step: int
) -> None:
    kind = params.dtype.type
    lr, eps, decay = kind(rate), kind(optimizer.eps), kind(optimizer.weight_decay)
    weights, squares = params[at : at + grad.size], slots[0, at : at + grad.size]
    for i in range(grad.size):
        g = grad[i] + decay * weights[i]
        squares[i] += g * g
        weights[i] -= lr * g / (np.sqrt(squares[i]) + eps)


@update.register(Adam)
@compiled_fast
def _update_adam(
    optimizer: Adam, params: np.ndarray, slots: np.ndarray, at: int, grad: np.ndarray, rate: float, step: int
) -> None:
    kind = params.dtype.type
    beta1, beta2, decay = kind(optimizer.beta1), kind(optimizer.beta2), kind(optimizer.weight_decay)
    rest1, rest2 = kind(1.0 - optimizer.beta1), kind(1.0 - optimizer.beta2)
    # Bias corrections folded into the step length and eps: one division and one root a parameter.
    root2 = math.sqrt(1.0 - optimizer.beta2**step)
    lr = kind(rate * root2 / (1.0 - optimizer.beta1**step))
    eps = kind(optimizer.eps * root2)
    weights, first = params[at : at + grad.size], slots[0, at : at + grad.size]
    second = slots[1, at : at + grad.size]
    for i in range(grad.size):
        g = grad[i] + decay * weights[i]
        mean, square = beta1 * first[i] + rest1 * g, beta2 * second[i] + rest2 * g * g
        weight = weights[i] - lr * mean / (np.sqrt(square) + eps)
        idle = optimizer.lazy and grad[i] == 0.0
        first[i] = first[i] if idle else mean
        second[i] = second[i] if idle else square
        weights[i] = weights[i] if idle else weight
