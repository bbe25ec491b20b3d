"""Where a run is: epochs cut into chunks of compiled steps, their clock and their losses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields

import numpy as np

from approxmm.engine.session import Session
from approxmm.engine.steps import StepRange

__all__ = ["Loop", "Position"]

_CHUNK_SECONDS = 0.2  # how long compiled code runs before signals and the progress display get their turn


@dataclass
class Position:
    """How far a run has come.

    Attributes
    ----------
    epoch : int
        Completed epochs.
    step : int
        Steps taken in the present epoch.
    taken : int
        All steps taken.
    examples : int
        All examples that these steps were given.
    seconds : float
        Of the steps alone, without the first of each process, which compiles.
    timed : int
        Examples of the steps that the seconds are of.
    """

    epoch: int = 0
    step: int = 0
    taken: int = 0
    examples: int = 0
    seconds: float = 0.0
    timed: int = 0

    def to_dict(self) -> dict[str, float]:
        """Return plain numbers."""
        return asdict(self)

    @classmethod
    def of(cls, numbers: dict[str, float]) -> Position:
        """Return the position that `to_dict` was made of; ValueError if it is none."""
        kinds = {field.name: float if field.name == "seconds" else int for field in fields(cls)}
        if set(numbers) != set(kinds) or not all(type(numbers[n]) in (int, kinds[n]) for n in kinds):
            raise ValueError(f"a position has the numbers {', '.join(kinds)}")
        if not all(0 <= numbers[n] < 2**63 for n in kinds):
            raise ValueError("a position's numbers are not negative")
        return cls(**{name: kind(numbers[name]) for name, kind in kinds.items()})  # type: ignore[arg-type]


class Loop:
    """Takes the steps of a session over some examples, epoch after epoch.

    Parameters
    ----------
    session : Session
    x : (N, n) array
        Of the session's dtype.
    y : (N,) or (N, C) array
        Classes or target vectors.
    rates : callable
        ``rates(first, stop)`` are the learning rates of the run's steps first … stop − 1.
    position : Position, optional
        Where to begin: epochs and steps that the session has behind it.
    """

    def __init__(
        self,
        session: Session,
        x: np.ndarray,
        y: np.ndarray,
        rates: Callable[[int, int], np.ndarray],
        position: Position | None = None,
    ) -> None:
        self.session, self.x, self.y, self.rates = session, x, y, rates
        self.at = position or Position()
        self.steps = -(-len(x) // session.batch)
        self.losses = np.zeros(self.steps)
        self._order: tuple[int, np.ndarray] | None = None
        self._chunk, self._first = 1, True

    def advance(self, stop: int) -> bool:
        """Take one chunk of steps, not beyond step `stop` of the epoch; return False if the loss exploded."""
        first, last = self.at.step, min(self.at.step + self._chunk, stop)
        before = self.at.taken - self.at.step
        steps = StepRange(self._epoch_order(), first, last, before, self.rates(before + first, before + last))
        phases = self.session.ledger.seconds
        before_first = phases.copy() if self._first else None
        started = time.perf_counter()
        taken = self.session.run(self.x, self.y, steps, self.losses)
        elapsed = time.perf_counter() - started
        if before_first is not None:
            phases[:] = before_first  # cold memory and code would stand for the whole run
        self._account(taken, elapsed)
        return taken == last - first

    def next_of(self, marks: Iterable[int]) -> int:
        """Return the step of the epoch at which the run has first taken one of these numbers of steps, or its end."""
        ahead = [mark - self.at.taken for mark in marks if mark > self.at.taken]
        return min([self.steps, *(self.at.step + steps for steps in ahead)])

    def end_epoch(self) -> float:
        """Count the epoch as complete; return the mean of its steps' losses."""
        loss = float(self.losses.mean())
        self.at.epoch, self.at.step = self.at.epoch + 1, 0
        return loss

    def _epoch_order(self) -> np.ndarray:
        if self._order is None or self._order[0] != self.at.epoch:
            self._order = self.at.epoch, self.session.epoch_order(len(self.x), self.at.epoch)
        return self._order[1]

    def _account(self, taken: int, elapsed: float) -> None:
        """Move on, and choose the next chunk's length; a process's first step pays for compilation."""
        batch = self.session.batch
        done = min((self.at.step + taken) * batch, len(self.x)) - self.at.step * batch if taken else 0
        self.at.step, self.at.taken, self.at.examples = (
            self.at.step + taken,
            self.at.taken + taken,
            self.at.examples + done,
        )
        if self._first:
            self._first = False
            return
        self.at.seconds, self.at.timed = self.at.seconds + elapsed, self.at.timed + done
        # Chunks only decide when Python gets its turn: results do not depend on them.
        self._chunk = max(1, int(_CHUNK_SECONDS * max(taken, 1) / max(elapsed, 1e-6)))
