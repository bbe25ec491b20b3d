"""The keywords of `train`: one list for type checkers, `help` and the errors of misspelt ones."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any, get_type_hints

import pytest

import approxmm
from approxmm.data import load_data
from approxmm.engine import Plan, Recipe, train
from approxmm.engine.keywords import Keywords, of_plan, of_recipe
from approxmm.errors import InputError
from approxmm.methods import get_method


def test_keywords_are_the_fields_of_recipe_and_plan() -> None:
    """Names and types; a part of a recipe may also be None, which stands for its default."""
    assert [field.name for field in of_recipe()] == [f.name for f in fields(Recipe) if f.name not in ("method", "loss")]
    assert [field.name for field in of_plan()] == [f.name for f in fields(Plan)]
    declared, recipe, plan = (get_type_hints(kind) for kind in (Keywords, Recipe, Plan))
    expected: dict[str, Any] = {field.name: recipe[field.name] | None for field in of_recipe()}
    assert declared == expected | plan


def test_the_signature_of_train_names_them_with_their_defaults() -> None:
    parameters = inspect.signature(train).parameters
    assert set(Keywords.__annotations__) < set(parameters)
    assert all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    made = Plan()
    for name in ("epochs", "keep", "measure_at", "checkpoint_seconds"):
        assert parameters[name].default == getattr(made, name)
    recipe = Recipe(get_method("exact"))
    for name in ("optimizer", "batch", "sampled", "path"):
        assert parameters[name].default == getattr(recipe, name)
    assert parameters["threads"].default is None, "as many as are useful"


def test_misspelt_keywords_are_named() -> None:
    data: Any = load_data("digits")
    wrong: dict[str, Any] = {"epoch": 3}
    with pytest.raises(InputError, match="epoch=3: train has no such argument; did you mean 'epochs'"):
        train(data, get_method("exact"), **wrong)
    with pytest.raises(InputError, match="xyz=3: train has no such argument; it takes data, method, depth"):
        train(data, get_method("exact"), **{"xyz": 3})  # type: ignore[arg-type]


def test_presets_are_at_the_top() -> None:
    assert approxmm.preset("intended_dropout", epochs=2)["epochs"] == 2
    assert approxmm.get_preset("intended_dropout") is approxmm.PRESETS["intended_dropout"]
