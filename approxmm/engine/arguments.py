"""A run's settings as plain values, names and numbers, and back: for presets, checkpoints and command lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from approxmm.engine.settings import make_optimizer
from approxmm.errors import InputError
from approxmm.methods.registry import get_method

__all__ = ["plain_settings", "train_arguments"]

_OF_OPTIMIZER = ("lr", "momentum", "beta1", "beta2", "eps", "weight_decay")
# Stated in a result's settings, but decided by others of them.
_DERIVED = ("standardisation", "split", "loss", "widths")
_VARIANTS = {("momentum", "nesterov"): "nesterov", ("adam", "lazy"): "lazy_adam"}


def train_arguments(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `train`, all but the data set, that plain values stand for.

    Parameters
    ----------
    plain : mapping
        ``method`` (a name), ``budget``, ``options`` (of the method); ``optimizer`` (a name) and its ``lr``,
        ``momentum``, ``beta1``, ``beta2``, ``eps``, ``weight_decay``; the others are arguments of `train` as they are.
        None stands for the default.

    Raises
    ------
    InputError
        If a name or value is not acceptable.
    """
    given = {name: value for name, value in plain.items() if value is not None}
    method = get_method(given.pop("method", "exact"), given.pop("budget", None), **given.pop("options", {}))
    of_rule = {name: given.pop(name) for name in _OF_OPTIMIZER if name in given}
    optimizer = make_optimizer(given.pop("optimizer", "adam"), **of_rule)
    if "sampled" in given:
        given["sampled"] = frozenset(given["sampled"])
    return {"method": method, "optimizer": optimizer, **given}


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values, ``data`` and ``standardise`` among them, of a result's or a checkpoint's settings.

    Raises
    ------
    InputError
        If no such values describe the run: hidden layers of unequal widths, several activations, given parameters.
    """
    plain = {name: value for name, value in settings.items() if name not in _DERIVED}
    hidden = settings["widths"][1:-1]
    if len(set(hidden)) != 1 or not isinstance(settings["activation"], str):
        raise InputError(
            f"a run with layers {settings['widths']} and activation {settings['activation']!r} was made with a network "
            "of its own; continue it from Python, with the same network"
        )
    method, rule = dict(settings["method"]), dict(settings["optimizer"])
    name, budget, rule_name = method.pop("name"), method.pop("budget"), rule.pop("name")
    for (of_rule, flag), variant in _VARIANTS.items():
        if of_rule == rule_name and rule.pop(flag):
            rule_name = variant
    numbers = {key: value for key, value in rule.items() if key in _OF_OPTIMIZER}
    described = {"method": name, "budget": budget, "options": method, "optimizer": rule_name, **numbers}
    return plain | described | {"depth": len(hidden), "width": hidden[0]}
