"""The depth study: what training with sampled products keeps of the accuracy, and what it costs, by depth."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any, NamedTuple

from approxmm.data import load_data
from approxmm.data.dataset import Dataset
from approxmm.engine import make_optimizer, train
from approxmm.engine.checkpoint import fingerprint
from approxmm.engine.result import TrainingResult
from approxmm.methods import get_method
from approxmm.parallel import ordered_map
from approxmm.profile import ErrorProfile
from approxmm.studies.depth_findings import depth_findings
from approxmm.studies.environment import describe_environment
from approxmm.studies.finished import Finished, Tables
from approxmm.studies.settings import DepthSettings, TrainingRun
from approxmm.studies.study import Study

__all__ = ["depth_study"]

Record = dict[str, Any]

_CAPTIONS = {
    "accuracy": "One row a training run. Accuracy on the test set with exact products, and along the same sampled path "
    "that training used; multiplications over those of exact training, with selection, backward products and the "
    "index's upkeep. Speed is not measured here, where runs share the machine, but by `approxmm bench engine`.",
    "layers": "The trained networks of the first seed, layer by layer, on validation images: relative squared error "
    "and cosine of the sampled forward pass against the exact one, the theorem's ratio of active to inactive sums, and "
    "the recall of the nodes that are truly the largest given the layer's input as it was.",
}


class _Job(NamedTuple):
    """One training run; its compounding may be measured at the end."""

    run: TrainingRun
    depth: int
    seed: int
    measured: bool


def depth_study(
    settings: DepthSettings,
    *,
    workers: int | None = None,
    progress: Callable[[float, float, str], None] | None = None,
    finished: str | os.PathLike[str] | None = None,
) -> Study:
    """Run the depth study.

    Parameters
    ----------
    settings : DepthSettings
    workers : int, optional
        Training runs at a time; the figures do not depend on it.
    progress : callable (done, total, what), optional
        Called after each run.
    finished : path-like, optional
        File that keeps finished runs, see `Finished`. Those in it that were made with the same settings, examples and
        versions are not made again; the study's tables do not depend on that.
    """
    import pandas as pd

    started = time.perf_counter()
    data, jobs = load_data(settings.data, data_dir=settings.data_dir), list(_jobs(settings))
    total, done, rows = sum(job.depth for job in jobs), 0, {name: list[Record]() for name in _CAPTIONS}
    bench = _Bench(settings, data, Finished(finished))
    with ordered_map(workers) as run:
        try:
            for job, tables in zip(jobs, run(bench.records, jobs), strict=True):
                for name, records in tables.items():
                    rows[name] += records
                done += job.depth
                if progress is not None:
                    progress(done, total, f"{job.run.method}, depth {job.depth}")
        finally:
            bench.stopping.set()  # runs of other threads end at their next step, instead of being waited for
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
        seconds=0.0 if bench.reused else time.perf_counter() - started,
    )


def _jobs(settings: DepthSettings) -> Iterator[_Job]:
    """Yield the runs, the deepest first, so that the last ones are short and no worker waits long."""
    for depth in sorted(settings.depths, reverse=True):
        for seed in range(settings.seed, settings.seed + settings.seeds):
            for run in settings.runs:
                enough = run.seeds is not None and seed - settings.seed >= run.seeds
                if (not run.depths or depth in run.depths) and not enough:
                    yield _Job(run, depth, seed, measured=seed == settings.seed)


class _Bench:
    """Where the runs are made: what they share, and whether they should stop."""

    def __init__(self, settings: DepthSettings, data: Dataset, finished: Finished) -> None:
        self.settings, self.data, self.finished = settings, data, finished
        self.stopping, self.reused = Event(), False
        splits = (data.train, data.validation, data.test)
        self._shared = {
            "examples": fingerprint(*(array for split in splits for array in (split.x, split.y))),
            "versions": {name: text for name, text in describe_environment().items() if name != "processors"},
            **settings.model_dump(mode="json", include={"width", "epochs", "probe"}),
        }

    def records(self, job: _Job) -> Tables:
        """Return a run's records by table, from the file of finished ones if it is there."""
        piece = self._shared | {"run": job.run.model_dump(mode="json", exclude={"depths", "seeds"})}
        piece |= {"depth": job.depth, "seed": job.seed, "measured": job.measured}
        known = self.finished.get(piece)
        if known is not None:
            self.reused = True
            return known
        result = self._trained(job)
        if result.status == "interrupted":
            raise KeyboardInterrupt  # which `train` took for the wish to end one run
        profiles = result.profiles[-1:]
        layers = [_named(job) | row for profile in profiles for row in _layers(profile)]
        return self.finished.put(piece, {"accuracy": [_named(job) | _accuracy(result)], "layers": layers})

    def _trained(self, job: _Job) -> TrainingResult:
        run, settings = job.run, self.settings
        return train(
            self.data,
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
            measure_every=settings.epochs if job.measured else None,
            probe=settings.probe,
            threads=1,
            stop=self.stopping.is_set,
        )


def _named(job: _Job) -> Record:
    run = job.run
    return {"method": run.method, "options": run.label, "budget": run.budget, "depth": job.depth, "seed": job.seed}


def _accuracy(result: TrainingResult) -> Record:
    return {
        "status": result.status,
        "test_accuracy": result.test_accuracy,
        "test_accuracy_sampled": result.test_accuracy_sampled,
        "multiplications": result.multiplications_fraction,
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
