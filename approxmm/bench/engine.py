"""Training steps against PyTorch's, the same network, data, batch, optimiser and number of threads, in the same run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from approxmm.bench.timing import Comparison, summarise_pairs
from approxmm.data import load_data
from approxmm.engine.optimizers import Adam, Optimizer, Sgd
from approxmm.engine.recipe import Recipe
from approxmm.engine.session import Session
from approxmm.engine.steps import StepRange
from approxmm.errors import ApproxmmError, MissingError
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.parallel import available_workers, single_threaded_blas

__all__ = ["engine_benchmarks"]

_WIDTH, _EXAMPLES, _SECONDS = 1000, 4000, 0.25
_Examples = tuple[np.ndarray, np.ndarray]


class _Case(NamedTuple):
    """One comparison: our method and budget, and what is common to both sides."""

    method: str
    budget: float
    depth: int
    batch: int
    optimizer: Optimizer
    threads: int
    target: float | None

    @property
    def widths(self) -> list[int]:
        return [784, *[_WIDTH] * self.depth, 10]

    @property
    def rule(self) -> str:
        return type(self.optimizer).__name__.lower()

    def described(self, method: str) -> str:
        return f"{method}, {self.depth} × {_WIDTH}, batch {self.batch}, {self.rule}"


def engine_benchmarks(pairs: int = 15, progress: Callable[[str], None] | None = None) -> list[Comparison]:
    """Return the comparisons of training steps, float32.

    MNIST's first examples where the data is found, otherwise numbers with as many zeros. PyTorch, where it is
    installed, runs in a process of its own; the two take turns.

    Parameters
    ----------
    pairs : int
        How often each pair is timed.
    progress : callable, optional
        Called with the name of each finished comparison.

    Raises
    ------
    MissingError
        If PyTorch is not installed.
    """
    if find_spec("torch") is None:
        raise MissingError("benchmark 'engine' compares with PyTorch, which is not installed; pip install torch")
    examples, results = _examples(), []
    with tempfile.TemporaryDirectory() as folder, single_threaded_blas():
        path = Path(folder) / "examples.npz"
        np.savez(path, x=examples[0], y=examples[1])
        for case in _cases():
            for result in _compared(case, examples, path, pairs):
                results.append(result)
                if progress is not None:
                    progress(result.name)
    return results


def _cases() -> Iterator[_Case]:
    for threads in range(1, min(2, available_workers()) + 1):
        yield _Case("exact", 1.0, 3, 20, Sgd(0.01), threads, 2.5 if threads == 1 else 3.0)
        yield _Case("exact", 1.0, 3, 20, Adam(), threads, 1.7 if threads == 1 else 2.0)
        yield _Case("exact", 1.0, 7, 20, Sgd(0.01), threads, None)


def _examples() -> _Examples:
    try:
        split = load_data("mnist", standardise="unit").train
        return split.x[:_EXAMPLES].astype(np.float32), split.y[:_EXAMPLES]
    except ApproxmmError:
        rng = np.random.default_rng(0)
        x = rng.random((_EXAMPLES, 784)) * (rng.random((_EXAMPLES, 784)) < 0.19)
        return x.astype(np.float32), rng.integers(0, 10, _EXAMPLES)


def _compared(case: _Case, examples: _Examples, path: Path, pairs: int) -> Iterator[Comparison]:
    """Time our steps and PyTorch's in turn, each for about the same time."""
    mine = _stepper(case, examples)
    with _torch_stepper(case, path) as (theirs, version):
        counts = [max(1, round(_SECONDS / (run(3) / 3))) for run in (mine, theirs)]
        times = np.array([(mine(counts[0]) / counts[0], theirs(counts[1]) / counts[1]) for _ in range(pairs)])
    name = case.described(case.method if case.budget == 1 else f"{case.method} {case.budget:.0%}")
    yield summarise_pairs(f"step: {name}", f"PyTorch {version} eager", times, case.threads, case.target)


def _stepper(case: _Case, examples: _Examples) -> Callable[[int], float]:
    """Return a function that takes a number of steps and returns their seconds."""
    import time

    x, y = examples
    network = Network.random(case.widths, dtype=np.float32)
    method = get_method(case.method, case.budget)
    session = Session(network, Recipe(method, case.optimizer, batch=case.batch, threads=case.threads))
    order, per_epoch = np.arange(len(x)), len(x) // case.batch
    losses, position = np.zeros(per_epoch), 0

    def run(steps: int) -> float:
        nonlocal position
        seconds = 0.0
        while steps > 0:
            count = min(steps, per_epoch - position)
            chunk = StepRange(order, position, position + count, 0, np.full(count, case.optimizer.lr))
            started = time.perf_counter()
            session.run(x, y, chunk, losses)
            seconds += time.perf_counter() - started
            steps, position = steps - count, (position + count) % per_epoch
        return seconds

    run(2)  # compiles
    return run


@contextmanager
def _torch_stepper(case: _Case, path: Path) -> Iterator[tuple[Callable[[int], float], str]]:
    """Start PyTorch in a process of its own; yield the same kind of function, and PyTorch's version."""
    settings: dict[str, Any] = {
        "widths": case.widths,
        "batch": case.batch,
        "optimizer": case.rule,
        "lr": case.optimizer.lr,
        "threads": case.threads,
        "examples": str(path),
    }
    environment = {**os.environ, "OMP_NUM_THREADS": str(case.threads)}
    process = subprocess.Popen(
        [sys.executable, "-m", "approxmm.bench._torch_steps"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def ask(question: str) -> str:
        stdin.write(question + "\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise MissingError("PyTorch's process ended early; try `python -m approxmm.bench._torch_steps` by hand")
        return answer

    try:
        version = json.loads(ask(json.dumps(settings)))["version"]

        def run(steps: int) -> float:
            return float(ask(str(steps)))

        run(2)
        yield run, version
    finally:
        stdin.close()
        process.wait(timeout=30)
        stdout.close()
