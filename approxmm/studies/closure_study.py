"""The closure study: moment closure against simulation on trained networks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from approxmm.data import load_data
from approxmm.data.dataset import Dataset
from approxmm.engine import train
from approxmm.methods import Method, get_method
from approxmm.network import Network
from approxmm.studies.closure_findings import closure_findings
from approxmm.studies.closure_rows import Record, closure_rows
from approxmm.studies.environment import describe_environment
from approxmm.studies.settings import ClosureSettings
from approxmm.studies.study import Study

if TYPE_CHECKING:
    pass

__all__ = ["closure_study"]

_CAPTION = (
    "Relative squared error of each layer's output on networks trained with exact products; every product but the "
    "output layer's is sampled, one draw for each input. simulated: Monte Carlo with a 95 % interval (interval: its "
    "half-width, relative). full, diagonal: moment closure with all covariances, and with variances alone; full_off "
    "and diagonal_off: their relative differences from the simulation. terms: how many terms of a pre-activation carry "
    "its noise, (Σ v)²/Σ v² of their variances; directions: in how many directions the noise is, (tr V)²/tr V²."
)


def closure_study(
    settings: ClosureSettings,
    *,
    workers: int | None = None,
    progress: Callable[[float, float, str], None] | None = None,
) -> Study:
    """Run the closure study.

    Parameters
    ----------
    settings : ClosureSettings
    workers : int, optional
        Threads; the figures do not depend on it.
    progress : callable (done, total, what), optional
        Called after each method and depth.
    """
    import pandas as pd

    started = time.perf_counter()
    data = load_data(settings.data, data_dir=settings.data_dir)
    methods, rows = _methods(settings), list[Record]()
    total, done = len(methods) * sum(settings.depths), 0
    inputs = data.validation.x[: settings.inputs]
    for depth in settings.depths:
        network = _trained(settings, data, depth)
        for method in methods:
            rows += closure_rows(settings, network, method, inputs, workers)
            done += depth
            if progress is not None:
                progress(done, total, f"{method.name} × {depth}")
    table = pd.DataFrame(rows)
    return Study(
        name="closure",
        title="Can the error of a sampled network be computed?",
        summary=f"ReLU networks of {', '.join(map(str, settings.depths))} hidden layers of {settings.width} nodes were "
        f"trained on {data.title} with exact products. For {settings.inputs} validation examples, the error of the "
        "sampled forward pass was predicted by moment closure, which propagates mean and covariance and takes "
        f"pre-activations as normal, and simulated with {settings.trials} trials.",
        tables={"closure": table},
        captions={"closure": _CAPTION},
        findings=closure_findings(table),
        settings=settings.model_dump(mode="json"),
        environment=describe_environment(),
        seconds=time.perf_counter() - started,
    )


def _trained(settings: ClosureSettings, data: Dataset, depth: int) -> Network:
    exact = get_method("exact")
    run = train(data, exact, depth=depth, width=settings.width, epochs=settings.epochs, seed=settings.seed, keep="last")
    return run.network


def _methods(settings: ClosureSettings) -> list[Method]:
    """Return each method at each budget, once where it has none."""
    every = (get_method(name, budget, **options) for name, options in settings.methods for budget in settings.budgets)
    return list(dict.fromkeys(every))
