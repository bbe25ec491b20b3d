"""Error profiles as tables: pandas, xarray, and several profiles side by side."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.errors import InputError, MissingError
from approxmm.profile import METRIC_NAMES, SAMPLED_SOURCES, ErrorProfile, Metrics

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["PARTS", "compare", "figures_of", "labels_of", "to_dataset", "to_frame"]

# Part of a layer -> what its columns are called in a table.
PARTS = {"output": "", "pre_activation": "pre_", "delta": "delta_", "weight_gradient": "weight_gradient_"}
_ALWAYS = ("output", "pre_activation")
_UNKNOWN = (math.nan, math.nan)


def figures_of(profile: ErrorProfile, metric: str, of: str) -> list[Metrics]:
    """Return one part's figures of all layers.

    Raises
    ------
    InputError
        If the metric or the part is unknown, or the profile does not hold the part at every layer.
    """
    if metric not in METRIC_NAMES:
        raise InputError(f"metric={metric!r} is unknown; choose one of {', '.join(METRIC_NAMES)}")
    if of not in PARTS:
        raise InputError(f"of={of!r} is unknown; choose one of {', '.join(PARTS)}")
    figures = [getattr(layer, of) for layer in profile.layers]
    if any(each is None for each in figures):
        raise InputError(
            f"of={of!r}: the profile {profile.source!r} holds no such figures; "
            "compute it with its gradients, or leave it out"
        )
    return figures


def to_frame(profile: ErrorProfile) -> pd.DataFrame:
    """Return one row a layer; see `ErrorProfile.to_pandas`."""
    import pandas as pd

    parts = [of for of in PARTS if of in _ALWAYS or any(getattr(layer, of) is not None for layer in profile.layers)]
    rows = []
    for layer in profile.layers:
        row: dict[str, Any] = {"layer": layer.layer, "source": profile.source}
        for of in parts:
            figures = getattr(layer, of)
            if figures is not None:
                row |= {PARTS[of] + name: number for name, number in _columns(figures).items()}
        rows.append(row | layer.extra)
    return pd.DataFrame(rows).set_index("layer")


def _columns(figures: Metrics) -> dict[str, float]:
    row = {name: getattr(figures, name) for name in METRIC_NAMES}
    intervals = {"ci95": figures.ci95, "cosine_ci95": figures.cosine_ci95, "norm_ratio_ci95": figures.norm_ratio_ci95}
    for name, interval in intervals.items():
        row[f"{name}_low"], row[f"{name}_high"] = interval or _UNKNOWN
    return row | {name: getattr(figures, name) for name in ("log10_relative_error", "log10_norm_ratio")}


def to_dataset(profile: ErrorProfile) -> xr.Dataset:
    """Return an xarray Dataset; see `ErrorProfile.to_xarray`."""
    try:
        import xarray  # noqa: F401 - pandas hands the work to it
    except ImportError as error:
        raise MissingError("xarray is not installed; `pip install xarray`, or use to_pandas()") from error
    dataset = to_frame(profile).drop(columns="source").to_xarray()
    settings = {name: _attribute(setting) for name, setting in profile.settings.items()}
    return dataset.assign_attrs({"source": profile.source, "seconds": profile.seconds, **settings})


def _attribute(setting: Any) -> Any:
    """Return what every file format of xarray can hold: numbers and texts; all else as JSON."""
    plain = isinstance(setting, (int, float, str)) and not isinstance(setting, bool)
    return setting if plain else json.dumps(setting, default=str)


def labels_of(profiles: Sequence[ErrorProfile]) -> list[str]:
    """Return a label for each profile: its source, and where sources repeat the settings in which these differ."""
    labels = []
    for profile in profiles:
        rivals = [other for other in profiles if other.source == profile.source]
        names = list(dict.fromkeys(name for other in rivals for name in other.settings))
        telling = [n for n in names if any(other.settings.get(n) != profile.settings.get(n) for other in rivals)]
        detail = ", ".join(_setting_text(name, profile.settings[name]) for name in telling if name in profile.settings)
        labels.append(f"{profile.source} ({detail})" if detail else profile.source)
    return labels


def _setting_text(name: str, setting: Any) -> str:
    return str(setting) if name == "method" else f"{name} {setting}"


def compare(
    *profiles: ErrorProfile,
    metric: str = "relative_error",
    of: str = "output",
    labels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return several profiles of one network in long form, each next to the measurement.

    Parameters
    ----------
    *profiles : ErrorProfile
        The measurement is the first of them that was sampled (``simulate`` or ``training``).
    metric : str
        One of the four figures.
    of : {"output", "pre_activation", "delta", "weight_gradient"}
    labels : sequence of str, optional
        One a profile; by default its source, with the settings that tell it from others of the same source.

    Returns
    -------
    DataFrame
        One row a layer and profile: layer, profile (label), source, value, low, high (95 % interval, NaN where there
        is none), log10 (of the value, also where float64 cannot hold it), ratio (value over the measurement's), inside
        (whether the value lies in the measurement's interval; None without one). ``ratio`` is NaN and ``inside``
        None where nothing was measured. ``table.pivot(index="layer", columns="profile", values="ratio")`` sets the
        profiles side by side.

    Raises
    ------
    InputError
        If there is no profile, a name is unknown, or `labels` are not one for each profile, all different.
    """
    import pandas as pd

    if not profiles:
        raise InputError("profiles=() is empty; give at least one ErrorProfile")
    names = labels_of(profiles) if labels is None else list(labels)
    if len(names) != len(profiles) or (labels is not None and len(set(names)) != len(names)):
        raise InputError(f"labels={names} must be {len(profiles)} different texts, one for each profile")
    measured = next((p for p in profiles if p.source in SAMPLED_SOURCES), None)
    reference = {} if measured is None else _by_layer(measured, metric, of)
    rows = []
    for profile, name in zip(profiles, names, strict=True):
        for layer, figures in _by_layer(profile, metric, of).items():
            row = {"layer": layer, "profile": name, "source": profile.source}
            rows.append(row | _compared(figures, reference.get(layer), metric))
    return pd.DataFrame(rows)


def _by_layer(profile: ErrorProfile, metric: str, of: str) -> dict[int, Metrics]:
    numbers = (layer.layer for layer in profile.layers)
    return dict(zip(numbers, figures_of(profile, metric, of), strict=True))


def _compared(figures: Metrics, measured: Metrics | None, metric: str) -> dict[str, Any]:
    value, (low, high) = getattr(figures, metric), figures.interval(metric) or _UNKNOWN
    row = {"value": value, "low": low, "high": high, "log10": figures.log10(metric), "ratio": math.nan, "inside": None}
    if measured is None:
        return row
    interval = measured.interval(metric)
    inside = None if interval is None or math.isnan(value) else bool(interval[0] <= value <= interval[1])
    return row | {"ratio": _ratio(figures, measured, metric), "inside": inside}


def _ratio(figures: Metrics, measured: Metrics, metric: str) -> float:
    """Return value over measurement: by logarithms where the numbers themselves are out of range."""
    value, reference = getattr(figures, metric), getattr(measured, metric)
    if math.isfinite(value) and math.isfinite(reference) and reference != 0.0:
        return float(value / reference)
    difference = figures.log10(metric) - measured.log10(metric)
    return float(np.float64(10.0) ** difference) if abs(difference) < 300.0 else math.nan
