"""What is propagated: a user's model or a random stack, and its inputs; options and functions that commands share."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from approxmm.cli.model import activation_names, open_network, refuse_layers
from approxmm.cli.options import DATA, NETWORK
from approxmm.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from approxmm.network import Network
    from approxmm.propagation import Ensemble

__all__ = [
    "DataName",
    "Depth",
    "Init",
    "InputsFile",
    "Samples",
    "Width",
    "check_outputs",
    "describe_ensemble",
    "gaussian_inputs",
    "given_inputs",
    "open_or_draw",
]

_network, _data = (partial(typer.Option, rich_help_panel=group) for group in (NETWORK, DATA))

Width = Annotated[int, _network(help="Width of a random stack.")]
Depth = Annotated[int, _network(help="Layers of a random stack.")]
Init = Annotated[str, _network(help="Weights of a random stack: he, lecun, glorot, each also with _uniform.")]
DataName = Annotated[str | None, _data("--data", help="Inputs: test examples of this data set.")]
InputsFile = Annotated[Path | None, _data("--inputs", help="Inputs: a .npy file (B, n).")]
Samples = Annotated[int, _data(help="How many inputs (Gaussian unless --data or --inputs).")]


def given_inputs(data: str | None, data_dir: Path | None, inputs: Path | None, samples: int) -> np.ndarray | None:
    """Return the inputs the user named, or None."""
    if samples < 1:
        raise InputError(f"samples={samples} must be at least 1")
    if data is not None and inputs is not None:
        raise InputError(f"--data {data} and --inputs {inputs} exclude each other; give one of them")
    if inputs is not None:
        from approxmm.data import load_inputs

        return load_inputs(inputs)
    if data is not None:
        from approxmm.data import load_data

        return load_data(data, data_dir=data_dir).test.x[:samples]
    return None


def gaussian_inputs(samples: int, size: int, seed: int) -> np.ndarray:
    """Return standard normal inputs (samples, size) of the seed."""
    from approxmm.random import Stream, generator, make_key

    return generator(make_key(seed, Stream.INPUTS)).standard_normal((samples, size))


def describe_ensemble(given: np.ndarray | None, width: int, depth: int, activation: str | None, init: str) -> Ensemble:
    """Return the random stack that the options describe, before any weight is drawn."""
    from approxmm.propagation import Ensemble

    if width < 1 or depth < 1:
        raise InputError(f"width={width}, depth={depth}: both must be at least 1")
    first = width if given is None else given.shape[1]
    return Ensemble.random([first, *[width] * depth], activation=activation_names(activation) or "relu", init=init)


def open_or_draw(
    path: Path | None,
    ensemble: Ensemble | None,
    activation: str | None,
    layers: str | None,
    init: str,
    seed: int,
    *,
    quiet: bool,
) -> tuple[Network, list[str]]:
    """Return the user's network with the notes of its reading, or a stack drawn from the ensemble without any."""
    from approxmm.network import Network

    if path is not None:
        return open_network(path, activation, layers, quiet=quiet)
    refuse_layers(layers)
    assert ensemble is not None
    return Network.random(ensemble.widths, activation=ensemble.activation, init=init, seed=seed), []


def check_outputs(plot: Path | None, csv: Path | None) -> None:
    """Refuse what cannot be written before anything is computed."""
    from approxmm.atomic import check_writable
    from approxmm.profile_plot import check_format

    if plot is not None:
        check_format(plot)
    for path in (plot, csv):
        if path is not None:
            check_writable(path)
