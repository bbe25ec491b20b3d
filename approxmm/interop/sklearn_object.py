"""A fitted multi-layer perceptron of scikit-learn or of this package, alone or behind scalers in a pipeline."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from approxmm.errors import InputError
from approxmm.interop import network_object
from approxmm.interop.parts import Affine, Head, Inert, Obstacle, Part, Phi, dense
from approxmm.interop.reading import Reading, Source
from approxmm.interop.stored import Stored
from approxmm.network import Network

__all__ = ["read"]

_ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}


def read(source: Source) -> Reading:
    """Return the layers of an MLPClassifier or MLPRegressor; a standardisation before it is folded into its first.

    Raises
    ------
    InputError
        If it is not fitted.
    """
    steps = getattr(source.given, "steps", None) or [(source.name, source.given)]
    parts = [part for name, step in steps for part in _step(str(name), step, source)]
    ours = [step.network_ for _, step in steps if _is_ours(step)]
    kind = "scikit-learn " + " → ".join(type(step).__name__ for _, step in steps)
    return Reading(parts, kind, normalise=ours[0].normalise if ours else "none")


def _is_ours(step: Any) -> bool:
    """Return whether it is a fitted estimator of this package."""
    return isinstance(getattr(step, "network_", None), Network)


def _step(name: str, step: Any, source: Source) -> list[Part]:
    """Return what one step of a pipeline does."""
    kind = type(step).__name__
    if step is None or step == "passthrough":
        return [Inert(name=name, kind="passthrough")]
    if kind == "StandardScaler" and hasattr(step, "n_features_in_"):
        one = np.ones(step.n_features_in_)
        scale = 1.0 / (one if step.scale_ is None else step.scale_)
        mean = 0.0 * one if step.mean_ is None or not step.with_mean else step.mean_
        return [Affine(name=name, kind=kind, scale=scale, shift=-mean * scale)]
    if kind == "MinMaxScaler" and hasattr(step, "scale_") and not step.clip:
        return [Affine(name=name, kind=kind, scale=step.scale_, shift=step.min_)]
    if _is_ours(step):
        return [*network_object.read(replace(source, given=step.network_)).parts, *_head(step)]
    if hasattr(step, "hidden_layer_sizes"):
        return _mlp(name, step)
    return [
        Obstacle(
            name=name,
            kind=kind,
            reason="it is neither a multi-layer perceptron nor a scaler that is fitted and affine",
            remedy="read the perceptron alone (pipeline[-1]) and propagate inputs that this step has transformed",
        )
    ]


def _mlp(name: str, mlp: Any) -> list[Part]:
    if not hasattr(mlp, "coefs_"):
        raise InputError(f"{name} ({type(mlp).__name__}) is not fitted; call its fit first")
    parts: list[Part] = []
    for k, (W, b) in enumerate(zip(mlp.coefs_, mlp.intercepts_, strict=True)):
        if k:
            parts.append(_phi(f"after coefs_[{k - 1}]", mlp.activation))
        parts.append(dense(f"coefs_[{k}]", Stored.of(W), Stored.of(b)))
    return [*parts, *_head(mlp)]


def _head(mlp: Any) -> list[Part]:
    return [Head(name="out_activation_", kind=mlp.out_activation_)] if mlp.out_activation_ != "identity" else []


def _phi(name: str, activation: str) -> Part:
    if activation in _ACTIVATIONS:
        return Phi(name=name, kind=activation, activation=_ACTIVATIONS[activation])
    return Obstacle(
        name=name,
        kind=str(activation),
        reason="the package has no such activation",
        remedy="name one that takes its place by activation=…",
        stand_in=True,
    )
