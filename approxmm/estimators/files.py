"""A fitted estimator as an `.npz` file: the network's arrays, then the estimator's own, named ``estimator.…``."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from approxmm.atomic import atomic_path
from approxmm.data.npz import read_npz
from approxmm.engine.loop import Position
from approxmm.engine.profile_state import profile_from_state, profile_state
from approxmm.errors import ApproxmmError, DataError, InputError, MissingError
from approxmm.estimators.memory import Memory
from approxmm.estimators.settings import check_same_network
from approxmm.methods import Method
from approxmm.network import Network

__all__ = ["load_estimator", "save_estimator"]

_PREFIX, _ARRAY, _EXACT = "estimator.", "estimator.memory.", "estimator.exact.W"
_FORMAT = 1
_LONGEST = 2**24  # characters of the description: a million epochs fit
_PLAIN = (str, int, float, bool, type(None))
_NOT_SAVED = ("callbacks",)
# Fitted attributes that are plain numbers, texts or lists of numbers.
_FITTED = (
    "status_",
    "loss_",
    "best_loss_",
    "loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "n_iter_",
    "t_",
    "n_outputs_",
)


def save_estimator(estimator: Any, path: str | os.PathLike[str], resumable: bool) -> None:
    """Write what `SampledMLP.save` promises."""
    memory = estimator._memory if estimator._ongoing is None else estimator._ongoing.memory()
    description = {
        "format": _FORMAT,
        "class": type(estimator).__name__,
        "parameters": _plain_parameters(estimator),
        "fitted": {name: getattr(estimator, name) for name in _FITTED},
        "profiles": [profile_state(profile) for profile in estimator.profiles_],
        "feature_names": [str(name) for name in getattr(estimator, "feature_names_in_", ())],
        "own": estimator._own_description(),
        "seed": memory.recipe.seed,
        "limit": memory.recipe.loss.limit,
        "position": memory.position.to_dict(),
        "resumable": resumable,
    }
    arrays = {_PREFIX + "description": np.array(_as_text(description))}
    arrays |= {_PREFIX + name: array for name, array in estimator._own_arrays().items()}
    if estimator._predictor is not estimator.network_:
        arrays |= {f"{_EXACT}{k}": W for k, W in enumerate(estimator._predictor.weights, start=1)}
    if resumable:
        arrays |= {_ARRAY + name: array for name, array in memory.arrays.items()}
    with atomic_path(path) as temporary:
        estimator.network_.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            for name, array in arrays.items():
                with archive.open(name + ".npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)


def _as_text(description: dict[str, Any]) -> str:
    text = json.dumps(description)
    if len(text) > _LONGEST:
        raise InputError(
            f"{len(description['profiles'])} profiles_ and {len(description['fitted']['loss_curve_'])} epochs make a "
            f"description of {len(text)} characters, more than the {_LONGEST} that a file may have; shorten profiles_"
        )
    return text


def load_estimator(cls: type, path: str | os.PathLike[str]) -> Any:
    """Read what `SampledMLP.load` promises."""
    if not Path(path).exists():
        raise MissingError(f"estimator file {os.fspath(path)} does not exist; give the path of an .npz written by save")
    arrays = read_npz(path)
    description = _description(arrays, cls, os.fspath(path))
    try:
        network = Network.load(Path(path))
        estimator = cls(**_parameters(cls, description["parameters"]))
        _fill(estimator, network, description, arrays)
    except (ApproxmmError, ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise DataError(f"{os.fspath(path)} holds no sound {cls.__name__} ({reason}); save it again") from error
    return estimator


def _plain_parameters(estimator: Any) -> dict[str, Any]:
    """Return the constructor's parameters as JSON holds them; a built method by its name and options."""
    parameters = estimator.get_params(deep=False)
    if isinstance(parameters["method"], Method):
        described = parameters["method"].describe()
        parameters |= {"method": described.pop("name"), "budget": described.pop("budget"), "method_options": described}
    if not isinstance(parameters["random_state"], (int, np.integer)):
        parameters["random_state"] = None  # the seed in use is saved
    kept = {name: value for name, value in parameters.items() if name not in _NOT_SAVED}
    return {name: _plain(name, value) for name, value in kept.items()}


