"""How a network is trained: everything that decides a step, but the network and the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from approxmm.engine.losses import CrossEntropy, Loss
from approxmm.engine.optimizers import Adam, Optimizer
from approxmm.errors import InputError
from approxmm.methods.contract import Method

__all__ = ["PATHS", "Path", "Recipe", "check_counts"]

Path = Literal["auto", "minibatch", "per_example"]
PATHS = ("auto", "minibatch", "per_example")


@dataclass(frozen=True)
class Recipe:
    """The settings of every step.

    Parameters
    ----------
    method : Method
        Samples all products but the last layer's.
    optimizer : Optimizer
    loss : Loss
    batch : int
        Examples a step.
    seed : int
        Of the order of examples and of all draws.
    dtype : float dtype
        Of all arithmetic.
    threads : int
        Threads that share each step; results do not depend on it.
    path : {"auto", "minibatch", "per_example"}
        How steps are computed: all examples of a batch together, or each example alone, touching its active weights
        only. ``auto`` takes what is faster.
    asynchronous : bool
        Threads take steps of their own at the same time, on shared parameters and without locks (Recht, Ré, Wright
        & Niu 2011). Results then depend on chance, unless there is one thread only.

    Raises
    ------
    InputError
        If a number or a name is out of range.
    """

    method: Method
    optimizer: Optimizer = field(default_factory=Adam)
    loss: Loss = field(default_factory=CrossEntropy)
    batch: int = 20
    seed: int = 0
    dtype: np.dtype | type = np.float32
    threads: int = 1
    path: Path = "auto"
    asynchronous: bool = False

    def __post_init__(self) -> None:
        check_counts(batch=self.batch, threads=self.threads)
        if self.path not in PATHS:
            raise InputError(f"path={self.path!r} is unknown; choose one of {', '.join(PATHS)}")
        object.__setattr__(self, "dtype", np.dtype(self.dtype))


def check_counts(**numbers: int) -> None:
    """Raise InputError unless all of these are integers of at least 1."""
    for name, value in numbers.items():
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise InputError(f"{name}={value!r} must be an integer of at least 1")
