"""One function that reads a model, whatever holds it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from approxmm.data.files import open_binary
from approxmm.data.npy import CEILING
from approxmm.errors import DataError, InputError, MissingError
from approxmm.interop.assemble import assemble
from approxmm.interop.model import Model
from approxmm.interop.reading import Reading, Source
from approxmm.network import Network

__all__ = ["read_model"]

# Modules of this package, each with a function `read(source) -> Reading`, by what the file's name ends in.
_READERS = {
    ".npz": "npz_file",
    ".safetensors": "safetensors_file",
    ".onnx": "onnx_file",
    ".pt": "torch_file",
    ".pth": "torch_file",
}
_PICKLE = (
    "it is a pickle, and reading one runs the code in it; pass the fitted estimator itself to approxmm.read_model in "
    "Python, or export it to ONNX"
)
_KERAS = "there is no reader for Keras files; export the model to ONNX (tf2onnx), or save its arrays by numpy.savez"
_REFUSED = {
    ".pkl": _PICKLE,
    ".pickle": _PICKLE,
    ".joblib": _PICKLE,
    ".h5": _KERAS,
    ".hdf5": _KERAS,
    ".keras": _KERAS,
    ".npy": "it holds one array; inputs are given by --inputs, a network is an .npz of arrays W1, b1, W2, …",
}


def read_model(
    source: str | os.PathLike[str] | Any,
    *,
    activation: str | Sequence[str] | None = None,
    layers: Sequence[str] | None = None,
    max_bytes: int = CEILING,
) -> Model:
    """Read a model and report everything that it holds.

    Parameters
    ----------
    source : path or object
        A file: ``.npz``, ``.safetensors``, ``.onnx``, or a PyTorch state dict ``.pt``/``.pth`` (which needs torch; read
        with ``weights_only=True``). Or an object: a fitted MLP of scikit-learn or of this package, alone or behind
        scalers in a pipeline; a ``torch.nn.Sequential``; a mapping of names to arrays; a `Network`.
    activation : str or sequence of str, optional
        What stands between the layers where the model does not say it: state dicts hold weights only. One name, or one
        for each hidden layer; ReLU if left out, and `Model.notes` says so. It also takes the place of activations that
        the package does not have.
    layers : sequence of str, optional
        For arrays by name: the dense layers to take, in order, where names and shapes leave it open, or where
        other layers are to be left out.
    max_bytes : int
        Files that claim to need more are refused, before memory is taken.

    Returns
    -------
    Model
        ``model.network`` is the network; it raises `NotAvailableError` where something cannot be propagated.

    Raises
    ------
    MissingError
        If there is no such file.
    DataError
        If the file is not what its name promises, damaged or hostile, or the order of its layers is open.
    InputError
        If an argument does not fit the model, or there is no reader for it.
    NotAvailableError
        If the package that reads this format is not installed.

    Notes
    -----
    Nothing is unpickled or executed, except by torch's own restricted reader. Weights in 16 bits become float32;
    whole numbers, codes of a quantisation, are obstacles. What follows the last layer is left off, so that
    `Network.forward` gives logits.
    """
    if isinstance(source, (str, os.PathLike)):
        name = str(Path(source))
        module = _file_reader(Path(source), max_bytes)
    else:
        name = type(source).__name__
        module = _object_reader(source)
    read = import_module(f"approxmm.interop.{module}").read
    # Where folding a scaling overflows, the network's own check names the value.
    with np.errstate(over="ignore", invalid="ignore"):
        reading: Reading = read(Source(source, name, layers, max_bytes))
        if layers is not None and not reading.by_name:
            raise InputError(f"layers={list(layers)!r}: {name} states the order of its layers; leave it out")
        return assemble(reading.parts, name, reading.format, activation, reading.notes, reading.normalise)


def _file_reader(path: Path, max_bytes: int) -> str:
    """Return the module that reads a file: by the end of its name, or by its first bytes where that says nothing."""
    if not path.exists():
        raise MissingError(f"model file {path} does not exist; give the path of {_known()} file")
    with open_binary(path, f"{_known()} file") as file:
        head, size = file.read(16), os.fstat(file.fileno()).st_size
    suffix = path.suffix.lower()
    if suffix in _REFUSED:
        raise InputError(f"cannot read {path}: {_REFUSED[suffix]}")
    if size == 0:
        raise DataError(f"{path} is empty; save the model again")
    if size > max_bytes:
        raise DataError(f"{path} has {size} bytes, the limit is {max_bytes}; raise max_bytes of approxmm.read_model")
    module = _READERS.get(suffix) or _by_content(path, head)
    if module is None:
        raise InputError(
            f"cannot read {path}: its name and content are those of no format known here; give {_known()} file"
        )
    return module


def _by_content(path: Path, head: bytes) -> str | None:
    if head.startswith(b"PK"):
        return "npz_file" if _holds_arrays(path) else "torch_file"
    return "safetensors_file" if head[8:9] == b"{" else None


def _holds_arrays(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return all(name.endswith(".npy") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return True


def _object_reader(source: Any) -> str:
    """Return the module that reads a live object, told by what it has: no framework is imported to find out."""
    bases = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(source).__mro__}
    if isinstance(source, Network):
        return "network_object"
    if isinstance(source, Mapping):
        return "mapping_object"
    if "torch.Module" in bases:
        return "torch_object"
    if bases & {"sklearn.BaseMultilayerPerceptron", "sklearn.Pipeline", "approxmm.SampledMLP"}:
        return "sklearn_object"
    raise InputError(
        f"cannot read an object of type {type(source).__name__}; give a path, a fitted MLPClassifier or MLPRegressor "
        "of scikit-learn (alone or in a Pipeline), a torch.nn.Sequential, a mapping of names to arrays, or a Network"
    )


def _known() -> str:
    return "a " + ", ".join(list(_READERS)[:-1]) + " or .pth"
