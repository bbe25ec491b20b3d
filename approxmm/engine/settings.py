"""Optimisers and learning-rate schedules by name, checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from approxmm.engine.optimizers import Adagrad, Adam, Momentum, Optimizer, Sgd
from approxmm.errors import InputError

__all__ = ["OPTIMIZERS", "SCHEDULES", "make_optimizer", "schedule_factors"]

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": Sgd,
    "momentum": Momentum,
    "nesterov": lambda **options: Momentum(nesterov=True, **options),
    "adagrad": Adagrad,
    "adam": Adam,
    "lazy_adam": lambda **options: Adam(lazy=True, **options),
}
# (smallest, largest) acceptable value; the largest itself is out of range.
_RANGES = {
    "lr": (0.0, math.inf),
    "momentum": (0.0, 1.0),
    "beta1": (0.0, 1.0),
    "beta2": (0.0, 1.0),
    "eps": (0.0, math.inf),
    "weight_decay": (0.0, math.inf),
}
_TYPICAL = "typical learning rates are 0.1 (sgd, momentum) and 0.001 (adam)"


def make_optimizer(name: str, lr: float | None = None, momentum: float | None = None, **options: Any) -> Optimizer:
    """Return an optimiser by name.

    Parameters
    ----------
    name : {"sgd", "momentum", "nesterov", "adagrad", "adam", "lazy_adam"}
        ``sgd`` with a momentum above 0 is ``momentum``. ``lazy_adam`` leaves weights that a sampled product did
        not touch as they are.
    lr : float, optional
        Learning rate; 0.1 for SGD with and without momentum, 0.01 for Adagrad, 0.001 for Adam by default.
    momentum : float, optional
        In [0, 1).
    **options
        Further parameters of the optimiser's class: weight_decay, beta1, beta2, eps.

    Raises
    ------
    InputError
        If a name or value is not acceptable.
    """
    if name not in OPTIMIZERS:
        raise InputError(f"optimizer={name!r} is unknown; choose one of {', '.join(OPTIMIZERS)}")
    given = {"lr": lr, "momentum": momentum, **options}
    given = {key: value for key, value in given.items() if value is not None}
    if name == "sgd" and given.get("momentum") == 0:
        del given["momentum"]
    elif name == "sgd" and "momentum" in given:
        name = "momentum"
    optimizer = OPTIMIZERS[name]()
    for key, value in given.items():
        if key not in _RANGES or key not in optimizer._fields:
            known = ", ".join(field for field in optimizer._fields if field in _RANGES)
            raise InputError(f"{key}={value} is not a parameter of optimizer {name!r}, which takes {known}")
        _check_range(key, value)
    changed: dict[str, Any] = {key: float(value) for key, value in given.items()}
    return optimizer._replace(**changed)


def _check_range(name: str, value: float) -> None:
    low, high = _RANGES[name]
    positive = name in ("lr", "eps")
    if not (math.isfinite(value) and (value > low if positive else value >= low) and value < high):
        interval = f"{'(' if positive else '['}{low:g}, {high:g})"
        raise InputError(f"{name}={value} must lie in {interval}; {_TYPICAL}")


SCHEDULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "constant": lambda done: np.ones_like(done),
    "linear": lambda done: 1.0 - done,
    "cosine": lambda done: 0.5 * (1.0 + np.cos(np.pi * done)),
    "step": lambda done: 0.1 ** np.floor(3.0 * done),
}


def schedule_factors(name: str, first: int, stop: int, total: int) -> np.ndarray:
    """Return what the learning rate is multiplied by in the steps first … stop − 1 of `total`, float64.

    Parameters
    ----------
    name : {"constant", "linear", "cosine", "step"}
        ``linear`` and ``cosine`` fall from 1 towards 0 over the run; ``step`` divides by 10 after each third of it.
    first, stop, total : int
    """
    if name not in SCHEDULES:
        raise InputError(f"schedule={name!r} is unknown; choose one of {', '.join(SCHEDULES)}")
    return SCHEDULES[name](np.arange(first, stop) / total)
