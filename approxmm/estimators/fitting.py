"""One call of `fit` or `partial_fit`: epochs, what they are judged by, and when they end."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from approxmm.engine.loop import Loop
from approxmm.engine.settings import schedule_factors
from approxmm.engine.snapshot import Snapshot
from approxmm.estimators.measuring import Measuring
from approxmm.estimators.memory import Ongoing
from approxmm.estimators.settings import Stopping
from approxmm.parallel import single_threaded_blas

__all__ = ["EpochRecord", "Fitting"]


@dataclass(frozen=True)
class EpochRecord:
    """What a callback is given after an epoch.

    Attributes
    ----------
    epoch : int
        Epochs completed since the first fit, `n_iter_`.
    loss : float
        Mean over the epoch's steps.
    validation_score : float or None
        Of the examples that `early_stopping` holds out.
    estimator : SampledMLPClassifier or SampledMLPRegressor
        Fitted with what is trained so far.
    """

    epoch: int
    loss: float
    validation_score: float | None
    estimator: Any


class Fitting:
    """Trains an estimator's run for some epochs, and keeps the estimator's attributes true.

    Parameters
    ----------
    estimator : SampledMLPClassifier or SampledMLPRegressor
    run : Ongoing
    x, targets : (N, n) and (N,) or (N, C) arrays
        The training examples.
    measuring : Measuring
    held : callable, optional
        The score of a network on held-out examples: it then decides when to stop and which parameters to keep.
    """

    def __init__(
        self,
        estimator: Any,
        run: Ongoing,
        x: np.ndarray,
        targets: np.ndarray,
        measuring: Measuring,
        held: Callable[[Any], float] | None = None,
    ) -> None:
        self.estimator, self.run, self.measuring, self.held = estimator, run, measuring, held
        self.loop = Loop(run.session, x, targets, self._rates, run.position)
        self.first, self.total = run.position.taken, self.loop.steps
        self.good, self.best = Snapshot(), Snapshot()
        self.good_at, self.amid = replace(run.position), False  # amid: the arrays are not those of a complete epoch
        self.good_profiles = len(estimator.profiles_)
        self.stale = 0  # epochs without a gain

    def train(self, epochs: int, stopping: Stopping) -> None:
        """Take these epochs, or fewer; whatever happens, the estimator is left fitted with finite parameters.

        Raises
        ------
        Exception
            Whatever a callback raises, and KeyboardInterrupt.
        """
        estimator = self.estimator
        self.total = epochs * self.loop.steps
        if self.held is not None and estimator.best_validation_score_ > -math.inf:
            self.best.take(self.run.arrays())  # of an earlier call, which left the best ones
        try:
            with single_threaded_blas():
                estimator.status_ = self._epochs(epochs, stopping)
        except BaseException:
            estimator.status_ = "interrupted"
            raise
        finally:
            self._settle()
        self._warn(stopping)

    def _rates(self, first: int, stop: int) -> np.ndarray:
        lr = self.run.session.optimizer.lr
        schedule = self.estimator.schedule
        return np.asarray(lr * schedule_factors(schedule, first - self.first, stop - self.first, self.total))

    def _epochs(self, epochs: int, stopping: Stopping) -> str:
        for _ in range(epochs):
            if not self._epoch():
                return "diverged"
            self._judge(stopping)
            if self._called_back():
                return "stopped"
            if stopping.patience is not None and self.stale > stopping.patience:
                return "converged"
        return "finished"

    def _epoch(self) -> bool:
        """Take one epoch's steps; return False if they diverged (then the parameters are those before it)."""
        self.good.take(self.run.arrays())
        self.good_at, self.good_profiles, self.amid = replace(self.loop.at), len(self.estimator.profiles_), True
        if self.loop.at.taken == 0:
            self._measure_if_due()
        while self.loop.at.step < self.loop.steps:
            if not self.loop.advance(self.loop.next_of(self.measuring.at)) or not self._measure_if_due():
                return False
        if not self.run.finite():
            return False
        estimator, self.amid = self.estimator, False
        estimator.loss_ = self.loop.end_epoch()
        estimator.loss_curve_.append(estimator.loss_)
        estimator.n_iter_, estimator.t_ = self.loop.at.epoch, self.loop.at.examples
        return True

    def _measure_if_due(self) -> bool:
        """Measure if the present step was chosen for it; return False if the parameters exploded."""
        if not self.measuring.due(self.loop.at.taken):
            return True
        if not self.run.finite():
            return False
        self.estimator.profiles_.append(self.measuring.profile(self.run))
        return True

    def _judge(self, stopping: Stopping) -> None:
        """Count epochs without a gain: of the validation score if there is one, else of the loss."""
        estimator = self.estimator
        if self.held is None:
            self.stale = self.stale + 1 if estimator.loss_ > estimator.best_loss_ - stopping.tol else 0
            estimator.best_loss_ = min(estimator.best_loss_, estimator.loss_)
            return
        score = self.held(self.run.networks()[1])
        estimator.validation_scores_.append(score)
        self.stale = self.stale + 1 if score < estimator.best_validation_score_ + stopping.tol else 0
        if score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            self.best.take(self.run.arrays())

    def _called_back(self) -> bool:
        """Tell the user, and return whether a callback asks to stop."""
        estimator = self.estimator
        score = estimator.validation_scores_[-1] if self.held is not None else None
        if estimator.verbose:
            scored = "" if score is None else f", validation score = {score:.6f}"
            print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}{scored}")
        calls = estimator.callbacks or ()
        calls = (calls,) if callable(calls) else tuple(calls)
        if calls:
            estimator._publish(self.run)
        record = EpochRecord(estimator.n_iter_, estimator.loss_, score, estimator)
        answers = [call(record) for call in calls]
        return any(answer is True for answer in answers)

    def _settle(self) -> None:
        """Leave the best parameters, or those at the end of the last complete epoch."""
        if self.amid:
            self.run.restore(self.good.items())
            vars(self.loop.at).update(vars(self.good_at))
            del self.estimator.profiles_[self.good_profiles :]
        if self.best.taken:
            self.run.restore(self.best.items())
        self.estimator._publish(self.run)

    def _warn(self, stopping: Stopping) -> None:
        status, name = self.estimator.status_, type(self.estimator).__name__
        if status == "diverged":
            warnings.warn(
                f"{name}: the loss exploded in epoch {self.loop.at.epoch + 1}, and the parameters before it are kept; "
                f"lower learning_rate={self.run.session.optimizer.lr:g}, or scale the inputs (StandardScaler)",
                ConvergenceWarning,
                stacklevel=4,
            )
        elif status == "finished" and stopping.patience is not None:
            warnings.warn(
                f"{name}: max_iter={self.estimator.max_iter} epochs ended before the training stopped gaining "
                f"tol={stopping.tol:g}; raise max_iter, or set n_iter_no_change=None to train that many on purpose",
                ConvergenceWarning,
                stacklevel=4,
            )
