"""The quick study: embedded digits, depths 1–7, predicted and measured compounding side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.data import load_data
from approxmm.data.dataset import Dataset
from approxmm.engine.result import TrainingResult
from approxmm.engine.trainer import train
from approxmm.methods.contract import Method
from approxmm.methods.registry import available_methods, get_method
from approxmm.network import Network
from approxmm.parallel import map_in_order, single_threaded_blas
from approxmm.profile import ErrorProfile
from approxmm.propagation.law import compounding
from approxmm.propagation.moments import exact_moments
from approxmm.propagation.onestep import predict_compounding
from approxmm.propagation.simulate import simulate
from approxmm.studies.environment import describe_environment
from approxmm.studies.findings import quick_findings
from approxmm.studies.settings import QuickSettings
from approxmm.studies.study import Study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["quick_study"]

Record = dict[str, Any]


CAPTIONS = {
    "law": "The theorem of the negative result for constant ratios c of active to inactive sums: error of the norm "
    "(not squared), relative to the estimate, Π(1 + 1/c) − 1, and to the exact value, 1 − Π c/(c + 1).",
    "moments": "Random linear stacks (every product sampled, inputs: test images): E‖â − a‖²/E‖a‖² by exact second-moment "
    "recursion and by simulation with a 95 % interval.",
    "accuracy": "Test accuracy after training with sampled products (all but the output layer's), evaluated with exact "
    "products and along the same sampled path; every seed is one row.",
    "compounding": "Relative squared error of each layer's output as the next layer receives it, on the trained networks "
    "(first seed): compounding of the exact one-step errors (prediction), the theorem with measured ratios "
    "(law, as far as the ratios are positive), Monte Carlo with a 95 % interval (simulated), and the training engine's own measurement (training), all on "
    "the same validation images in minibatches of the training's size.",
    "ratios": "The theorem's ratio of active to inactive sums, measured on the trained networks: least squares over "
    "nodes and examples, and the quartiles of the nodes' own ratios. The theorem assumes one number.",
    "methods": "The sampling methods of this study, with their cost per product relative to the exact one "
    "(batch 20, 1000 × 1000, at this budget, selection and upkeep included).",
}


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
    rows["law"], rows["methods"] = _law_rows(settings), _method_rows(settings)
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
        summary=_summary(settings, data),
        tables=tables,
        captions=CAPTIONS,
        findings=quick_findings(tables, settings.budget),
        settings=settings.model_dump(mode="json"),
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
    for method, options in _blind_methods(settings):
        yield _Job(
            lambda m=method, o=options: {"moments": _moment_rows(settings, data, m, o)}, 3.0, f"linear {method.name}"
        )
    # The deepest first: the last pieces then are short, and no worker waits long.
    for depth in sorted(settings.depths, reverse=True):
        for name in available_methods():
            for seed in range(settings.seed, settings.seed + settings.seeds):
                yield _Job(
                    lambda n=name, d=depth, s=seed: _training_rows(settings, data, n, d, s), float(depth), f"{name} × {depth}"
                )


def _blind_methods(settings: QuickSettings) -> list[tuple[Method, str]]:
    """The laws that do not look at the data: exact moments hold at every depth."""
    return [
        (get_method("dropout", settings.budget), ""),
        (get_method("with_replacement", settings.budget, probabilities="uniform"), "uniform"),
        (get_method("with_replacement", settings.budget, probabilities="weights"), "weights"),
        (get_method("bernoulli", settings.budget, probabilities="weights"), "weights"),
    ]


def _moment_rows(settings: QuickSettings, data: Dataset, method: Method, options: str) -> list[Record]:
    depth = max(settings.depths)
    widths = [data.features, *[settings.width] * depth]
    network = Network.random(widths, activation="linear", init="lecun", seed=settings.seed)
    inputs = data.test.x[: settings.linear_inputs]
    exact = exact_moments(network, method, inputs)
    measured = simulate(
        network, method, inputs, trials=settings.linear_trials, seed=settings.seed, sample_output=True, workers=1
    )
    rows = []
    for theory, sample in zip(exact.layers, measured.layers, strict=True):
        low, high = sample.output.ci95 or (np.nan, np.nan)
        rows.append(
            {
                "method": method.name,
                "budget": settings.budget,
                "options": options,
                "depth": depth,
                "layer": theory.layer,
                "exact": theory.output.relative_error,
                "simulated": sample.output.relative_error,
                "ci_low": low,
                "ci_high": high,
                "trials": settings.linear_trials,
            }
        )
    return rows


def _training_rows(settings: QuickSettings, data: Dataset, name: str, depth: int, seed: int) -> dict[str, list[Record]]:
    method = get_method(name, settings.budget)
    first = seed == settings.seed
    result = train(
        data,
        method,
        depth=depth,
        width=settings.width,
        epochs=settings.epochs,
        batch=settings.batch,
        seed=seed,
        measure_every=settings.epochs if first else None,
        probe=settings.probe,
    )
    rows: dict[str, list[Record]] = {"accuracy": [_accuracy_row(method, depth, seed, result)]}
    if first and not method.claims.exact and result.status == "finished":
        inputs = data.validation.x[: settings.probe]
        rows["compounding"], rows["ratios"] = _compounding_rows(settings, method, depth, result, inputs)
    return rows


def _accuracy_row(method: Method, depth: int, seed: int, result: TrainingResult) -> Record:
    return {
        "method": method.name,
        "budget": float(method.budget.value),
        "depth": depth,
        "seed": seed,
        "status": result.status,
        "test_accuracy": result.test_accuracy,
        "test_accuracy_sampled": result.test_accuracy_sampled,
        "validation_accuracy": result.validation_accuracy,
        "seconds": result.seconds,
        "multiplications_fraction": result.multiplications_fraction,
    }


def _compounding_rows(
    settings: QuickSettings, method: Method, depth: int, result: TrainingResult, inputs: np.ndarray
) -> tuple[list[Record], list[Record]]:
    batch, trained = settings.batch, result.profiles[-1]
    measured = simulate(
        result.network, method, inputs, trials=settings.trials, seed=settings.seed, batch=batch, workers=1
    )
    predicted = predict_compounding(result.network, method, inputs, batch=batch) if method.claims.unbiased else None
    law, ratios = (None, []) if method.claims.unbiased else _law_of_ratios(trained, depth)
    rows = []
    for k, (sample, engine) in enumerate(zip(measured.layers, trained.layers, strict=True)):
        low, high = sample.output.ci95 or (np.nan, np.nan)
        rows.append(
            {
                "method": method.name,
                "budget": settings.budget,
                "depth": depth,
                "layer": k + 1,
                "prediction": predicted.layers[k].output.relative_error if predicted else np.nan,
                "law": law[k] if law else np.nan,
                "simulated": sample.output.relative_error,
                "ci_low": low,
                "ci_high": high,
                "training": engine.output.relative_error,
            }
        )
    return rows, ratios


def _law_of_ratios(trained: ErrorProfile, depth: int) -> tuple[list[float], list[Record]]:
    """Return the theorem's squared error after each layer's mask, and the measured ratios.

    A mask on layer k is felt by product k + 1, whose ratio is the one that counts; the last layer has no mask.
    Where active and inactive sums oppose each other the ratio is negative, and from there on the theorem says nothing.
    """
    measured = [layer.extra for layer in trained.layers[1:]]
    ratios = [extra.get("ratio", np.nan) for extra in measured]
    valid = next((k for k, ratio in enumerate(ratios) if not 0 < ratio < np.inf), len(ratios))
    law = [error**2 for error in compounding(ratios[:valid]).relative_to_exact] if valid else []
    law += [np.nan] * (len(ratios) - valid)
    names = ("ratio", "ratio_low", "ratio_median", "ratio_high")
    rows = [
        {"depth": depth, "layer": k, **{n: extra.get(n, np.nan) for n in names}}
        for k, extra in enumerate(measured, start=2)
    ]
    return [*law, law[-1]], rows


def _law_rows(settings: QuickSettings) -> list[Record]:
    rows = []
    for ratio in settings.ratios:
        law = compounding(ratio, depth=max(settings.depths))
        for k in range(max(settings.depths)):
            rows.append(
                {
                    "layer": k + 1,
                    "ratio": ratio,
                    "relative_to_estimate": law.relative_to_estimate[k],
                    "relative_to_exact": law.relative_to_exact[k],
                }
            )
    return rows


def _method_rows(settings: QuickSettings) -> list[Record]:
    rows, (batch, n, m) = [], (20, 1000, 1000)
    for name in available_methods():
        method = get_method(name, settings.budget)
        claims = method.claims
        rows.append(
            {
                "method": name,
                "title": method.title,
                "side": claims.side,
                "unbiased": claims.unbiased,
                "reads": claims.reads,
                "cost_fraction": method.cost(batch, n, m).total / (batch * n * m),
                "citation": claims.citation,
            }
        )
    return rows


def _summary(settings: QuickSettings, data: Dataset) -> str:
    return (
        f"Networks of {min(settings.depths)} to {max(settings.depths)} hidden ReLU layers of {settings.width} nodes were "
        f"trained on {data.title} for {settings.epochs} epochs, with every product but the output layer's sampled at a "
        f"budget of {settings.budget:.0%}, by each method and with {settings.seeds} seeds. On the trained networks the error "
        "that sampling adds to each layer was predicted from the exact moments of the sampling laws, simulated, and "
        "measured inside the training engine."
    )


def _frame(records: list[Record]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(records)

