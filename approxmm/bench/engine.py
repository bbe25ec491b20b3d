"""Training steps against PyTorch's and against our own exact ones: same network, data, batch, optimiser and threads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from approxmm.bench._own_steps import Examples, Run, examples_to_accuracy, load_examples, own_stepper
from approxmm.bench._torch_process import torch_stepper, wide_kernels
from approxmm.bench.timing import Comparison, summarise_pairs
from approxmm.engine.optimizers import Adam, Sgd
from approxmm.errors import MissingError
from approxmm.parallel import available_workers, single_threaded_blas

__all__ = ["engine_benchmarks"]

_SECONDS = 0.25
_LEVELS = (0.9, 0.95, 0.97)
_BACKWARD = frozenset({"input_gradient", "weight_gradient"})


class _Case(NamedTuple):
    """A run, what it is compared with (None: PyTorch in the same setting), and the ratio aimed at."""

    run: Run
    baseline: Run | None
    target: float | None
    wide: bool = False


def engine_benchmarks(pairs: int = 15) -> Iterator[Comparison]:
    """Yield the comparisons of training steps, float32.

    MNIST where the data is found, otherwise numbers with as many zeros. PyTorch, where it is installed, runs in a
    process of its own; the two take turns. Beside each rate stand the seconds to 90, 95 and 97 % accuracy.

    Parameters
    ----------
    pairs : int
        How often each pair is timed.

    Raises
    ------
    MissingError
        If PyTorch is not installed.
    """
    if find_spec("torch") is None:
        raise MissingError("benchmark 'engine' compares with PyTorch, which is not installed; pip install torch")
    with tempfile.TemporaryDirectory() as name, single_threaded_blas():
        bench = _Bench(Path(name), pairs)
        for case in _cases():
            if not case.wide or bench.wide is not None:
                yield bench.compared(case)


def _cases() -> Iterator[_Case]:
    for threads in range(1, min(2, available_workers()) + 1):
        yield from _minibatch(threads)
    yield from _per_example()
    yield from _column_row()
    yield from _deep()


def _minibatch(threads: int) -> Iterator[_Case]:
    sgd, adam = Run(threads=threads), Run(optimizer=Adam(), threads=threads)
    yield _Case(sgd, None, 2.5 if threads == 1 else 3.0)
    yield _Case(adam, None, 1.7 if threads == 1 else 2.0)
    yield _Case(sgd, None, 1.3, wide=True)
    yield _Case(adam, None, 1.3, wide=True)
    yield _Case(sgd._replace(depth=7), None, 2.5 * 0.7 if threads == 1 else 3.0 * 0.7)


def _per_example() -> Iterator[_Case]:
    """Batch 1: exact, and active sets from hash tables that follow every step."""
    for depth, slack in ((3, 1.0), (7, 0.7)):
        raw = Run(depth=depth, batch=1, optimizer=Sgd(0.01))
        yield _Case(raw, None, 8.0 * slack)
        yield _Case(raw._replace(raw=False), None, 5.0 * slack)
        hashed = raw._replace(method="alsh", budget=0.05, options={"rebuild": "incremental"})
        yield _Case(hashed, None, 50.0 * slack)
        yield _Case(hashed, raw, 5.0 * slack)
        lazy = hashed._replace(optimizer=Adam(1e-4, lazy=True))
        yield _Case(lazy, None, 30.0 * slack)
        if available_workers() > 1:
            both = hashed._replace(threads=2, recipe={"asynchronous": True})
            yield _Case(both, hashed, 1.8 * slack)


def _column_row() -> Iterator[_Case]:
    """Seven layers are normalised: otherwise sampling all products at 10 % diverges at once."""
    settings: tuple[tuple[int, float, dict[str, str]], ...] = ((3, 1.0, {}), (7, 0.7, {"normalise": "rms"}))
    for depth, slack, network in settings:
        for threads in range(1, min(2, available_workers()) + 1):
            exact = Run(depth=depth, threads=threads, optimizer=Sgd(0.01), network=network)
            sampled = exact._replace(method="bernoulli", budget=0.1)
            yield _Case(sampled, exact, 2.0 * slack)
            yield _Case(sampled._replace(recipe={"sampled": _BACKWARD}), exact, 1.3 * slack)


def _deep() -> Iterator[_Case]:
    """Every example of a batch with its own active set, at depth 7; single examples too.

    With as many directions as the depth study takes (`reports/depth_mnist.toml`).
    """
    one = Run(depth=7, batch=1, optimizer=Sgd(0.01), network={"normalise": "rms"})
    screened: dict[str, Any] = {"method": "subspace_screen", "options": {"rank": 48}}
    yield _Case(one._replace(budget=0.05, **screened), one, 3.0)
    for threads in range(1, min(2, available_workers()) + 1):
        exact = Run(depth=7, threads=threads, network={"normalise": "rms"})
        for budget in (0.05, 0.1):
            yield _Case(exact._replace(budget=budget, **screened), exact, 3.0 if budget == 0.05 else None)


def _steps_of(run: Callable[[int], float]) -> int:
    """Return how many steps take about the time of a measurement, after about twice that time of steps."""
    steps = 5
    while (seconds := run(steps)) < _SECONDS:
        steps *= 2
    return max(1, round(_SECONDS / seconds * steps))


class _Bench:
    """What the cases share: the examples, as arrays and as a file, and accuracies that were trained for before."""

    def __init__(self, folder: Path, pairs: int) -> None:
        self.folder, self.pairs, self.wide = folder, pairs, wide_kernels(folder)
        self.examples: dict[bool, Examples] = {}
        self.reached: dict[str, dict[str, int | None]] = {}

    def compared(self, case: _Case) -> Comparison:
        """Time both sides in turn, each for about the same time, after some time of steps: as they go on.

        A method's first steps renew its state far more often than those of which a training run is made.
        """
        with ExitStack() as stack:
            mine = own_stepper(case.run, self._examples(case.run.raw))
            theirs, name = self._baseline(case, stack)
            counts = [_steps_of(run) for run in (mine, theirs)]
            times = np.array([(mine(counts[0]) / counts[0], theirs(counts[1]) / counts[1]) for _ in range(self.pairs)])
        result = summarise_pairs(f"step: {case.run.title}", name, times, case.run.threads, case.target)
        return replace(result, seconds_to_accuracy=self._seconds(case.run, result.seconds))

    def _examples(self, raw: bool) -> Examples:
        if raw not in self.examples:
            self.examples[raw] = load_examples(raw)
            np.savez(self.folder / f"{raw}.npz", x=self.examples[raw].x, y=self.examples[raw].y)
        return self.examples[raw]

    def _baseline(self, case: _Case, stack: ExitStack) -> tuple[Callable[[int], float], str]:
        if case.baseline is not None:
            return own_stepper(case.baseline, self._examples(case.baseline.raw)), case.baseline.title
        settings: dict[str, Any] = {
            "widths": case.run.widths,
            "batch": case.run.batch,
            "optimizer": case.run.rule,
            "lr": case.run.optimizer.lr,
            "threads": case.run.threads,
            "examples": str(self.folder / f"{case.run.raw}.npz"),
        }
        run, version = stack.enter_context(torch_stepper(settings, self.wide if case.wide else None))
        return run, f"PyTorch {version} eager{', AVX-512 kernels forced' if case.wide else ''}"

    def _seconds(self, run: Run, step: float) -> dict[str, float | None]:
        """Return the seconds to each accuracy at `step` seconds a step; the examples needed do not depend on speed."""
        key = run._replace(threads=1, recipe={k: v for k, v in run.recipe.items() if k != "asynchronous"})
        if repr(key) not in self.reached:
            many = key._replace(threads=available_workers())
            self.reached[repr(key)] = examples_to_accuracy(many, self._examples(run.raw), _LEVELS)
        reached = self.reached[repr(key)]
        return {level: None if n is None else n / run.batch * step for level, n in reached.items()}
