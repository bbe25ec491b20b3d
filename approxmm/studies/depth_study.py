"""The depth study: what training with sampled products keeps of the accuracy, and what it costs, by depth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from approxmm.data import load_data
from approxmm.data.dataset import Dataset
from approxmm.engine import make_optimizer, train
from approxmm.engine.result import TrainingResult
from approxmm.methods import get_method
from approxmm.parallel import map_in_order, single_threaded_blas
from approxmm.profile import ErrorProfile
from approxmm.studies.depth_findings import depth_findings
from approxmm.studies.environment import describe_environment
from approxmm.studies.settings import DepthSettings, TrainingRun
from approxmm.studies.study import Study

__all__ = ["depth_study"]

Record = dict[str, Any]

_CAPTIONS = {
    "accuracy": "One row a training run. Accuracy on the test set with exact products, and along the same sampled path "
    "that training used; multiplications over those of exact training, with selection, backward products and the "
    "index's upkeep; microseconds per training example (of one thread, while other runs shared the machine).",
    "layers": "The trained networks of the first seed, layer by layer, on validation images: relative squared error "
    "and cosine of the sampled forward pass against the exact one, the theorem's ratio of active to inactive sums, and "
    "the recall of the nodes that are truly the largest given the layer's input as it was.",
}


class _Job(NamedTuple):
    """One training run."""

    run: TrainingRun
    depth: int
    seed: int


def depth_study(
    settings: DepthSettings,
    *,
    workers: int | None = None,
    progress: Callable[[float, float, str], None] | None = None,
) -> Study:
    """Run the depth study.

    Parameters
    ----------
    settings : DepthSettings
    workers : int, optional
        Training runs at a time; the figures do not depend on it (times do).
    progress : callable (done, total, what), optional
        Called after each run.
    """
    import pandas as pd

    started = time.perf_counter()
    data = load_data(settings.data, data_dir=settings.data_dir)
    jobs, rows = list(_jobs(settings)), {name: list[Record]() for name in _CAPTIONS}
    total, done = sum(job.depth for job in jobs), 0
    with single_threaded_blas():
        for job, result in zip(jobs, map_in_order(partial(_trained, settings, data), jobs, workers), strict=True):
            rows["accuracy"].append(_named(job) | _accuracy(result))
            if result.profiles:
                rows["layers"] += [_named(job) | row for row in _layers(result.profiles[-1])]
            done += job.depth
            if progress is not None:
                progress(done, total, f"{job.run.method}, depth {job.depth}")
    tables = {name: pd.DataFrame(records) for name, records in rows.items()}
    return Study(
        name="depth",
        title="What survives depth",
        summary=f"Networks of {', '.join(map(str, settings.depths))} hidden ReLU layers of {settings.width} nodes were "
        f"trained on {data.title} for {settings.epochs} epochs with {settings.seeds} seeds, every product but the "
        "output layer's sampled, each example with its own active nodes.",
        tables=tables,
        captions=_CAPTIONS,
        findings=depth_findings(tables["accuracy"], tables["layers"]),
        settings={**settings.model_dump(mode="json"), "classes": len(data.classes)},
        environment=describe_environment(),
        seconds=time.perf_counter() - started,
    )


def _jobs(settings: DepthSettings) -> Iterator[_Job]:
    """Yield the runs, the deepest first, so that the last ones are short and no worker waits long."""
    for depth in sorted(settings.depths, reverse=True):
        for run in settings.runs:
            if not run.depths or depth in run.depths:
                for seed in range(settings.seed, settings.seed + settings.seeds):
                    yield _Job(run, depth, seed)


def _trained(settings: DepthSettings, data: Dataset, job: _Job) -> TrainingResult:
    run, first = job.run, job.seed == settings.seed
    return train(
        data,
        get_method(run.method, run.budget, **run.options),
        depth=job.depth,
        width=settings.width,
        optimizer=make_optimizer(run.optimizer, run.lr),
        schedule=run.schedule,
        normalise=run.normalise,
        sampled=frozenset(run.sampled),
        batch=run.batch,
        epochs=settings.epochs,
        seed=job.seed,
        keep="last",
        measure_every=settings.epochs if first else None,
        probe=settings.probe,
        threads=1,
    )


def _named(job: _Job) -> Record:
    run = job.run
    return {"method": run.method, "options": run.label, "budget": run.budget, "depth": job.depth, "seed": job.seed}


def _accuracy(result: TrainingResult) -> Record:
    rate = result.examples_per_second
    return {
        "status": result.status,
        "test_accuracy": result.test_accuracy,
        "test_accuracy_sampled": result.test_accuracy_sampled,
        "multiplications": result.multiplications_fraction,
        "microseconds": 1e6 / rate if rate else float("nan"),
        "epochs": result.epochs,
    }


def _layers(profile: ErrorProfile) -> Iterator[Record]:
    for layer in profile.layers:
        yield {
            "layer": layer.layer,
            "relative_error": layer.output.relative_error,
            "cosine": layer.output.cosine,
            "ratio": layer.extra.get("ratio", float("nan")),
            "recall": layer.extra.get("recall", float("nan")),
        }
