"""What a run does besides its steps: how long it trains, what it watches, what it keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from approxmm.engine.recipe import check_counts
from approxmm.engine.settings import schedule_factors
from approxmm.errors import InputError

__all__ = ["Plan", "checked_steps"]

_CHOICES = {"keep": ("best", "last"), "validate": ("exact", "sampled")}


@dataclass(frozen=True)
class Plan:
    """A run's length, and what is measured and kept on the way.

    Parameters
    ----------
    epochs : int
        Passes over the training examples.
    schedule : {"constant", "linear", "cosine", "step"}
        What becomes of the learning rate over the run; see `schedule_factors`.
    keep : {"best", "last"}
        Which parameters the run returns: those after the epoch with the best validation accuracy (the first of
        several), or the last ones. After divergence it is always the last good ones.
    validate : {"exact", "sampled"}
        The products that validation accuracy is computed by: exact ones, or the sampled path that was trained.
    patience : int, optional
        End the run after so many epochs without a better validation accuracy.
    evaluate_every : int, optional
        Also evaluate after every so many steps, on the first `evaluate_on` validation examples; not counted as time.
    evaluate_on : int
    measure_every : int, optional
        Measure the compounding of error every this many epochs, and at the start and the end; by default never.
    measure_at : iterable of int
        Also measure it when so many steps of the run have been taken: 0 is before the first.
    probe : int
        Validation examples it is measured on.
    checkpoint : path-like, optional
        File that holds all of the run's state: written at the end of epochs, in between, and at an interruption.
    checkpoint_seconds : float
        The least time from one checkpoint to the next; the first, an interruption's and the last are always written.
    resume : bool
        Continue from `checkpoint`, whose run must have had the same settings and examples. The results are those of a
        run that was never interrupted, to the bit (unless threads update asynchronously).

    Raises
    ------
    InputError
        If a number is out of range or a name is unknown.
    """

    epochs: int = 1
    schedule: str = "constant"
    keep: str = "best"
    validate: str = "exact"
    patience: int | None = None
    evaluate_every: int | None = None
    evaluate_on: int = 1000
    measure_every: int | None = None
    measure_at: Sequence[int] = ()
    probe: int = 500
    checkpoint: str | Path | None = None
    checkpoint_seconds: float = 60.0
    resume: bool = False

    def __post_init__(self) -> None:
        optional = {name: getattr(self, name) for name in ("patience", "evaluate_every", "measure_every")}
        given = {name: value for name, value in optional.items() if value is not None}
        check_counts(epochs=self.epochs, evaluate_on=self.evaluate_on, probe=self.probe, **given)
        object.__setattr__(self, "measure_at", checked_steps(self.measure_at))
        schedule_factors(self.schedule, 0, 1, 1)
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise InputError(f"{name}={getattr(self, name)!r} is unknown; choose one of {', '.join(known)}")
        if not self.checkpoint_seconds >= 0.0:
            raise InputError(f"checkpoint_seconds={self.checkpoint_seconds!r} must be a number of at least 0")
        if self.resume and self.checkpoint is None:
            raise InputError("resume=True needs a checkpoint to continue from; name its file with checkpoint")


def checked_steps(steps: Sequence[int]) -> tuple[int, ...]:
    """Return numbers of steps, increasing, each once; InputError if they are none."""
    given = list(steps) if isinstance(steps, Iterable) and not isinstance(steps, str) else [steps]
    if not all(isinstance(step, (int, np.integer)) and not isinstance(step, bool) and step >= 0 for step in given):
        raise InputError(f"measure_at={steps!r} must be numbers of steps, integers of at least 0, as in (0, 100, 1000)")
    return tuple(sorted({int(step) for step in given}))
