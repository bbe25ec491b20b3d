"""Our own training steps: settings of a run, steps that can be timed, and examples needed for an accuracy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from approxmm.data import load_data
from approxmm.data.dataset import Dataset
from approxmm.engine.loop import Loop
from approxmm.engine.optimizers import Optimizer, Sgd
from approxmm.engine.paths import make_session
from approxmm.engine.recipe import Recipe
from approxmm.engine.session import Session
from approxmm.errors import ApproxmmError
from approxmm.methods import get_method
from approxmm.network import Network

__all__ = ["WIDTH", "Examples", "Run", "examples_to_accuracy", "load_examples", "own_stepper"]

WIDTH = 1000
_CHECKS = 2000  # validation examples, about 0.4 points of standard error at 97 %
_EVERY = 1000  # examples between two looks at the accuracy
_EPOCHS = 2
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Run(NamedTuple):
    """One way of training 784 – depth × 1000 – 10.

    Attributes
    ----------
    method, budget, options
        Of the sampling.
    depth, batch : int
    optimizer : Optimizer
    threads : int
    raw : bool
        Pixels in [0, 1] as they are, 81 % zeros; or standardised, none of them zero.
    recipe : mapping
        Further settings of `Recipe`.
    network : mapping
        Further settings of `Network.random`.
    """

    method: str = "exact"
    budget: float = 1.0
    options: Mapping[str, Any] = _NOTHING
    depth: int = 3
    batch: int = 20
    optimizer: Optimizer = Sgd(0.05)
    threads: int = 1
    raw: bool = True
    recipe: Mapping[str, Any] = _NOTHING
    network: Mapping[str, Any] = _NOTHING

    @property
    def widths(self) -> list[int]:
        """Input size, then every layer's output size."""
        return [784, *[WIDTH] * self.depth, 10]

    @property
    def rule(self) -> str:
        """Name of the optimiser's class."""
        return type(self.optimizer).__name__.lower()

    @property
    def title(self) -> str:
        """The run in a few words."""
        method = self.method if self.budget == 1 else f"{self.method} {self.budget:.0%}"
        extras = [name for name, value in self.recipe.items() if value is True]
        extras += [str(name) for name in self.network.values()]
        if self.recipe.get("sampled", {"forward"}) == frozenset({"input_gradient", "weight_gradient"}):
            extras.append("backward only")
        rule = "lazy adam" if getattr(self.optimizer, "lazy", False) else self.rule
        parts = [method, f"{self.depth} × {WIDTH}", f"batch {self.batch}", rule, *extras]
        return ", ".join(parts if self.raw else [*parts, "standardised"])


class Examples(NamedTuple):
    """Images and classes for training, and for looking at the accuracy (none where the data is not there)."""

    x: np.ndarray
    y: np.ndarray
    check: tuple[np.ndarray, np.ndarray] | None


def load_examples(raw: bool) -> Examples:
    """Return MNIST where it is found, otherwise numbers with as many zeros and no accuracy to reach."""
    try:
        data: Dataset = load_data("mnist", standardise="unit" if raw else "feature")
    except ApproxmmError:
        rng = np.random.default_rng(0)
        x = rng.random((4000, 784)) * (rng.random((4000, 784)) < 0.19) if raw else rng.standard_normal((4000, 784))
        return Examples(x.astype(np.float32), rng.integers(0, 10, 4000), None)
    held = data.validation
    return Examples(
        data.train.x.astype(np.float32), data.train.y, (held.x[:_CHECKS].astype(np.float32), held.y[:_CHECKS])
    )


def _session(run: Run) -> Session:
    network = Network.random(run.widths, dtype=np.float32, **run.network)
    method = get_method(run.method, run.budget, **run.options)
    return make_session(network, Recipe(method, run.optimizer, batch=run.batch, threads=run.threads, **run.recipe))


class _Walk:
    """Steps through the examples, epoch after epoch."""

    def __init__(self, run: Run, examples: Examples) -> None:
        self.session, self.title = _session(run), run.title
        self.loop = Loop(self.session, examples.x, examples.y, partial(_constant, run.optimizer.lr))

    def step(self, steps: int) -> float:
        """Take steps; return their seconds.

        Raises
        ------
        ApproxmmError
            If training diverged: the time of steps that were not taken says nothing.
        """
        at, seconds = self.loop.at, 0.0
        goal = at.taken + steps
        while at.taken < goal:
            started = time.perf_counter()
            good = self.loop.advance(min(at.step + goal - at.taken, self.loop.steps))
            seconds += time.perf_counter() - started
            if not good:
                raise ApproxmmError(f"{self.title} diverged in step {at.taken + 1}: nothing to time")
            if at.step == self.loop.steps:
                self.loop.end_epoch()
        return seconds


def _constant(lr: float, first: int, stop: int) -> np.ndarray:
    return np.full(stop - first, lr)


def own_stepper(run: Run, examples: Examples) -> Callable[[int], float]:
    """Return a function that takes a number of steps and returns their seconds; everything is compiled already."""
    walk = _Walk(run, examples)
    walk.step(2)
    return walk.step


def examples_to_accuracy(run: Run, examples: Examples, levels: tuple[float, ...]) -> dict[str, int | None]:
    """Return after how many training examples the accuracy on validation examples first reached each level.

    Accuracy is by exact products, or by the sampled path where the network is trained with normalised active outputs.
    None for a level that is not reached in two epochs.
    """
    reached: dict[str, int | None] = {f"{level:.0%}": None for level in levels}
    if examples.check is None:
        return reached
    walk, left = _Walk(run, examples), list(levels)
    sampled = run.network.get("normalise", "none") != "none"
    at, most = walk.loop.at, _EPOCHS * walk.loop.steps
    while left and at.taken < most:
        walk.step(min(max(1, _EVERY // run.batch), most - at.taken))
        accuracy = walk.session.accuracy(*examples.check, sampled)
        for level in [level for level in left if accuracy >= level]:
            reached[f"{level:.0%}"] = at.examples
            left.remove(level)
    return reached
