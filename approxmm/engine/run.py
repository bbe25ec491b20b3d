"""A training run: steps, what is watched on the way, what is kept, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from approxmm.engine.curves import Curves
from approxmm.engine.evaluate import accuracy
from approxmm.engine.keep import Kept
from approxmm.engine.loop import Loop, Position
from approxmm.engine.measure import measure
from approxmm.engine.plan import Plan
from approxmm.engine.session import Session
from approxmm.engine.settings import schedule_factors
from approxmm.profile import ErrorProfile

__all__ = ["Examples", "Hooks", "Progress", "Run", "Score"]

Examples = tuple[np.ndarray, np.ndarray]
Score = Callable[[Session, np.ndarray, np.ndarray, bool], float]


@dataclass(frozen=True)
class Progress:
    """Where a run is: steps done of all, and the latest figures."""

    step: int
    steps: int
    epoch: int
    loss: float
    validation_accuracy: float | None


@dataclass(frozen=True)
class Hooks:
    """What a run calls.

    Parameters
    ----------
    progress : callable, optional
        Called with a `Progress` several times a second. It may end the run by raising KeyboardInterrupt.
    stop : callable, optional
        Asked after each chunk of steps (at most 0.2 seconds) whether to end the run.
    notify : callable, optional
        Given one line about what went wrong without ending the run.
    """

    progress: Callable[[Progress], None] | None = None
    stop: Callable[[], bool] | None = None
    notify: Callable[[str], None] | None = None


class Run:
    """Trains a session over some examples.

    Parameters
    ----------
    session : Session
    train : pair of arrays
        Inputs of the session's dtype, and classes or target vectors.
    validation : pair of arrays, optional
        Without it nothing is scored, and the last parameters are kept.
    plan : Plan
    hooks : Hooks
    score : callable
        ``score(session, x, y, sampled)``, larger is better; accuracy by default.
    position : Position, optional
        Where to begin: what the session has behind it. Step numbers and orders of examples go on from
        there.

    Attributes
    ----------
    status : {"finished", "diverged", "interrupted"}
        After `train`.
    curves : Curves
    profiles : list of ErrorProfile
    best, good : Kept
        The epoch with the best score, and the last good parameters before the present ones.
    """

    def __init__(
        self,
        session: Session,
        train: Examples,
        validation: Examples | None,
        plan: Plan,
        hooks: Hooks | None = None,
        score: Score = accuracy,
        position: Position | None = None,
    ) -> None:
        self.session, self.validation, self.plan = session, validation, plan
        self.hooks, self.score = hooks or Hooks(), score
        self.loop = Loop(session, *train, self._rates, position)
        self.curves, self.profiles = Curves(), list[ErrorProfile]()
        self.best, self.good = Kept(), Kept()
        self.status = "finished"
        self.whole = True  # False while arrays, position and curves may not belong together
        self.seconds = {"evaluation": 0.0, "measurement": 0.0}
        self.after_chunk: Callable[[bool], None] | None = None

    @property
    def at(self) -> Position:
        """How far the run has come."""
        return self.loop.at

    def train(self) -> str:
        """Train to the end of the plan; return the status.

        KeyboardInterrupt, and a `stop` that says so, end it with what was trained so far.
        """
        self.status = "finished"
        try:
            if self.at.taken == 0 and self.plan.measure_every is not None and not self.profiles:
                self.profiles.append(self.measured())
            if not self.good.taken:
                self.good.take(self.session, self.at)
            if not self._measure_if_due():  # also where a run was stopped before it
                return self._diverged()
            while self.at.epoch < self.plan.epochs and not self._out_of_patience():
                if not self._advance():
                    return self._diverged()
                if self.hooks.stop is not None and self.hooks.stop() and self.at.epoch < self.plan.epochs:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            self.status = "interrupted"
        return self.status

    def _diverged(self) -> str:
        self.status = "diverged"
        self.good.put_back(self.session)
        return self.status

    def put_back_kept(self) -> str:
        """Give the session the network that the plan wants kept; return ``best`` or ``last`` (or ``good``)."""
        if self.status == "diverged":
            return "good"
        if self.plan.keep == "best" and self.best.taken:
            if not self.best.is_now(self.at):
                self.best.put_back(self.session)
            return "best"
        return "last"

    def measured(self) -> ErrorProfile:
        """Return the compounding of error with the present parameters."""
        assert self.validation is not None
        with self._timed("measurement"):
            probe, targets = (part[: self.plan.probe] for part in self.validation)
            return measure(self.session, probe, step=self.at.taken, targets=targets)

    def _advance(self) -> bool:
        """Take some steps and what is due after them; return False if the loss or the parameters exploded."""
        at = self.at
        # A run may have been stopped between a step and what is due after it.
        if at.step < self.loop.steps and not self._evaluation_due():
            with self._indivisible():
                good = self.loop.advance(self._next_event())
            if not good:
                return False
            self._report()
        if self._evaluation_due() and not self._evaluate():
            return False
        if not self._measure_if_due():
            return False
        ended = at.step == self.loop.steps
        if ended and not self._end_epoch():
            return False
        if self.after_chunk is not None:
            self.after_chunk(ended)
        return True

    def _next_event(self) -> int:
        """Return the step of the epoch at which something besides steps happens next."""
        every, at = self.plan.evaluate_every, self.at
        evaluation = [] if every is None else [at.taken + every - at.taken % every]
        return self.loop.next_of([*self.plan.measure_at, *evaluation])

    def _measure_if_due(self) -> bool:
        """Measure if the present step was chosen for it; return False if the parameters exploded."""
        taken = self.at.taken
        if taken not in self.plan.measure_at or self._measured(taken):
            return True
        if not self._finite():
            return False
        profile = self.measured()
        with self._indivisible():
            self.profiles.append(profile)
        return True

    def _measured(self, step: int) -> bool:
        return any(profile.settings["step"] == step for profile in self.profiles)

    def _evaluation_due(self) -> bool:
        every, done = self.plan.evaluate_every, self.curves.evaluations["step"]
        taken = self.at.taken
        return every is not None and taken > 0 and taken % every == 0 and done[-1:] != [taken]

    def _evaluate(self) -> bool:
        at, every = self.at, self.plan.evaluate_every
        assert every is not None
        if not self._finite():
            return False
        loss = float(self.loop.losses[max(0, at.step - every) : at.step].mean())
        score = self._score(self.plan.evaluate_on)
        with self._indivisible():
            self.curves.evaluated(at, loss, score)
            self.good.take(self.session, at, score)
        return True

    def _end_epoch(self) -> bool:
        if not self._finite():
            return False
        score, every, next_epoch = self._score(), self.plan.measure_every, self.at.epoch + 1
        due = every is not None and next_epoch % every == 0 and next_epoch < self.plan.epochs
        profile = self.measured() if due and not self._measured(self.at.taken) else None
        with self._indivisible():
            loss = self.loop.end_epoch()
            self.curves.end_epoch(self.at, loss, score)
            self.profiles += [profile] if profile is not None else []
            self.good.take(self.session, self.at, score)
            if self.validation is not None and not score <= self.best.score:  # also where there is none yet (NaN)
                self.best.take(self.session, self.at, score)
        return True

    def _score(self, examples: int | None = None) -> float:
        if self.validation is None:
            return float("nan")
        x, y = self.validation
        with self._timed("evaluation"):
            return self.score(self.session, x[:examples], y[:examples], self.plan.validate == "sampled")

    def _finite(self) -> bool:
        """Whether the last update left numbers: the loss shows it only at the next step."""
        return self.session.finite()

    def _out_of_patience(self) -> bool:
        return (
            self.plan.patience is not None and self.best.taken and self.at.epoch - self.best.epoch >= self.plan.patience
        )

    def _rates(self, first: int, stop: int) -> np.ndarray:
        factors = schedule_factors(self.plan.schedule, first, stop, self.plan.epochs * self.loop.steps)
        return self.session.optimizer.lr * factors

    def _report(self) -> None:
        if self.hooks.progress is not None:
            at, scores = self.at, self.curves.epochs["validation_accuracy"]
            steps = self.loop.steps * self.plan.epochs
            latest = scores[-1] if scores else None
            self.hooks.progress(Progress(at.taken, steps, at.epoch + 1, float(self.loop.losses[at.step - 1]), latest))

    @contextmanager
    def _indivisible(self) -> Iterator[None]:
        self.whole = False
        yield
        self.whole = True

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[what] += time.perf_counter() - started
