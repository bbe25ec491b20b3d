"""Put what was found together to a chain of dense layers: fold, leave off, or say what stands in the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from approxmm.activations import get_activation
from approxmm.errors import InputError
from approxmm.interop.model import Found, Model
from approxmm.interop.parts import Affine, Dense, Head, Inert, Obstacle, Part, Phi, refused
from approxmm.interop.stored import NARROW
from approxmm.network import Network

__all__ = ["assemble"]

_UNSTATED = "?"
_DEFAULT = "relu"


class _Map(NamedTuple):
    """``a ↦ scale · a + shift`` that waits for the next layer, and the names of what it consists of."""

    scale: np.ndarray
    shift: np.ndarray
    names: tuple[str, ...]


def assemble(
    parts: Iterable[Part],
    source: str,
    kind: str,
    activation: str | Sequence[str] | None = None,
    notes: Sequence[str] = (),
    normalise: str = "none",
) -> Model:
    """Return the model that consists of `parts`, in the order of evaluation.

    Parameters
    ----------
    parts : iterable of Part
    source, kind : str
        Where it comes from and what that is, for the report.
    activation : str or sequence of str, optional
        Names for what the parts leave open: one, or one a hidden layer. Without it ReLU, and a note says so.
    notes : sequence of str
        What the reader has to say.
    normalise : str
        As for `Network`.

    Raises
    ------
    InputError
        If `activation` is unknown, of a wrong length, or contradicts what the model states.
    """
    parts = list(parts)
    chain = _Chain(activation is not None, parts)
    for part in parts:
        chain.add(part)
    chain.finish()
    names = _activations(chain, source, activation)
    chain.settle(names)
    network = None
    if not chain.obstacles:
        try:
            network = Network(tuple(d.weight for d in chain.layers), _biases(chain.layers), names, normalise)
        except InputError as error:
            chain.obstacle(Obstacle(name=source, kind=kind, reason=str(error), remedy="export it again"))
    return Model(source, kind, tuple(chain.found), tuple(chain.obstacles), (*notes, *chain.notes), network)


class _Chain:
    """The layers so far and what follows the last of them."""

    def __init__(self, substitute: bool, parts: Sequence[Part]) -> None:
        self.substitute = substitute  # the user names an activation for those that the package does not have
        # Around an obstacle shapes need not chain; that is no second one.
        self.broken = any(isinstance(part, Obstacle) and not (part.stand_in and substitute) for part in parts)
        self.layers: list[Dense] = []
        self.after: list[str | None] = []  # the activation after each layer; None where there is none
        self.open = False  # whether an activation was left to the user
        self.waiting: _Map | None = None
        self.heads: list[Part] = []
        self.found: list[Found] = []
        self.obstacles: list[Obstacle] = []
        self.notes: list[str] = []

    def add(self, part: Part) -> None:
        if isinstance(part, Obstacle) and part.stand_in and self.substitute:
            self.notes.append(f"{part.name} ({part.kind}) is replaced by the activation that was given")
            part = Phi(name=part.name, kind=part.kind, activation=None)
        if self.heads and isinstance(part, (Affine, Phi)):
            part = Head(name=part.name, kind=part.kind)
        match part:
            case Obstacle():
                self.obstacle(part)
            case Dense():
                self._dense(part)
            case Affine():
                self._affine(part)
            case Phi():
                self._phi(part)
            case Head():
                self.heads.append(part)
                self._note(part, "left off")
            case Inert():
                self._note(part, part.role)

    def obstacle(self, part: Obstacle) -> None:
        self.obstacles.append(part)
        self._note(part, "obstacle")

    def finish(self) -> None:
        """Say what follows the last layer, and what is missing."""
        if not self.layers and not self.obstacles:
            self.obstacle(
                Obstacle(name="model", kind="-", reason="it holds no dense layer", remedy="give a feed-forward network")
            )
        left = [
            head.name if head.kind.rpartition(".")[2] in head.name else f"{head.name} ({head.kind})"
            for head in self.heads
        ]
        if self.after and self.after[-1] not in (None, "linear"):
            left.insert(0, f"the activation {self.after[-1]}" if self.after[-1] != _UNSTATED else "an activation")
        if self.waiting is not None and self.layers:
            left.append("a scaling")
        if left:
            self.notes.append(f"left off after the last layer, whose result is what is compared: {', '.join(left)}")
        stored = sorted({layer.dtype for layer in self.layers} & set(NARROW))
        if stored:
            self.notes.append(f"{' and '.join(stored)} weights are computed with in float32")

    def settle(self, names: Sequence[str]) -> None:
        """Write into the report which activations stand between the layers, and what after the last one is left off."""
        depth = len(self.layers)
        for i, item in enumerate(self.found):
            number = item.layer or 0
            beyond = (item.role, number) in (("activation", depth), ("folded", depth + 1))
            if beyond:
                self.found[i] = replace(item, role="left off")
            elif item.role == "activation":
                self.found[i] = replace(item, activation=names[number - 1])

    def _note(self, part: Part, role: str, layer: int | None = None) -> None:
        phi = part.activation if isinstance(part, Phi) else None
        self.found.append(Found(part.name, part.kind, part.shape, part.parameters, part.dtype, role, layer, phi))

    def _refuse(self, part: Part, reason: str, remedy: str) -> None:
        if self.broken:
            self._note(part, "not checked")
            return
        self.obstacle(refused(part, reason, remedy))

    def _dense(self, part: Dense) -> None:
        for head in self.heads:
            self._refuse(head, "it stands between layers", "only after the last layer can it be left off")
        self.heads = []
        n_in = part.weight.shape[0]
        before = self.layers[-1] if self.layers else None
        if before is not None and before.weight.shape[1] != n_in and not self.broken:
            self._refuse(
                part,
                f"it takes {n_in} inputs, but {before.name} before it gives {before.weight.shape[1]}",
                "check the order of the layers, and whether an array is transposed",
            )
            return
        if self.waiting is not None and not _fits(self.waiting, n_in):
            self._refuse(part, f"it takes {n_in} inputs, the scaling before it is of another size", "export it again")
        elif self.waiting is not None:
            scale, shift, names = self.waiting
            # The terms of the sum that is sampled are other ones: the same function, not the same errors.
            self.notes.append(
                f"{', '.join(names)} is folded into {part.name} behind it: the function is the same, but its product "
                "is sampled with the values as they are before that scaling; to sample it behind, scale inputs yourself"
            )
            wide = part.weight.astype(np.float64)
            bias = np.broadcast_to(shift, n_in) @ wide + (0.0 if part.bias is None else part.bias)
            part = _changed(part, np.broadcast_to(scale, n_in)[:, None] * wide, bias)
        self.waiting = None
        self.layers.append(part)
        self.after.append(None)
        self._note(part, "layer", len(self.layers))

    def _affine(self, part: Affine) -> None:
        step = _Map(part.scale.astype(np.float64).reshape(-1), part.shift.astype(np.float64).reshape(-1), (part.name,))
        direct = bool(self.layers) and self.after[-1] is None and self.waiting is None
        sizes = {step.scale.size, step.shift.size} - {1}
        if direct:
            sizes.add(self.layers[-1].weight.shape[1])
        elif self.waiting is not None:
            sizes |= {self.waiting.scale.size, self.waiting.shift.size} - {1}
        if len(sizes) > 1:
            self._refuse(part, f"its sizes {sorted(sizes)} do not fit what it follows", "export it again")
            return
        if direct:
            last = self.layers[-1]
            bias = (0.0 if last.bias is None else last.bias) * step.scale + step.shift
            bias = np.broadcast_to(bias, last.weight.shape[1])
            same = bool((step.scale == 1.0).all())
            weight = last.weight if same else last.weight.astype(np.float64) * step.scale
            self.layers[-1] = _changed(last, weight, bias)
        elif self.waiting is not None:
            before = self.waiting
            shift = before.shift * step.scale + step.shift
            self.waiting = _Map(before.scale * step.scale, shift, (*before.names, *step.names))
        else:
            self.waiting = step
        self._note(part, "folded", len(self.layers) if direct else len(self.layers) + 1)

    def _phi(self, part: Phi) -> None:
        if part.activation == "linear":
            self._note(part, "no effect")
        elif not self.layers:
            self._refuse(part, "it acts on the inputs, before the first layer", "apply it to the inputs yourself")
        elif self.after[-1] is not None or self.waiting is not None:
            self._refuse(
                part, "it follows another activation without a dense layer between", "only one activation a layer"
            )
        else:
            self.after[-1] = part.activation or _UNSTATED
            self.open |= part.activation is None
            self._note(part, "activation", len(self.layers))


def _activations(chain: _Chain, source: str, given: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the name of each hidden layer's activation: the model's own, the user's where it says none."""
    hidden = [name or "linear" for name in chain.after[:-1]]
    wanted = (given or _DEFAULT,) * len(hidden) if given is None or isinstance(given, str) else tuple(given)
    for name in (given,) if isinstance(given, str) else given or ():
        get_activation(name)
    if len(wanted) != len(hidden) and not chain.obstacles:
        raise InputError(
            f"activation={wanted!r} names {len(wanted)} activations, {source} has {len(hidden)} hidden layers; "
            "give one name, or one for each"
        )
    if _UNSTATED in hidden and given is None:
        chain.notes.append(
            f"{source} does not say which activation stands between its layers: {_DEFAULT} is ASSUMED; name "
            "another one by --activation (activation=… in Python)"
        )
    if given is not None and not chain.open and not chain.obstacles:
        differing = [
            f"{stated!r} after layer {k}"
            for k, (stated, name) in enumerate(zip(hidden, wanted, strict=True), start=1)
            if _phi(stated) != _phi(name)
        ]
        if differing:
            raise InputError(f"activation={given!r} contradicts {source}, which states {differing[0]}; leave it out")
    return tuple(
        name if stated == _UNSTATED else stated for stated, name in zip(hidden, (*wanted, *hidden), strict=False)
    )


def _phi(name: str) -> object:
    phi = get_activation(name)
    return type(phi), phi  # two without parameters are equal as tuples


def _biases(layers: Sequence[Dense]) -> tuple[np.ndarray, ...] | None:
    if all(layer.bias is None for layer in layers):
        return None
    return tuple(np.zeros(d.weight.shape[1], d.weight.dtype) if d.bias is None else d.bias for d in layers)


def _fits(step: _Map, size: int) -> bool:
    return {step.scale.size, step.shift.size} <= {1, size}


def _changed(part: Dense, weight: np.ndarray, bias: np.ndarray) -> Dense:
    """Return the layer with other values, rounded to its own type once."""
    dtype = part.weight.dtype
    with np.errstate(over="ignore"):  # a value beyond the type's range is found by the network's own check
        return Dense(
            name=part.name,
            kind=part.kind,
            shape=part.shape,
            parameters=part.parameters,
            dtype=part.dtype,
            weight=weight.astype(dtype, copy=False),
            bias=bias.astype(dtype, copy=False),
        )
