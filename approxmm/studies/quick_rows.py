"""The quick study's records: one function a kind of run."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.data.dataset import Dataset
from approxmm.engine.result import TrainingResult
from approxmm.engine.trainer import train
from approxmm.errors import InputError
from approxmm.methods.contract import Method
from approxmm.methods.registry import get_method
from approxmm.network import Network
from approxmm.profile import ErrorProfile
from approxmm.propagation.law import compounding
from approxmm.propagation.moments import exact_moments
from approxmm.propagation.onestep import predict_compounding
from approxmm.propagation.simulate import simulate
from approxmm.studies.settings import QuickSettings

__all__ = ["Record", "blind_methods", "law_rows", "method_rows", "moment_rows", "theorem_rows", "training_rows"]

Record = dict[str, Any]


def blind_methods(settings: QuickSettings) -> list[tuple[Method, str]]:
    """Return the laws that do not look at the data: for these, exact moments hold at every depth."""
    return [
        (get_method("dropout", settings.budget), ""),
        (get_method("with_replacement", settings.budget, probabilities="uniform"), "uniform"),
        (get_method("with_replacement", settings.budget, probabilities="weights"), "weights"),
        (get_method("bernoulli", settings.budget, probabilities="weights"), "weights"),
    ]


def moment_rows(settings: QuickSettings, data: Dataset, method: Method, options: str) -> dict[str, list[Record]]:
    """Return exact and simulated errors of a random linear stack."""
    depth = max(settings.depths)
    widths = [data.features, *[settings.width] * depth]
    network = Network.random(widths, activation="linear", init="lecun", seed=settings.seed)
    inputs = data.test.x[: settings.linear_inputs]
    exact = exact_moments(network, method, inputs, sample_output=True)
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
    return {"moments": rows}


def training_rows(settings: QuickSettings, data: Dataset, name: str, depth: int, seed: int) -> dict[str, list[Record]]:
    """Train once; return its accuracy and, for the first seed, its compounding and ratios."""
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
        keep="last",
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


def theorem_rows(name: str) -> dict[str, list[Record]]:
    """Prove one theorem, or take its cached result; return its title and the number of its steps by verdict.

    Raises
    ------
    InputError
        If there is no theorem of that name.
    """
    from approxmm import proofs

    try:
        result = proofs.prove(name, workers=1)[0]
    except ValueError as error:
        raise InputError(str(error)) from error
    return {"theorems": [{"theorem": name, "title": result.title, **result.counts()}]}


def law_rows(settings: QuickSettings) -> list[Record]:
    """Return the theorem's errors for the study's ratios."""
    depth = max(settings.depths)
    return [
        {
            "layer": k + 1,
            "ratio": ratio,
            "relative_to_estimate": law.relative_to_estimate[k],
            "relative_to_exact": law.relative_to_exact[k],
        }
        for ratio, law in ((ratio, compounding(ratio, depth=depth)) for ratio in settings.ratios)
        for k in range(depth)
    ]


def method_rows(settings: QuickSettings) -> list[Record]:
    """Return what the study's methods claim and cost."""
    rows, (batch, n, m) = [], (20, 1000, 1000)
    for name in settings.methods:
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
