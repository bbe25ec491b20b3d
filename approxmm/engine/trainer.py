"""Training with sampled products: a data set, a method and settings in; a result out."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, Unpack

import numpy as np

from approxmm.atomic import check_writable
from approxmm.data.dataset import Dataset
from approxmm.data.standardise import check_dtype
from approxmm.engine.accounting import (
    active_fractions,
    count_multiplications,
    memory_by_part,
    peak_memory_mb,
    seconds_by_phase,
)
from approxmm.engine.checks import check_dataset, check_fit
from approxmm.engine.evaluate import confusion_counts
from approxmm.engine.keywords import Keywords, of_plan, of_recipe, with_keywords
from approxmm.engine.paths import make_session
from approxmm.engine.plan import Plan
from approxmm.engine.recipe import Recipe, check_counts
from approxmm.engine.result import TrainingResult
from approxmm.engine.run import Examples, Hooks, Progress, Run
from approxmm.engine.saving import Saver
from approxmm.engine.session import Session
from approxmm.engine.threads import useful_threads
from approxmm.errors import InputError
from approxmm.methods.contract import Method
from approxmm.network import Network
from approxmm.parallel import single_threaded_blas

__all__ = ["train"]

_FREE = ("checkpoint", "checkpoint_seconds", "resume")  # not settings of the run, but where its state is kept


@with_keywords
def train(
    data: Dataset,
    method: Method,
    *,
    depth: int = 3,
    width: int = 1000,
    activation: str = "relu",
    normalise: str = "none",
    init: str = "he",
    network: Network | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    notify: Callable[[str], None] | None = None,
    **settings: Unpack[Keywords],
) -> TrainingResult:
    """Train a classifier whose products are sampled by `method`, with softmax cross-entropy.

    All products but the output layer's are sampled; gradients flow through the sampled entries.

    Parameters
    ----------
    data : Dataset
    method : Method
    depth, width : int
        Hidden layers and their size.
    activation : str
    normalise : {"none", "rms"}
        Whether hidden outputs are divided by their root mean square.
    init : str
        Initialiser of the weights; see `get_initialiser`.
    network : Network, optional
        Start from these parameters instead (depth, width, activation, normalise, init are then its own).
    progress, stop, notify : callable, optional
        See `Hooks`. Without `notify`, what goes wrong without ending the run is a RuntimeWarning.
    **settings
        How a step is taken (optimizer … asynchronous: see `Recipe`; the seed is also that of the weights) and what is
        done besides (epochs … resume: see `Plan`).

    Returns
    -------
    TrainingResult
        Ctrl-C ends the run early with what was trained (status ``interrupted``); a loss that is not finite (or beyond
        10^9) ends it with the last good parameters (status ``diverged``). With the same settings and seed the result is
        the same to the bit, on any number of threads, and whether the run was interrupted and resumed or not.

    Raises
    ------
    InputError
        If an argument is out of range or unknown.
    DataError
        If the data cannot be learned from, or a checkpoint is damaged.
    """
    check_counts(depth=depth, width=width)
    plan, of_step = _divided(settings)
    check_dataset(data)
    widths = [data.features, *[width] * depth, len(data.classes)]
    start = network or Network.random(
        widths,
        activation=activation,
        init=init,
        seed=of_step.get("seed", 0),
        dtype=of_step["dtype"],
        normalise=normalise,
    )
    check_fit(start, data)
    of_step["batch"] = min(of_step.get("batch", Recipe.batch), len(data.train))
    if of_step.get("threads") is None:
        of_step["threads"] = useful_threads(start, of_step["batch"], of_step.get("asynchronous", False))
    recipe = Recipe(method, **of_step)
    described = _described(data, start, init if network is None else "given network", recipe, plan)
    said: list[str] = []
    hooks = Hooks(progress, stop, _noted(said, notify))
    with single_threaded_blas():
        session = make_session(start, recipe)
        del start, network  # the session has a copy
        return _Training(session, data, plan, hooks, described, said).result()


def _divided(settings: Mapping[str, Any]) -> tuple[Plan, dict[str, Any]]:
    """Return the plan, and what is left for the recipe."""
    for_plan, for_recipe = ([field.name for field in found] for found in (of_plan(), of_recipe()))
    known = list(inspect.signature(train).parameters)
    for name in settings:
        if name not in for_plan + for_recipe:
            close = get_close_matches(name, known, n=1)
            remedy = f"did you mean {close[0]!r}?" if close else f"it takes {', '.join(known)}"
            raise InputError(f"{name}={settings[name]!r}: train has no such argument; {remedy}")
    plan = Plan(**{name: value for name, value in settings.items() if name in for_plan})
    # None stands for the default, as for threads.
    recipe = {name: value for name, value in settings.items() if name in for_recipe and value is not None}
    check_counts(**{name: recipe[name] for name in ("batch", "threads") if name in recipe})
    recipe["dtype"] = check_dtype(recipe.get("dtype", np.float32))
    return plan, recipe


def _noted(said: list[str], notify: Callable[[str], None] | None) -> Callable[[str], None]:
    def note(message: str) -> None:
        said.append(message)
        if notify is None:
            warnings.warn(message, RuntimeWarning, stacklevel=2)
        else:
            notify(message)

    return note


class _Training:
    """One call of `train`, between its checked arguments and its result."""

    def __init__(
        self, session: Session, data: Dataset, plan: Plan, hooks: Hooks, settings: dict[str, Any], said: list[str]
    ) -> None:
        self.session, self.data, self.plan = session, data, plan
        self.settings, self.said = settings, said
        self.run = Run(session, self._part("train"), self._part("validation"), plan, hooks)
        steps = self.run.loop.steps * plan.epochs
        if plan.measure_at and plan.measure_at[-1] > steps:
            raise InputError(
                f"measure_at={plan.measure_at[-1]}: the run ends after {steps} steps ({self.run.loop.steps} an epoch); "
                "measure earlier, or train for more epochs"
            )

    def result(self) -> TrainingResult:
        saver = None
        if self.plan.checkpoint is not None:
            check_writable(self.plan.checkpoint)
            saver = Saver(self.run, self.settings)
            saver.begin()
        self.run.train()
        if saver is not None:
            saver.finish()
        which = self.run.put_back_kept()
        if self.plan.measure_every is not None and self.run.status != "diverged":
            self.run.profiles.append(self.run.measured())
        return self._summary(which)

    def _part(self, name: str) -> Examples:
        split = getattr(self.data, name)
        return split.x.astype(self.session.dtype, copy=False), split.y

    def _evaluated(self, name: str) -> list[np.ndarray]:
        """Return confusion counts of a split by exact and by sampled products, which may be the same."""
        sampled = (False, True) if self.session.sampled_layers else (False,)
        counts = [confusion_counts(self.session, *self._part(name), len(self.data.classes), by) for by in sampled]
        return [counts[0], counts[-1]]

    def _summary(self, which: str) -> TrainingResult:
        run, session, at = self.run, self.session, self.run.at
        kept = {"best": run.best, "good": run.good}.get(which)
        place = {"epoch": kept.epoch, "step": kept.step} if kept else {"epoch": at.epoch, "step": at.taken}
        counts = count_multiplications(session, at)
        confusion, validation = self._evaluated("test"), self._evaluated("validation")
        return TrainingResult(
            status=run.status,
            path=session.path,
            network=session.network(copy=False),  # the session ends here
            kept={"which": which, **place},
            test_accuracy=_share_right(confusion[0]),
            validation_accuracy=_share_right(validation[0]),
            test_accuracy_sampled=_share_right(confusion[1]),
            validation_accuracy_sampled=_share_right(validation[1]),
            epochs=at.epoch,
            steps=at.taken,
            examples=at.examples,
            seconds=at.seconds,
            examples_per_second=at.timed / at.seconds if at.seconds else 0.0,
            multiplications_fraction=_fraction(counts),
            multiplications=counts,
            active_fractions=active_fractions(session, at),
            phase_seconds=seconds_by_phase(session, at.seconds) | run.seconds,
            memory=memory_by_part(session),
            peak_memory_mb=peak_memory_mb(),
            time_to_accuracy=run.curves.time_to(),
            curves=run.curves.epochs,
            evaluations=run.curves.evaluations,
            confusion=confusion[0],
            confusion_sampled=confusion[1],
            classes=self.data.classes,
            profiles=run.profiles,
            settings=self.settings,
            warnings=self.said,
        )


def _share_right(confusion: np.ndarray) -> float:
    return float(np.trace(confusion) / confusion.sum())


def _fraction(counts: dict[str, dict[str, float]]) -> float:
    dense = sum(counts["dense"].values())
    return sum(counts["done"].values()) / dense if dense else 1.0


def _described(data: Dataset, network: Network, init: str, recipe: Recipe, plan: Plan) -> dict[str, Any]:
    """Return all settings as plain values: what a checkpoint is held against, and what a result states."""
    optimizer = recipe.optimizer
    plain = {field.name: getattr(recipe, field.name) for field in fields(recipe)} | {
        "method": recipe.method.describe(),
        "optimizer": {"name": type(optimizer).__name__.lower(), **optimizer._asdict()},
        "loss": type(recipe.loss).__name__,
        "dtype": np.dtype(recipe.dtype).name,
        "sampled": sorted(recipe.sampled),
    }
    besides = {field.name: getattr(plan, field.name) for field in fields(plan) if field.name not in _FREE}
    besides["measure_at"] = list(plan.measure_at)
    activation = network.activation if isinstance(network.activation, str) else list(network.activation)
    return {
        "data": data.name,
        "standardise": data.standardisation.kind,
        "standardisation": data.standardisation.description,
        "split": data.split_description,
        "widths": list(network.widths),
        "activation": activation,
        "normalise": network.normalise,
        "init": init,
        **plain,
        **besides,
    }
