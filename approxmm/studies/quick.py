"""The quick study: embedded digits, depths 1–7, predicted and measured compounding side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from approxmm.data import load_data
from approxmm.data.dataset import Dataset
from approxmm.parallel import map_in_order, single_threaded_blas
from approxmm.studies.captions import CAPTIONS, summarise
from approxmm.studies.environment import describe_environment
from approxmm.studies.findings import quick_findings
from approxmm.studies.quick_rows import Record, blind_methods, law_rows, method_rows, moment_rows, training_rows
from approxmm.studies.settings import QuickSettings
from approxmm.studies.study import Study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["quick_study"]


def quick_study(
    settings: QuickSettings | None = None,
    *,
    workers: int | None = None,
    progress: Callable[[float, float, str], None] | None = None,
) -> Study:
    """Run the quick study.

    Parameters
    ----------
    settings : QuickSettings, optional
    workers : int, optional
        Threads; the figures do not depend on it (times do).
    progress : callable (done, total, what), optional
        Called after each piece of work.

    Returns
    -------
    Study
        With the tables named in `CAPTIONS`.
    """
    settings, started = settings or QuickSettings(), time.perf_counter()
    data = load_data(settings.data, data_dir=settings.data_dir)
    jobs = list(_jobs(settings, data))
    rows: dict[str, list[Record]] = {name: [] for name in CAPTIONS}
    rows["law"], rows["methods"] = law_rows(settings), method_rows(settings)
    total, done = sum(job.weight for job in jobs), 0.0
    with single_threaded_blas():  # around all threads: the limit is the process's, not a thread's
        for job, result in zip(jobs, map_in_order(lambda job: job.run(), jobs, workers), strict=True):
            for table, records in result.items():
                rows[table] += records
            done += job.weight
            if progress is not None:
                progress(done, total, job.label)
    tables = {name: _frame(records) for name, records in rows.items()}
    return Study(
        name="quick",
        title="How sampling errors compound with depth",
        summary=summarise(settings, data),
        tables=tables,
        captions=CAPTIONS,
        findings=quick_findings(tables, settings.budget),
        settings={**settings.model_dump(mode="json"), "classes": len(data.classes)},
        environment=describe_environment(),
        seconds=time.perf_counter() - started,
    )


@dataclass(frozen=True)
class _Job:
    """One piece of work: its records by table, its share of the time, its name for the progress display."""

    run: Callable[[], dict[str, list[Record]]]
    weight: float
    label: str


def _jobs(settings: QuickSettings, data: Dataset) -> Iterator[_Job]:
    for method, options in blind_methods(settings):
        yield _Job(partial(moment_rows, settings, data, method, options), 3.0, f"linear {method.name}")
    # The deepest first: the last pieces then are short, and no worker waits long.
    for depth in sorted(settings.depths, reverse=True):
        for name in settings.methods:
            for seed in range(settings.seed, settings.seed + settings.seeds):
                run = partial(training_rows, settings, data, name, depth, seed)
                yield _Job(run, float(depth), f"{name} × {depth}")


def _frame(records: list[Record]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(records)