def _plain(name: str, value: Any) -> Any:
    """Return a parameter's value as plain Python, or raise InputError."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, (set, frozenset)):
        value = sorted(value)
    if isinstance(value, (tuple, list)):
        return [_plain(name, item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(name, item) for key, item in value.items()}
    if not isinstance(value, _PLAIN):
        raise InputError(
            f"{name}={value!r} cannot be saved in a file of plain arrays; use set_params({name}=…) with a plain value"
        )
    return value


def _description(arrays: dict[str, np.ndarray], cls: type, path: str) -> dict[str, Any]:
    """Return the description of an estimator of this class."""
    text = arrays.get(_PREFIX + "description")
    if text is None:
        raise DataError(f"{path} holds no estimator; Network.load and read_model read networks alone")
    if text.dtype.kind != "U" or text.ndim != 0 or text.nbytes > 4 * _LONGEST:
        raise DataError(
            f"{path}: its description is an array of type {text.dtype} and shape {text.shape}, not one text"
        )
    try:
        description = json.loads(str(text))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: its description is no JSON document ({error}); save the estimator again") from error
    if not isinstance(description, dict) or description.get("format") != _FORMAT:
        raise DataError(
            f"{path}: its description is not of format {_FORMAT}, which this version reads; update approxmm"
        )
    if description.get("class") != cls.__name__:
        name = str(description.get("class"))[:60]
        raise DataError(f"{path} holds a {name}, not a {cls.__name__}; load it by the class that it was saved from")
    found: dict[str, Any] = description
    return found


def _parameters(cls: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Return the constructor's arguments."""
    unknown = sorted(set(values) - set(cls._get_param_names()))
    if unknown:
        raise DataError(f"parameter {str(unknown[0])[:60]!r} is unknown")
    values = dict(values)
    for name in ("hidden_layer_sizes", "measure_at"):
        if isinstance(values.get(name), list):
            values[name] = tuple(values[name])
    return values


def _fill(estimator: Any, network: Network, description: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Make an estimator fitted. What the file claims of its memory is held against the method when training goes on."""
    for name in _FITTED:
        setattr(estimator, name, _fitted_value(name, description["fitted"][name]))
    estimator.profiles_ = [profile_from_state(state) for state in description.get("profiles", ())]
    check_same_network(estimator.get_params(deep=False), network)
    if estimator.n_outputs_ != network.widths[-1]:
        raise DataError(f"it speaks of {estimator.n_outputs_} outputs, the network has {network.widths[-1]}")
    estimator.n_features_in_ = network.widths[0]
    names = description["feature_names"]
    if names:
        if len(names) != network.widths[0] or not all(isinstance(name, str) for name in names):
            raise DataError(f"it has {len(names)} names for {network.widths[0]} features")
        estimator.feature_names_in_ = np.array(names, dtype=object)
    own = {name.removeprefix(_PREFIX): array for name, array in arrays.items() if name.startswith(_PREFIX)}
    estimator._take_own(description["own"], own)
    kept = {name.removeprefix(_ARRAY): array for name, array in arrays.items() if name.startswith(_ARRAY)}
    seed, limit = description["seed"], description["limit"]
    if type(seed) is not int or not 0 <= seed < 2**32 or type(limit) is not float or not limit > 0:
        raise DataError(f"its seed is {str(seed)[:40]}, and its loss ends at {str(limit)[:40]}")
    recipe = estimator._recipe_of_file(network, seed, limit)
    estimator._take(network, _predictor(network, arrays), None, Memory(recipe, _position(description), kept))


def _predictor(network: Network, arrays: dict[str, np.ndarray]) -> Network:
    """Return the network that predicts: the trained one, unless the file has other weights for it."""
    names = [f"{_EXACT}{k}" for k in range(1, network.depth + 1)]
    if names[0] not in arrays:
        return network
    predictor = replace(network, weights=tuple(arrays[name] for name in names))
    if predictor.widths != network.widths or predictor.dtype != network.dtype:
        raise DataError(f"its weights for predictions are of {predictor!r}, those that were trained of {network!r}")
    return predictor


def _position(description: dict[str, Any]) -> Position:
    """Return how far training had come: whole epochs."""
    position = Position.of(description["position"])
    if position.step:
        raise DataError(f"it ends amid an epoch, at step {position.step}")
    return position


def _fitted_value(name: str, value: Any) -> Any:
    """Return a fitted attribute's value, or raise DataError if it is of no such kind."""
    numbers = value if isinstance(value, list) else [value]
    if name == "status_":
        fits = isinstance(value, str) and len(value) < 40
    else:
        fits = all(type(number) in (int, float) for number in numbers) or (value is None and "validation" in name)
    if not fits or isinstance(value, list) != (name in ("loss_curve_", "validation_scores_") and value is not None):
        raise DataError(f"{name} is {str(value)[:60]!r}")
    return value
