"""Optimisers: one fused pass over the parameter vector, dispatched on the class of the settings."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from approxmm._compile import compiled_fast
from approxmm.dispatch import generic
from approxmm.errors import InputError

__all__ = ["OPTIMIZERS", "Adam", "Optimizer", "Sgd", "make_optimizer", "slot_count", "update"]


class Sgd(NamedTuple):
    """Stochastic gradient descent with heavy-ball momentum: v ← μ v + g, w ← w − η v."""

    lr: float = 0.1
    momentum: float = 0.0


class Adam(NamedTuple):
    """Adam (Kingma & Ba 2015) with bias correction."""

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8


Optimizer = Sgd | Adam
OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": Sgd, "adam": Adam}
_SLOTS: dict[type, int] = {Sgd: 1, Adam: 2}


def slot_count(optimizer: Optimizer) -> int:
    """Return how many vectors of the parameters' size the optimiser keeps."""
    return _SLOTS[type(optimizer)]


@generic
def update(optimizer: Any, params: np.ndarray, grad: np.ndarray, slots: np.ndarray, step: int) -> None:
    """Take one step in place.

    Parameters
    ----------
    optimizer : NamedTuple
    params, grad : (P,) float arrays
    slots : (slot_count, P) float array
        The optimiser's memory, zeros at the start.
    step : int
        Number of this step, from 1.
    """


@update.register(Sgd)
@compiled_fast
def _update_sgd(optimizer: Sgd, params: np.ndarray, grad: np.ndarray, slots: np.ndarray, step: int) -> None:
    kind = params.dtype.type
    lr, momentum = kind(optimizer.lr), kind(optimizer.momentum)
    velocity = slots[0]
    for i in range(params.size):
        velocity[i] = momentum * velocity[i] + grad[i]
        params[i] -= lr * velocity[i]


@update.register(Adam)
@compiled_fast
def _update_adam(optimizer: Adam, params: np.ndarray, grad: np.ndarray, slots: np.ndarray, step: int) -> None:
    kind = params.dtype.type
    beta1, beta2 = kind(optimizer.beta1), kind(optimizer.beta2)
    rest1, rest2 = kind(1.0 - optimizer.beta1), kind(1.0 - optimizer.beta2)
    # Bias corrections folded into the step length and eps: one division and one root a parameter.
    root2 = math.sqrt(1.0 - optimizer.beta2**step)
    lr = kind(optimizer.lr * root2 / (1.0 - optimizer.beta1**step))
    eps = kind(optimizer.eps * root2)
    first, second = slots[0], slots[1]
    for i in range(params.size):
        g = grad[i]
        first[i] = beta1 * first[i] + rest1 * g
        second[i] = beta2 * second[i] + rest2 * g * g
        params[i] -= lr * first[i] / (np.sqrt(second[i]) + eps)


def make_optimizer(name: str, lr: float | None = None, momentum: float | None = None) -> Optimizer:
    """Return an optimiser by name.

    Parameters
    ----------
    name : {"sgd", "adam"}
    lr : float, optional
        Learning rate; 0.1 for SGD, 0.001 for Adam by default.
    momentum : float, optional
        Of SGD, in [0, 1).

    Raises
    ------
    InputError
        If a name or value is not acceptable.
    """
    if name not in OPTIMIZERS:
        raise InputError(f"optimizer={name!r} is unknown; choose one of {', '.join(OPTIMIZERS)}")
    optimizer = OPTIMIZERS[name]()
    if lr is not None:
        if not (math.isfinite(lr) and lr > 0):
            raise InputError(f"lr={lr} must be positive and finite; typical values are 0.1 (sgd) and 0.001 (adam)")
        optimizer = optimizer._replace(lr=float(lr))
    if momentum is not None:
        if not isinstance(optimizer, Sgd):
            raise InputError(f"momentum={momentum} is not a parameter of optimizer {name!r}; use --optimizer sgd")
        if not 0 <= momentum < 1:
            raise InputError(f"momentum={momentum} must lie in [0, 1)")
        optimizer = optimizer._replace(momentum=float(momentum))
    return optimizer
