"""The closure study's records: one trained network, one way of sampling, a row for each layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.methods.contract import Method
from approxmm.network import Network
from approxmm.profile import ErrorProfile
from approxmm.propagation.closure import closure
from approxmm.propagation.simulate import simulate
from approxmm.studies.settings import ClosureSettings

__all__ = ["Record", "closure_rows"]

Record = dict[str, Any]


def closure_rows(
    settings: ClosureSettings, network: Network, method: Method, inputs: np.ndarray, workers: int | None
) -> list[Record]:
    """Return predicted and simulated relative errors of every layer's output.

    Columns: ``simulated``, ``ci_low``, ``ci_high``; ``full`` and ``diagonal``, the closure's; their relative
    differences from the simulation, ``full_off`` and ``diagonal_off``; ``interval``, the half-width of the simulation's
    interval relative to its error; ``terms`` that carry the noise of the pre-activation, and its ``directions``.
    """
    measured = simulate(network, method, inputs, trials=settings.trials, seed=settings.seed, workers=workers)
    predicted = {"diagonal": closure(network, method, inputs, workers=workers)}
    if settings.full:
        predicted["full"] = closure(network, method, inputs, covariance="full", workers=workers)
    described = method.describe()
    common = {"method": described.pop("name"), "budget": float(method.budget.value), "options": _text(method)}
    return [
        {**common, "depth": network.depth - 1, "layer": k + 1, **_figures(measured, predicted, k)}
        for k in range(network.depth)
    ]


def _figures(measured: ErrorProfile, predicted: dict[str, ErrorProfile], k: int) -> Record:
    output = measured.layers[k].output
    error, (low, high) = output.relative_error, output.ci95 or (np.nan, np.nan)
    row: Record = {"simulated": error, "ci_low": low, "ci_high": high}
    row["interval"] = (high - low) / (2 * error) if error > 0 else np.nan
    for name in ("full", "diagonal"):
        value = predicted[name].layers[k].output.relative_error if name in predicted else np.nan
        row |= {name: value, f"{name}_off": value / error - 1 if error > 0 else np.nan}
    extra = (predicted.get("full") or predicted["diagonal"]).layers[k].extra
    return row | {"terms": extra["noise_terms"], "directions": extra.get("noise_directions", np.nan)}


def _text(method: Method) -> str:
    """Return the options that differ from the defaults, readable."""
    plain = type(method)(budget=method.budget).describe()
    return ", ".join(f"{name} {value}" for name, value in method.describe().items() if plain[name] != value)
