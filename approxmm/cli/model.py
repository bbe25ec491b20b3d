"""A user's own model on the command line: the options that say how to read it, and the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from approxmm.cli.console import warn
from approxmm.cli.options import NETWORK
from approxmm.errors import InputError

if TYPE_CHECKING:
    from approxmm.interop import Model
    from approxmm.network import Network

__all__ = ["Activation", "LayerNames", "OwnModel", "activation_names", "open_model", "open_network", "refuse_layers"]

OwnModel = Annotated[
    Path | None, typer.Argument(help="A model (.npz, .safetensors, .onnx, .pt); without it, a random stack.")
]
Activation = Annotated[
    str | None,
    typer.Option(
        help="Between layers, where no model says it (default: relu); or one for each: tanh,relu.",
        rich_help_panel=NETWORK,
    ),
]
LayerNames = Annotated[
    str | None,
    typer.Option(
        "--layers",
        help="Of a state dict: the dense layers to take, in order, as fc1,fc2,out.",
        rich_help_panel=NETWORK,
    ),
]


def activation_names(text: str | None) -> str | tuple[str, ...] | None:
    """Return ``tanh`` as one name, ``tanh,relu`` as one for each hidden layer."""
    if text is None or "," not in text:
        return text
    return tuple(name.strip() for name in text.split(","))


def refuse_layers(layers: str | None) -> None:
    """Refuse names of layers where there is no model."""
    if layers is not None:
        raise InputError(f"--layers {layers} chooses among the layers of a model; name its file, or leave it out")


def open_model(path: Path, activation: str | None = None, layers: str | None = None) -> Model:
    """Read a model and report all that is in it; errors as for `approxmm.read_model`."""
    from approxmm.interop import read_model

    names = None if layers is None else [name.strip() for name in layers.split(",")]
    return read_model(path, activation=activation_names(activation), layers=names)


def open_network(
    path: Path, activation: str | None = None, layers: str | None = None, *, quiet: bool = False
) -> tuple[Network, list[str]]:
    """Return the network of a model and what was assumed, converted or left off, which is also said on stderr.

    Raises
    ------
    NotAvailableError
        If something in it cannot be propagated.
    """
    model = open_model(path, activation, layers)
    network = model.network
    for note in model.notes:
        warn(f"note: {note}", quiet=quiet)
    return network, list(model.notes)
