"""The field study's records: active shares of one network, and the law with them beside the measured error."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from approxmm.methods.contract import Method
from approxmm.methods.registry import get_method
from approxmm.network import Network
from approxmm.profile import Interval, Metrics
from approxmm.propagation.ratios import ShareProfile, active_shares, error_parts
from approxmm.propagation.simulate import simulate
from approxmm.studies.settings import FieldSettings, Selection

__all__ = ["Record", "field_rows"]

Record = dict[str, Any]


def field_rows(
    settings: FieldSettings, network: Network, inputs: np.ndarray, activation: str
) -> dict[str, list[Record]]:
    """Measure all selections of the study on one network.

    Returns
    -------
    dict
        Records of the tables ``shares`` and ``field``.
    """
    rows: dict[str, list[Record]] = {"shares": [], "field": []}
    for selection, budget in ((s, b) for s in settings.selections for b in settings.budgets):
        method = get_method(selection.method, budget, **selection.options)
        about = _about(selection, budget, activation, network.depth - 1)
        shares = active_shares(network, method, inputs, draws=settings.draws, seed=settings.seed, workers=1)
        rows["shares"] += [{**about, "layer": k, **row} for k, row in shares.to_pandas().to_dict("index").items()]
        rows["field"] += list(_field_records(about, settings, network, method, inputs, shares))
    return rows


def _about(selection: Selection, budget: float, activation: str, depth: int) -> Record:
    options = ", ".join(f"{name}={value}" for name, value in selection.options.items())
    return {"activation": activation, "depth": depth, "method": selection.method, "options": options, "budget": budget}


def _field_records(
    about: Record, settings: FieldSettings, network: Network, method: Method, inputs: np.ndarray, shares: ShareProfile
) -> Iterator[Record]:
    """Yield one record a product with selected inputs: the theorem, the law with dispersion, the measurement.

    All errors are of the pre-activation and of norms, as the theorem's are, not of squares.
    """
    measured = simulate(network, method, inputs, trials=settings.trials, seed=settings.seed, workers=1)
    law, dispersed = shares.law(), shares.dispersed()
    for k, (product, layer) in enumerate(zip(shares.products, measured.layers, strict=True)):
        if product is None:
            continue
        found, predicted = layer.pre_activation, dispersed.layers[k].pre_activation
        parts, low_high = error_parts(found), _root_interval(found.ci95)
        yield {
            **about,
            "layer": k + 1,
            "ratio": product.ratio,
            "law": law.relative_to_exact[k],
            "dispersed_law": math.sqrt(predicted.relative_error),
            "measured": math.sqrt(found.relative_error),
            "ci_low": low_high[0],
            "ci_high": low_high[1],
            "law_to_estimate": law.relative_to_estimate[k],
            "dispersed_law_to_estimate": math.sqrt(predicted.relative_to_estimate),
            "measured_to_estimate": math.sqrt(found.relative_to_estimate),
            "law_kept": law.kept[k],
            "kept": parts.kept,
            "mean_part": parts.mean_part,
            "dispersion": parts.dispersion,
            **_quotients(law.relative_to_exact[k], law.relative_to_estimate[k], predicted, found),
        }


def _quotients(law: float, law_to_estimate: float, predicted: Metrics, found: Metrics) -> Record:
    """Return predicted over measured errors of norms, in both normalisations, for both laws."""
    exact, estimate = math.sqrt(found.relative_error), math.sqrt(found.relative_to_estimate)
    return {
        "law_over_measured": _over(law, exact),
        "law_over_measured_to_estimate": _over(law_to_estimate, estimate),
        "dispersed_over_measured": _over(math.sqrt(predicted.relative_error), exact),
        "dispersed_over_measured_to_estimate": _over(math.sqrt(predicted.relative_to_estimate), estimate),
    }


def _over(predicted: float, measured: float) -> float:
    return predicted / measured if 0.0 < measured < math.inf else math.nan


def _root_interval(interval: Interval | None) -> Interval:
    return (math.nan, math.nan) if interval is None else (math.sqrt(interval[0]), math.sqrt(interval[1]))
