"""What a reader finds in a model, one class a kind, before it is put together to a chain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from approxmm.interop.labels import label
from approxmm.interop.stored import Stored

__all__ = ["Affine", "Dense", "Head", "Inert", "Obstacle", "Part", "Phi", "dense", "refused"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """Anything found, under the name that the model gives it.

    Attributes
    ----------
    name, kind : str
        As the model calls them: ``fc1`` and ``Linear``.
    shape : tuple of int
        Of its weights: (n_in, n_out) for a dense layer, empty where it has none.
    parameters : int
        How many numbers it holds.
    dtype : str
        Of its weights as stored.
    """

    name: str
    kind: str
    shape: tuple[int, ...] = ()
    parameters: int = 0
    dtype: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(Part):
    """``z = a W + b`` with W (n_in, n_out) and b (n_out,), float32 or float64."""

    weight: np.ndarray
    bias: np.ndarray | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Affine(Part):
    """``a ↦ scale · a + shift`` by feature, each of size 1 or n: a batch normalisation at inference, a scaler."""

    scale: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Phi(Part):
    """An activation; None where the model does not say which one stands here."""

    activation: str | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Inert(Part):
    """Something that the network lacks: ``no effect`` at inference, such as dropout, or ``not used`` as asked."""

    role: str = "no effect"


@dataclass(frozen=True, eq=False, kw_only=True)
class Head(Part):
    """Something that may only follow the last layer, and is left off there, such as a softmax."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Obstacle(Part):
    """Something that cannot be propagated.

    Attributes
    ----------
    reason, remedy : str
        Why not, and what would help.
    stand_in : bool
        Whether it is an activation, for which the user may name another one.
    """

    reason: str
    remedy: str
    stand_in: bool = False

    def __str__(self) -> str:
        return f"{label(self.name, 80)} ({label(self.kind, 80)}): {self.reason}; {self.remedy}"


def refused(part: Part, reason: str, remedy: str) -> Obstacle:
    """Return a part as something that cannot be propagated."""
    return Obstacle(
        name=part.name,
        kind=part.kind,
        shape=part.shape,
        parameters=part.parameters,
        dtype=part.dtype,
        reason=reason,
        remedy=remedy,
    )


def dense(
    name: str, weight: Stored, bias: Stored | None = None, *, kind: str = "dense", transposed: bool = False
) -> Dense | Obstacle:
    """Return the layer of stored arrays, or why they are none.

    Parameters
    ----------
    weight, bias : Stored
        `weight` is (n_in, n_out), or (n_out, n_in) if `transposed`.
    """
    arrays = [weight] if bias is None else [weight, bias]
    part = Part(
        name=name,
        kind=kind,
        shape=weight.shape[::-1] if transposed else weight.shape,
        parameters=sum(array.size for array in arrays),
        dtype=weight.dtype,
    )
    fault = _fault(part, arrays)
    if fault is not None:
        return refused(part, *fault)
    values = [array.values() for array in arrays]
    for what, array in zip(("weight", "bias"), values, strict=False):
        if not np.isfinite(array).all():
            place = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
            reason = f"its {what}{place} is {array[tuple(place)]}, and all values must be finite"
            return refused(part, reason, "train it again with a lower learning rate, or take an earlier checkpoint")
    return Dense(
        name=name,
        kind=kind,
        shape=part.shape,
        parameters=part.parameters,
        dtype=part.dtype,
        weight=values[0].T if transposed else values[0],
        bias=values[1] if bias is not None else None,
    )


def _fault(part: Part, arrays: list[Stored]) -> tuple[str, str] | None:
    """Return what is wrong with the types and shapes of a weight and its bias, and the remedy."""
    codes = [array.dtype for array in arrays if not array.real]
    if codes:
        reason = f"its numbers are stored as {codes[0]}, as if quantised, and their scale is not known"
        return reason, "export the model in float32, before it is quantised"
    if 0 in part.shape:
        return f"its shape {part.shape} is empty", "export it again"
    bias = arrays[-1] if len(arrays) == 2 else None
    if bias is None or bias.shape == part.shape[1:]:
        return None
    turned = bias.shape == part.shape[:1]
    reason = f"its bias has shape {bias.shape}, and its weight, read as n_in × n_out, {part.shape}"
    return reason, "the weight is stored the other way round: transpose it" if turned else "export it again"
