"""Training with sampled products: epochs, curves, divergence, interruption."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from approxmm.data.dataset import Dataset
from approxmm.engine.measure import measure
from approxmm.engine.optimizers import Adam, Optimizer
from approxmm.engine.recipe import Recipe, check_counts
from approxmm.engine.result import TrainingResult
from approxmm.engine.session import Session
from approxmm.engine.settings import schedule_factors
from approxmm.engine.steps import StepRange
from approxmm.errors import InputError
from approxmm.methods.contract import Method
from approxmm.network import Network
from approxmm.parallel import available_workers, single_threaded_blas
from approxmm.profile import ErrorProfile

__all__ = ["Progress", "train"]

_WORK_TO_SHARE = 1_000_000  # multiplications of a product, about 10 µs of one thread
_CHUNK_SECONDS = 0.2  # how long compiled code runs before Ctrl-C and the progress display get their turn


@dataclass(frozen=True)
class Progress:
    """Where a run is: steps done of all, and the latest figures."""

    step: int
    steps: int
    epoch: int
    loss: float
    validation_accuracy: float | None


def train(
    data: Dataset,
    method: Method,
    *,
    depth: int = 3,
    width: int = 1000,
    activation: str = "relu",
    optimizer: Optimizer | None = None,
    schedule: str = "constant",
    batch: int = 20,
    epochs: int = 1,
    seed: int = 0,
    init: str = "he",
    dtype: np.dtype | type = np.float32,
    network: Network | None = None,
    measure_every: int | None = None,
    probe: int = 500,
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> TrainingResult:
    """Train a classifier whose products are sampled by `method`, with softmax cross-entropy.

    All products but the output layer's are sampled in the forward pass; gradients flow through the sampled entries.

    Parameters
    ----------
    data : Dataset
    method : Method
    depth, width : int
        Hidden layers and their size.
    activation : str
    optimizer : Optimizer, optional
        ``Adam()`` by default.
    schedule : {"constant", "linear", "cosine", "step"}
        What becomes of the learning rate over the run; see `schedule_factors`.
    batch, epochs : int
    seed : int
        Of weights, order of examples and draws; with the same seed the result is the same to the bit.
    init : str
        Initialiser of the weights.
    dtype : float dtype
        Of all arithmetic.
    network : Network, optional
        Start from these parameters instead (depth, width, activation, init are then its own).
    measure_every : int, optional
        Measure the compounding of error every this many epochs, and at the start and the end; by default never.
    probe : int
        Validation examples it is measured on.
    threads : int, optional
        Threads that share each step (by default as useful). Results do not depend on it.
    progress : callable, optional
        Called several times a second.

    Returns
    -------
    TrainingResult
        Ctrl-C ends the run early with what was trained (status ``interrupted``); a loss that is not finite (or
        beyond 10^9) ends it with the last good parameters (status ``diverged``).

    Raises
    ------
    InputError
        If an argument is out of range.
    """
    check_counts(depth=depth, width=width, batch=batch, epochs=epochs, probe=probe, measure_every=measure_every or 1)
    schedule_factors(schedule, 0, 1, 1)
    widths = [data.features, *[width] * depth, len(data.classes)]
    start = network or Network.random(widths, activation=activation, init=init, seed=seed)
    _check_fit(start, data)
    batch = min(batch, len(data.train))
    if threads is None:
        threads = _useful_threads(start, batch)
    recipe = Recipe(method, optimizer or Adam(), batch=batch, seed=seed, dtype=dtype, threads=threads)
    session = Session(start, recipe)
    with single_threaded_blas():
        return _Run(session, data, epochs, schedule, measure_every, probe, progress).result()


def _check_fit(network: Network, data: Dataset) -> None:
    if network.widths[0] != data.features or network.widths[-1] != len(data.classes):
        raise InputError(
            f"network {network.widths[0]} → {network.widths[-1]} does not fit data {data.name!r} "
            f"({data.features} features, {len(data.classes)} classes)"
        )


def _useful_threads(network: Network, batch: int) -> int:
    """Return how many threads gain time: a product should cost several times what meeting at its end does."""
    smallest = batch * min(W.size for W in network.weights[:-1]) if network.depth > 1 else 0
    return available_workers() if smallest >= _WORK_TO_SHARE else 1


@dataclass
class _Run:
    session: Session
    data: Dataset
    epochs: int
    schedule: str
    measure_every: int | None
    probe: int
    progress: Callable[[Progress], None] | None
    status: str = "finished"
    completed: int = 0
    taken: int = 0
    seconds: float = 0.0
    chunk: int = 1
    validation: float | None = None
    curves: dict[str, list[float]] = field(
        default_factory=lambda: {"epoch": [], "train_loss": [], "validation_accuracy": [], "seconds": []}
    )
    profiles: list[ErrorProfile] = field(default_factory=list)

    def __post_init__(self) -> None:
        convert = self.session.dtype
        self.x, self.y = self.data.train.x.astype(convert, copy=False), self.data.train.y
        self.steps = -(-len(self.x) // self.session.batch)

    def result(self) -> TrainingResult:
        self._measure()
        try:
            for epoch in range(self.epochs):
                if not self._epoch(epoch):
                    break
                if self.measure_every and self.completed % self.measure_every == 0 and self.completed < self.epochs:
                    self._measure()
        except KeyboardInterrupt:
            self.status = "interrupted"
        if self.status != "diverged":
            self._measure()
        return self._summary()

    def _measure(self) -> None:
        if self.measure_every is not None:
            probe = self.data.validation.x[: self.probe].astype(self.session.dtype, copy=False)
            targets = self.data.validation.y[: self.probe]
            self.profiles.append(measure(self.session, probe, step=self.taken, targets=targets))

    def _epoch(self, epoch: int) -> bool:
        """Run one epoch; return False if it diverged (then the parameters are those before it)."""
        order = self.session.epoch_order(len(self.x), epoch)
        losses, good, position = np.zeros(self.steps), self.session.params.copy(), 0
        while position < self.steps:
            stop = min(position + self.chunk, self.steps)
            started = time.perf_counter()
            taken = self.session.run(self.x, self.y, self._range(order, epoch, position, stop), losses)
            elapsed = time.perf_counter() - started
            self._account(taken, elapsed, first=self.taken == 0)
            if taken < stop - position:
                self.session.params[:] = good
                self.status = "diverged"
                return False
            position = stop
            self._report(epoch, float(losses[position - 1]))
        self._finish_epoch(epoch, float(losses.mean()))
        return True

    def _range(self, order: np.ndarray, epoch: int, first: int, stop: int) -> StepRange:
        before = epoch * self.steps
        factors = schedule_factors(self.schedule, before + first, before + stop, self.epochs * self.steps)
        return StepRange(order, first, stop, before, self.session.optimizer.lr * factors)

    def _account(self, taken: int, elapsed: float, first: bool) -> None:
        """Add to the clock, and choose the next chunk's length; the very first step pays for compilation."""
        self.taken += taken
        if first:
            return
        self.seconds += elapsed
        # Chunks only decide when Python gets its turn: results do not depend on them.
        self.chunk = max(1, int(_CHUNK_SECONDS * max(taken, 1) / max(elapsed, 1e-6)))

    def _report(self, epoch: int, loss: float) -> None:
        if self.progress is not None:
            done = epoch * self.steps
            self.progress(Progress(max(self.taken, done), self.steps * self.epochs, epoch + 1, loss, self.validation))

    def _finish_epoch(self, epoch: int, loss: float) -> None:
        self.completed = epoch + 1
        self.validation = self._accuracy("validation")
        for name, value in zip(self.curves, (self.completed, loss, self.validation, self.seconds), strict=True):
            self.curves[name].append(value)

    def _accuracy(self, part: str, sampled: bool = False) -> float:
        split = getattr(self.data, part)
        return self.session.accuracy(split.x.astype(self.session.dtype, copy=False), split.y, sampled)

    def _summary(self) -> TrainingResult:
        timed = max(self.taken - 1, 0)
        done, dense = self.session.multiplications(max(self.taken, 1))
        return TrainingResult(
            status=self.status,
            network=self.session.network(),
            test_accuracy=self._accuracy("test"),
            validation_accuracy=self._accuracy("validation"),
            test_accuracy_sampled=self._accuracy("test", sampled=True),
            epochs=self.completed,
            steps=self.taken,
            seconds=self.seconds,
            examples_per_second=timed * self.session.batch / self.seconds if self.seconds else 0.0,
            multiplications_fraction=done / dense,
            peak_memory_mb=peak_memory_mb(),
            curves=self.curves,
            profiles=self.profiles,
            settings=self._settings(),
        )

    def _settings(self) -> dict[str, Any]:
        optimizer = self.session.optimizer
        return {
            "data": self.data.name,
            "standardisation": self.data.standardisation.description,
            "split": self.data.split_description,
            "widths": [int(n) for n in self.session.layout.widths],
            "activation": self.session.activation_name,
            "method": self.session.method.describe(),
            "optimizer": {"name": type(optimizer).__name__.lower(), **optimizer._asdict()},
            "schedule": self.schedule,
            "batch": self.session.batch,
            "threads": self.session.threads,
            "epochs": self.epochs,
            "seed": self.session.seed,
            "dtype": self.session.dtype.name,
        }


def peak_memory_mb() -> float:
    """Return the process's largest resident size so far, in 10^6 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
