"""The field study: the theorem of the negative result with ratios measured on trained networks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from approxmm.data import load_data
from approxmm.data.dataset import Dataset
from approxmm.engine.trainer import train
from approxmm.methods.registry import get_method
from approxmm.parallel import map_in_order, single_threaded_blas
from approxmm.studies.environment import describe_environment
from approxmm.studies.field_findings import field_findings
from approxmm.studies.field_rows import Record, field_rows
from approxmm.studies.settings import FieldSettings
from approxmm.studies.study import Study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["field_study"]

_CAPTIONS = {
    "field": "After each product with selected inputs, errors of the pre-activation as norms (not squared). law: the "
    "theorem with the measured ratios, 1 − Π c/(c + 1), and relative to the estimate Π(1 + 1/c) − 1; dispersed_law: "
    "the law with a second number a layer, (1 − 2K + N)^½; measured: the selected network run on the same images "
    "(Monte Carlo with a 95 % interval where the selection is random). kept: E⟨ŷ, y⟩/E‖y‖² measured, law_kept: Π c/(c "
    "+ 1); the measured squared error is exactly mean_part (1 − kept)² plus dispersion.",
    "shares": "The active share s = c/(c + 1) of every product given exact activations (no biases): share: least "
    "squares over nodes and images; norm_share: the share that gives the active sums their norm; error: ‖active − "
    "whole‖²/‖whole‖², exactly mean_part + input_part + node_part; dispersion: energy-weighted relative standard "
    "deviation of the nodes' shares; negative, above_one: fractions of nodes whose active or inactive sum opposes the "
    "whole; q05 … q95: quantiles of the nodes' own shares.",
    "networks": "The networks, trained with exact products.",
}


def field_study(
    settings: FieldSettings | None = None,
    *,
    workers: int | None = None,
    progress: Callable[[float, float, str], None] | None = None,
) -> Study:
    """Run the field study.

    Parameters
    ----------
    settings : FieldSettings, optional
    workers : int, optional
        Threads over networks; the figures do not depend on it.
    progress : callable (done, total, what), optional
        Called after each network.

    Returns
    -------
    Study
        With the tables ``field``, ``shares`` and ``networks``.
    """
    import pandas as pd

    settings, started = settings or FieldSettings(), time.perf_counter()
    data = load_data(settings.data, data_dir=settings.data_dir)
    rows: dict[str, list[Record]] = {name: [] for name in _CAPTIONS}
    # The deepest first: the last pieces then are short, and no worker waits long.
    jobs = [(a, depth) for depth in sorted(settings.depths, reverse=True) for a in settings.activations]
    done, total = 0, sum(depth for _, depth in jobs)
    with single_threaded_blas():
        results = map_in_order(lambda job: _network_rows(settings, data, *job), jobs, workers)
        for (activation, depth), result in zip(jobs, results, strict=True):
            for table, records in result.items():
                rows[table] += records
            done += depth
            if progress is not None:
                progress(done, total, f"{activation} × {depth}")
    tables = {name: _ordered(pd.DataFrame(records), settings) for name, records in rows.items()}
    return Study(
        name="field",
        title="The theorem of the negative result in the field",
        summary=_summary(settings, data),
        tables=tables,
        captions=_CAPTIONS,
        findings=field_findings(tables),
        settings=settings.model_dump(mode="json"),
        environment=describe_environment(),
        seconds=time.perf_counter() - started,
    )


def _network_rows(settings: FieldSettings, data: Dataset, activation: str, depth: int) -> dict[str, list[Record]]:
    result = train(
        data,
        get_method("exact"),
        depth=depth,
        width=settings.width,
        activation=activation,
        epochs=settings.epochs,
        batch=settings.batch,
        seed=settings.seed,
        keep="last",
    )
    network = {"activation": activation, "depth": depth, "test_accuracy": result.test_accuracy, "status": result.status}
    inputs = data.validation.x[: settings.examples].astype(np.float64)
    return {**field_rows(settings, result.network, inputs, activation), "networks": [network]}


def _ordered(table: pd.DataFrame, settings: FieldSettings) -> pd.DataFrame:
    """Return the records by activation (as listed) and depth; within a network they keep their order."""
    rank = table["activation"].map({name: i for i, name in enumerate(settings.activations)})
    return (
        table.assign(_rank=rank).sort_values(["_rank", "depth"], kind="stable", ignore_index=True).drop(columns="_rank")
    )


def _summary(settings: FieldSettings, data: Dataset) -> str:
    return (
        "The negative result assumes that at every node the active nodes' weighted sum is the same multiple c of the "
        f"inactive nodes' sum. On networks of {min(settings.depths)} to {max(settings.depths)} hidden layers of "
        f"{settings.width} nodes ({', '.join(settings.activations)}), trained on {data.title} with exact products, the "
        f"sums were measured node by node for active sets of {', '.join(f'{b:.0%}' for b in settings.budgets)}, and "
        "the theorem with the measured ratios was set beside the measured error."
    )
