"""A network as an .npz file of plain arrays."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from approxmm.atomic import atomic_write_bytes
from approxmm.data.npz import read_npz
from approxmm.errors import DataError, MissingError
from approxmm.network import Network
from approxmm.normalisation import NORMALISATIONS

__all__ = ["SETTINGS", "read_network", "stored_activation", "stored_normalisation", "write_network"]

SETTINGS = ("activation", "normalise")  # arrays that hold names, not parameters


def write_network(network: Network, path: Path) -> None:
    """Write what `Network.save` promises."""
    arrays: dict[str, Any] = {f"W{k}": W for k, W in enumerate(network.weights, start=1)}
    if network.biases is not None:
        arrays |= {f"b{k}": b for k, b in enumerate(network.biases, start=1)}
    arrays |= {name: np.array(getattr(network, name)) for name in SETTINGS}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    atomic_write_bytes(path, buffer.getvalue())


def read_network(path: Path) -> Network:
    """Read what `Network.load` promises, with its errors."""
    if not path.exists():
        raise MissingError(f"network file {path} does not exist; give the path of an .npz written by `train -o`")
    arrays = read_npz(path)
    depth = sum(1 for name in arrays if name.startswith("W") and name[1:].isdigit())
    names = [f"W{k}" for k in range(1, depth + 1)]
    if depth == 0 or any(name not in arrays for name in names):
        raise DataError(
            f"{path} holds arrays {sorted(arrays)[:8]}; a network needs W1, W2, … without gaps (each n_in × n_out)"
        )
    biases = None
    if any(f"b{k}" in arrays for k in range(1, depth + 1)):
        biases = tuple(arrays.get(f"b{k}", np.zeros(arrays[f"W{k}"].shape[-1:])) for k in range(1, depth + 1))
    weights = tuple(arrays[name] for name in names)
    return Network(weights, biases, stored_activation(arrays, "relu"), stored_normalisation(arrays))


def stored_activation(arrays: Mapping[str, np.ndarray], default: str) -> str | tuple[str, ...]:
    """Return the names that `Network.save` wrote as ``activation``, or `default` where there is none.

    Raises
    ------
    DataError
        If the array holds no text, or is no single name or row of names.
    """
    named = arrays.get("activation", np.array(default))
    if named.dtype.kind != "U" or named.ndim > 1 or named.nbytes > 2**20:
        raise DataError(
            f"activation is an array of type {named.dtype} and shape {named.shape}; it must be a name, or one for each "
            "hidden layer"
        )
    return tuple(str(name) for name in named) if named.ndim == 1 else str(named)


def stored_normalisation(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the name that `Network.save` wrote as ``normalise``, "none" where there is none.

    Raises
    ------
    DataError
        If the array holds anything but the name of a normalisation.
    """
    named = arrays.get("normalise", np.array("none"))
    if named.dtype.kind != "U" or named.ndim != 0 or str(named) not in NORMALISATIONS:
        raise DataError(
            f"normalise is an array of type {named.dtype} and shape {named.shape}; it must be one of "
            f"{', '.join(NORMALISATIONS)}"
        )
    return str(named)
