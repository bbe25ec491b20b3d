"""The ways to get an error profile, by name: one line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from approxmm.errors import InputError, NotAvailableError
from approxmm.methods.contract import Method
from approxmm.network import Network
from approxmm.profile import ErrorProfile
from approxmm.propagation.closure import closure
from approxmm.propagation.ensemble import Ensemble
from approxmm.propagation.meanfield import mean_field
from approxmm.propagation.moments import exact_moments
from approxmm.propagation.onestep import predict_compounding
from approxmm.propagation.plan import require_unnormalised
from approxmm.propagation.simulate import simulate

__all__ = ["ENGINES", "Task", "propagate"]

_CUBES = 2e10  # multiplications: a few seconds


@dataclass(frozen=True, eq=False)
class Task:
    """A network, its sampling, and inputs: what every engine answers for.

    Attributes
    ----------
    network, method, inputs, sample_output
        As for `simulate`.
    simulation : dict
        Further arguments of `simulate`: trials, precision, seed, batch, workers, progress.
    ensemble : Ensemble, optional
        What the network was drawn from, where that is known; mean field otherwise takes measured variances.
    """

    network: Network
    method: Method | Sequence[Method | None]
    inputs: np.ndarray
    sample_output: bool
    simulation: dict[str, Any]
    ensemble: Ensemble | None = None


def _forward_only(task: Task, engine: str) -> None:
    """Refuse an exact forward pass, which leaves an engine without gradients nothing to answer."""
    if task.simulation.get("forward", "sampled") == "exact":
        raise NotAvailableError(
            f"engine={engine!r} has no gradients, and an exact forward pass makes no other error; "
            "use meanfield or simulate, or a sampled forward pass"
        )


def _exact(task: Task) -> ErrorProfile:
    _forward_only(task, "exact")
    return exact_moments(task.network, task.method, task.inputs, sample_output=task.sample_output)


def _prediction(task: Task) -> ErrorProfile:
    _forward_only(task, "onestep")
    return predict_compounding(
        task.network,
        task.method,
        task.inputs,
        sample_output=task.sample_output,
        batch=task.simulation.get("batch", 1),
    )


def _mean_field(task: Task) -> ErrorProfile:
    stack = task.network if task.ensemble is None else task.ensemble
    return mean_field(
        stack,
        task.method,
        task.inputs,
        sample_output=task.sample_output,
        gradients=task.simulation.get("gradient") is not None,
        exact_forward=task.simulation.get("forward") == "exact",
    )


def _closure(task: Task) -> ErrorProfile:
    _forward_only(task, "closure")
    # Full covariances while they cost little: products of n × n matrices for every input.
    cubes = len(np.atleast_2d(task.inputs)) * sum(W.shape[0] * W.shape[1] * max(W.shape) for W in task.network.weights)
    return closure(
        task.network,
        task.method,
        task.inputs,
        sample_output=task.sample_output,
        batch=task.simulation.get("batch", 1),
        covariance="full" if cubes <= _CUBES else "diagonal",
        workers=task.simulation.get("workers"),
    )


def _simulate(task: Task) -> ErrorProfile:
    return simulate(task.network, task.method, task.inputs, sample_output=task.sample_output, **task.simulation)


ENGINES: dict[str, Callable[[Task], ErrorProfile]] = {
    "exact": _exact,
    "onestep": _prediction,
    "meanfield": _mean_field,
    "closure": _closure,
    "simulate": _simulate,
}


def propagate(task: Task, engine: str) -> tuple[dict[str, ErrorProfile], dict[str, str]]:
    """Return the profiles of the engine named (or of ``all``), and why others of ``all`` do not apply.

    Raises
    ------
    InputError
        If the engine is unknown.
    NotAvailableError
        If a single engine was asked for and does not apply, or the network normalises its layers.
    """
    require_unnormalised(task.network)
    if engine != "all":
        if engine not in ENGINES:
            raise InputError(f"engine={engine!r} is unknown; choose one of {', '.join(ENGINES)}, all")
        return {engine: ENGINES[engine](task)}, {}
    profiles, missing = {}, {}
    for name, run in ENGINES.items():
        try:
            profiles[name] = run(task)
        except NotAvailableError as error:
            missing[name] = str(error)
    return profiles, missing
