"""What the classifier and the regressor share: parameters, the way a fit begins and goes on, pickling."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from approxmm.engine import Recipe
from approxmm.engine.losses import Loss
from approxmm.errors import InputError
from approxmm.estimators.compat import validate_data
from approxmm.estimators.files import load_estimator, save_estimator
from approxmm.estimators.fitting import Fitting
from approxmm.estimators.measuring import Measuring, steps_of
from approxmm.estimators.memory import Memory, Ongoing
from approxmm.estimators.prediction import outputs
from approxmm.estimators.settings import (
    Stopping,
    check_same_network,
    check_schedule,
    first_network,
    make_recipe,
    seed_of,
    stopping_of,
    useful_batch,
)
from approxmm.network import Network
from approxmm.profile import ErrorProfile

__all__ = ["SampledMLP"]


class SampledMLP(BaseEstimator):  # type: ignore[misc]
    """A multi-layer perceptron whose products are sampled while it trains; base of classifier and regressor.

    The parameters are those of `SampledMLPClassifier`.
    """

    network_: Network
    n_outputs_: int
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    profiles_: list[ErrorProfile]
    _ongoing: Ongoing | None
    _memory: Memory | None

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        method: Any = "exact",
        budget: Any = 0.1,
        method_options: dict[str, Any] | None = None,
        optimizer: str = "adam",
        learning_rate: float | None = None,
        weight_decay: float = 0.0,
        optimizer_options: dict[str, Any] | None = None,
        schedule: str = "constant",
        batch_size: int = 20,
        max_iter: int = 200,
        init: str = "he",
        normalise: str = "none",
        sampled: Any = None,
        independent: bool = False,
        path: str = "auto",
        asynchronous: bool = False,
        random_state: Any = None,
        tol: float = 1e-4,
        n_iter_no_change: int | None = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        threads: int | None = None,
        measure_at: Any = None,
        callbacks: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.method = method
        self.budget = budget
        self.method_options = method_options
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.optimizer_options = optimizer_options
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.init = init
        self.normalise = normalise
        self.sampled = sampled
        self.independent = independent
        self.path = path
        self.asynchronous = asynchronous
        self.random_state = random_state
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.threads = threads
        self.measure_at = measure_at
        self.callbacks = callbacks
        self.verbose = verbose

    def _loss_of(self, targets: np.ndarray) -> Loss:
        """Return the loss that is minimised, fixed by the first targets."""
        raise NotImplementedError

    def _hold_out(self, targets: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the examples to train on, and of the others."""
        raise NotImplementedError

    def _score_on(self, x: np.ndarray, targets: np.ndarray) -> Callable[[Network], float]:
        """Return the function that scores a network on these examples."""
        raise NotImplementedError

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Weights of every layer, (n_in, n_out) arrays of `network_`."""
        return list(self.network_.weights)

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Biases of every layer, (n_out,) arrays of `network_`."""
        return [self.network_.bias(k) for k in range(1, self.network_.depth + 1)]

    def save(self, path: str | os.PathLike[str], *, resumable: bool = True) -> None:
        """Write the fitted estimator to an `.npz` file of plain arrays, whole or not at all.

        `Network.load`, `read_model` and ``approxmm propagate`` read the network in it.

        Parameters
        ----------
        path : path-like
        resumable : bool
            Whether to write the optimiser's memory and the method's state too, so that `partial_fit` and ``warm_start``
            go on after `load` as if nothing had happened; for Adam that makes the file three times as long.

        Raises
        ------
        InputError
            If a parameter is not plain (`random_state` and `callbacks` are left out instead), or on errors of writing.
        sklearn.exceptions.NotFittedError
            If there is nothing to save.
        """
        check_is_fitted(self)
        save_estimator(self, path, resumable)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an estimator that `save` wrote; nothing is unpickled or executed.

        Raises
        ------
        MissingError, DataError
            If there is no such file, it is damaged or hostile, holds no estimator, or one of the other kind.
        """
        loaded: Self = load_estimator(cls, path)
        return loaded

    def _fit_epochs(self, x: np.ndarray, targets: np.ndarray, going_on: bool) -> Self:
        """Train for up to `max_iter` epochs, from the start or going on."""
        parameters = self.get_params(deep=False)
        check_schedule(parameters)
        stopping, steps = stopping_of(parameters), steps_of(self.measure_at)
        x = self._trainable(x, going_on)
        run = self._begin(x, targets, going_on)
        probe, held = (x, targets), None
        if self.early_stopping:
            train, others = self._hold_out(targets, run.session.seed)
            probe = x[others], targets[others]
            x, targets, held = x[train], targets[train], self._score_on(*probe)
        self._begin_records(going_on, self.early_stopping)
        Fitting(self, run, x, targets, Measuring.on(steps, *probe), held).train(self.max_iter, stopping)
        return self

    def _fit_once_more(self, x: np.ndarray, targets: np.ndarray, going_on: bool) -> Self:
        """Train for one epoch on perhaps new examples; nothing is held out, as in scikit-learn."""
        if self.schedule != "constant":
            raise InputError(
                f"schedule={self.schedule!r} needs an end, which partial_fit does not have; use 'constant'"
            )
        steps = steps_of(self.measure_at)
        x = self._trainable(x, going_on)
        run = self._begin(x, targets, going_on)
        self._begin_records(going_on, scored=False)
        Fitting(self, run, x, targets, Measuring.on(steps, x, targets)).train(1, Stopping(0.0, None))
        return self

    def _begin(self, x: np.ndarray, targets: np.ndarray, going_on: bool) -> Ongoing:
        """Return the run to train: a new one, or the one that the last fit left."""
        parameters = self.get_params(deep=False)
        if not going_on:
            seed = seed_of(self.random_state)
            network = first_network(parameters, x.shape[1], self.n_outputs_, seed)
            batch = useful_batch(parameters, len(x))
            return Ongoing.first(
                network, make_recipe(parameters, network, self._loss_of(targets), seed, x.dtype, batch)
            )
        network, kept = self.network_, self._ongoing or self._memory
        assert kept is not None  # what is fitted has either
        check_same_network(parameters, network)
        last = kept.recipe
        batch = useful_batch(parameters, len(x), last.batch)
        recipe = make_recipe(parameters, network, last.loss, last.seed, network.dtype, batch)
        return kept.under(network, recipe)

    def _begin_records(self, going_on: bool, scored: bool) -> None:
        """Set the attributes that epochs add to."""
        if not going_on:
            self.loss_, self.loss_curve_, self.n_iter_, self.t_, self.best_loss_ = math.nan, [], 0, 0, math.inf
            self.profiles_ = []
        if not going_on or (scored and self.validation_scores_ is None):
            self.validation_scores_ = [] if scored else None
            self.best_validation_score_ = -math.inf if scored else None

    def _goes_on(self) -> bool:
        """Whether `fit` continues what an earlier one left."""
        return bool(self.warm_start) and hasattr(self, "network_")

    def _trainable(self, x: np.ndarray, going_on: bool) -> np.ndarray:
        """Return the examples as compiled code takes them: C-ordered, writeable, of the fitted network's type."""
        x = np.ascontiguousarray(x, dtype=self.network_.dtype if going_on else x.dtype)
        return x if x.flags.writeable and x.flags.aligned else x.copy()

    def _own_description(self) -> dict[str, Any]:
        """Return what a file must say of this class alone, as plain values."""
        raise NotImplementedError

    def _own_arrays(self) -> dict[str, np.ndarray]:
        """Return this class's own fitted arrays for a file."""
        return {}

    def _take_own(self, description: Any, arrays: dict[str, np.ndarray]) -> None:
        """Set the attributes that the two functions above described; DataError if they are not sound."""
        raise NotImplementedError

    def _recipe_of_file(self, network: Network, seed: int, limit: float) -> Recipe:
        """Return the settings that a file's parameters mean."""
        parameters = self.get_params(deep=False)
        loss = self._loss_of(np.zeros((1, 1)))._replace(limit=limit)
        return make_recipe(parameters, network, loss, seed, network.dtype, useful_batch(parameters, 1))

    def _checked(self, x: Any, y: Any, reset: bool, **checks: Any) -> tuple[Any, Any]:
        x, y = validate_data(self, X=x, y=y, reset=reset, dtype=[np.float64, np.float32], order="C", **checks)
        return x, y

    def _publish(self, run: Ongoing) -> None:
        """Take over what a run has trained."""
        self._take(*run.networks(), run, None)

    def _take(self, trained: Network, predictor: Network, run: Ongoing | None, memory: Memory | None) -> None:
        """Set what is fitted; one of `run` and `memory` lets training go on."""
        self.network_, self._predictor, self._ongoing, self._memory = trained, predictor, run, memory
        self.n_layers_ = trained.depth + 1

    def _scores(self, x: Any) -> np.ndarray:
        """Return the network's outputs (N, C) by exact products."""
        check_is_fitted(self)
        x = validate_data(self, X=x, reset=False, dtype=[np.float64, np.float32], order="C")
        return outputs(self._predictor, x, self.threads)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: plain arrays in place of the session, whose workspace is as large as a batch."""
        state = dict(super().__getstate__())
        if state.get("_ongoing") is not None:
            state["_memory"], state["_ongoing"] = state["_ongoing"].memory(), None
        return state
