"""Error profiles as plain values that give back the same profile, for checkpoints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from approxmm.profile import ErrorProfile, LayerError, Metrics

__all__ = ["profile_from_state", "profile_state"]

_INTERVALS = ("ci95", "cosine_ci95", "norm_ratio_ci95")
_PARTS = ("output", "pre_activation", "delta", "weight_gradient")


def profile_state(profile: ErrorProfile) -> dict[str, Any]:
    """Return all that the profile holds; numbers that are not finite stay what they are."""
    return asdict(profile)


def profile_from_state(state: dict[str, Any]) -> ErrorProfile:
    """Return the profile that `profile_state` was given; TypeError, KeyError or ValueError if there was none."""
    layers = tuple(_layer(layer) for layer in state["layers"])
    return ErrorProfile(str(state["source"]), layers, float(state["seconds"]), dict(state["settings"]))


def _layer(state: dict[str, Any]) -> LayerError:
    parts = {name: _metrics(state[name]) for name in _PARTS}
    output, pre_activation = parts["output"], parts["pre_activation"]
    if output is None or pre_activation is None:
        raise ValueError("a layer has an output and a pre-activation")
    extra = {str(name): float(value) for name, value in state["extra"].items()}
    return LayerError(int(state["layer"]), output, pre_activation, extra, parts["delta"], parts["weight_gradient"])


def _metrics(state: dict[str, Any] | None) -> Metrics | None:
    if state is None:
        return None
    numbers = {name: float(value) for name, value in state.items() if name not in _INTERVALS}
    intervals = {name: _interval(state[name]) for name in _INTERVALS}
    return Metrics(**numbers, **intervals)  # type: ignore[arg-type]


def _interval(bounds: list[float] | None) -> tuple[float, float] | None:
    return None if bounds is None else (float(bounds[0]), float(bounds[1]))
