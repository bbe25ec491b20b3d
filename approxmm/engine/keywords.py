"""The keywords of `train`, which are the fields of `Recipe` and `Plan`: for type checkers, editors and `help`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import numpy as np

from approxmm.engine.optimizers import Optimizer
from approxmm.engine.plan import Plan
from approxmm.engine.recipe import Path as StepPath
from approxmm.engine.recipe import Recipe

__all__ = ["Keywords", "of_plan", "of_recipe", "with_keywords"]

_DECIDED = ("method", "loss")  # fields of a recipe that are no keywords: the first argument, and what `train` decides
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Keywords(TypedDict, total=False):
    """Types of the fields of `Recipe` and `Plan`, which a type checker cannot read from there; None is the default."""

    optimizer: Optimizer | None
    batch: int | None
    seed: int | None
    dtype: np.dtype | type | None
    threads: int | None
    sampled: frozenset[str] | None
    independent: bool | None
    path: StepPath | None
    asynchronous: bool | None
    epochs: int
    schedule: str
    keep: str
    validate: str
    patience: int | None
    evaluate_every: int | None
    evaluate_on: int
    measure_every: int | None
    measure_at: Sequence[int]
    probe: int
    checkpoint: str | Path | None
    checkpoint_seconds: float
    resume: bool


def of_recipe() -> list[Field[Any]]:
    """Return the fields of a recipe that are keywords of `train`."""
    return [field for field in fields(Recipe) if field.name not in _DECIDED]


def of_plan() -> list[Field[Any]]:
    """Return the fields of a plan."""
    return list(fields(Plan))


def with_keywords(function: _Function) -> _Function:
    """Let `help` and `inspect.signature` show the keywords, with their defaults, in place of ``**settings``."""
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    parameters = [*own, *_parameters()]
    function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return function


def _parameters() -> Iterator[inspect.Parameter]:
    for field in (*of_recipe(), *of_plan()):
        default = field.default if field.default_factory is MISSING else field.default_factory()
        default = None if field.name == "threads" else default  # as many as are useful
        annotation = Keywords.__annotations__[field.name]
        annotation = getattr(annotation, "__forward_arg__", annotation)
        yield inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
