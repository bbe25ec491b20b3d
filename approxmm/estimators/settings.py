"""From an estimator's parameters, checked when it is fitted, to the engine's settings."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from approxmm.engine import Recipe, make_optimizer
from approxmm.engine.losses import Loss
from approxmm.engine.recipe import PRODUCTS
from approxmm.engine.settings import schedule_factors
from approxmm.engine.threads import useful_threads
from approxmm.errors import InputError
from approxmm.methods import Method, get_method
from approxmm.network import Network

__all__ = [
    "Stopping",
    "check_same_network",
    "check_schedule",
    "first_network",
    "hidden_widths",
    "make_recipe",
    "seed_of",
    "stopping_of",
    "useful_batch",
]

_SKLEARN_NAMES = {"identity": "linear", "logistic": "sigmoid"}


@dataclass(frozen=True)
class Stopping:
    """When training ends before its last epoch.

    Attributes
    ----------
    tol : float
        A smaller gain counts as none.
    patience : int or None
        Epochs without a gain that are put up with; None for all.
    """

    tol: float
    patience: int | None


def seed_of(random_state: Any) -> int:
    """Return the seed of weights, order and draws: an int is itself, anything else is asked for a number."""
    generator = check_random_state(random_state)
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(generator.randint(2**31 - 1))


def hidden_widths(sizes: Any) -> tuple[int, ...]:
    """Return the hidden layers' sizes as a tuple, given one number or any number of them."""
    widths = tuple(sizes) if isinstance(sizes, Iterable) and not isinstance(sizes, str) else (sizes,)
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 1 for n in widths):
        raise InputError(f"hidden_layer_sizes={sizes!r} must be integers of at least 1, such as (100,) or (200, 100)")
    return tuple(int(n) for n in widths)


def first_network(parameters: Mapping[str, Any], features: int, outputs: int, seed: int) -> Network:
    """Return the network that training starts from."""
    name = parameters["activation"]
    if not isinstance(name, str):
        raise InputError(f"activation={name!r} must be one name, such as 'relu': it serves all hidden layers")
    widths = [features, *hidden_widths(parameters["hidden_layer_sizes"]), outputs]
    name, init = _SKLEARN_NAMES.get(name, name), parameters["init"]
    return Network.random(widths, activation=name, init=init, seed=seed, normalise=parameters["normalise"])


def check_same_network(parameters: Mapping[str, Any], network: Network) -> None:
    """Raise InputError if the parameters ask for another network than the one that training is to go on with."""
    name = parameters["activation"]
    asked = {
        "hidden_layer_sizes": (hidden_widths(parameters["hidden_layer_sizes"]), network.widths[1:-1]),
        "activation": (_SKLEARN_NAMES.get(name, name), network.activation),
        "normalise": (parameters["normalise"], network.normalise),
    }
    for what, (wanted, fitted) in asked.items():
        if wanted != fitted:
            raise InputError(
                f"{what}={parameters[what]!r} is not what was fitted, {fitted!r}; set it back, or fit anew with "
                "warm_start=False"
            )


def useful_batch(parameters: Mapping[str, Any], examples: int, last: int = 0) -> int:
    """Return the examples a step: no more than there are, or those of the `last` fit if that makes the same steps."""
    size = parameters["batch_size"]
    _check_count("batch_size", size)
    least = min(int(size), max(examples, 2))  # one example a step is another path, which is not to be taken by chance
    return last if least <= last <= size else least


def make_recipe(
    parameters: Mapping[str, Any], network: Network, loss: Loss, seed: int, dtype: np.dtype, batch: int
) -> Recipe:
    """Return the settings of every step."""
    return Recipe(
        _method(parameters),
        _optimizer(parameters),
        loss=loss,
        batch=batch,
        seed=seed,
        dtype=dtype,
        threads=_threads(parameters, network, batch),
        sampled=_products(parameters["sampled"]),
        independent=bool(parameters["independent"]),
        path=parameters["path"],
        asynchronous=bool(parameters["asynchronous"]),
    )


def stopping_of(parameters: Mapping[str, Any]) -> Stopping:
    """Return when to stop early."""
    tol, patience = parameters["tol"], parameters["n_iter_no_change"]
    _check_number("tol", tol, 0.0, math.inf)
    if patience is not None and patience != math.inf:
        _check_count("n_iter_no_change", patience, "; None trains max_iter epochs")
    return Stopping(float(tol), None if patience is None or patience == math.inf else int(patience))


def check_schedule(parameters: Mapping[str, Any]) -> None:
    """Raise InputError unless the run's length, schedule and validation are possible."""
    _check_count("max_iter", parameters["max_iter"])
    schedule_factors(parameters["schedule"], 0, 1, 1)
    fraction = parameters["validation_fraction"]
    _check_number("validation_fraction", fraction, 0.0, 1.0)
    if parameters["early_stopping"] and fraction == 0.0:
        raise InputError("validation_fraction=0 leaves early_stopping nothing to watch; the default is 0.1")


def _products(sampled: Any) -> frozenset[str]:
    """Return the products that are sampled: all, or those named."""
    if sampled is None:
        return PRODUCTS
    return frozenset([sampled] if isinstance(sampled, str) else sampled)


def _method(parameters: Mapping[str, Any]) -> Method:
    method, options = parameters["method"], parameters["method_options"] or {}
    if isinstance(method, Method):
        if options:
            raise InputError(f"method={method.name!r} is built already; leave method_options out")
        return method
    if not isinstance(method, str):
        raise InputError(f"method={method!r} must be a name such as 'bernoulli', or what approxmm.get_method returns")
    return get_method(method, parameters["budget"], **options)


def _optimizer(parameters: Mapping[str, Any]) -> Any:
    rate, decay = parameters["learning_rate"], parameters["weight_decay"]
    if rate is not None:
        _check_number("learning_rate", rate, 0.0, math.inf)
    _check_number("weight_decay", decay, 0.0, math.inf)
    options = parameters["optimizer_options"] or {}
    return make_optimizer(parameters["optimizer"], rate, weight_decay=decay, **options)


def _threads(parameters: Mapping[str, Any], network: Network, batch: int) -> int:
    """Return the threads asked for, or as many as are useful; a worker of joblib takes its share of them only."""
    if parameters["threads"] is not None:
        return parameters["threads"]  # type: ignore[no-any-return] # checked by the recipe
    useful = useful_threads(network, batch, bool(parameters["asynchronous"]))
    granted = os.environ.get("OMP_NUM_THREADS", "")  # which joblib sets
    return max(1, min(useful, int(granted))) if granted.isdigit() else useful


def _check_number(name: str, value: Any, low: float, high: float) -> None:
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not low <= value < high:
        raise InputError(f"{name}={value!r} must be a number in [{low:g}, {high:g})")


def _check_count(name: str, value: Any, remedy: str = "") -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name}={value!r} must be an integer of at least 1{remedy}")
