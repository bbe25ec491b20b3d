"""When a run's state is written to its checkpoint, and how a run gets it back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from approxmm.engine.accounting import ledger_sums, put_ledger_sums
from approxmm.engine.checkpoint import Checkpoint, check_same_run, fingerprint, read_checkpoint, write_checkpoint
from approxmm.engine.curves import Curves
from approxmm.engine.keep import Kept
from approxmm.engine.loop import Position
from approxmm.engine.profile_state import profile_from_state, profile_state
from approxmm.engine.run import Run
from approxmm.engine.session_arrays import restore_arrays, session_arrays
from approxmm.errors import ApproxmmError, DataError, InputError

__all__ = ["Saver"]

_SHARE = 0.05  # of the time that checkpoints at the ends of short epochs may take


class Saver:
    """Keeps a run's checkpoint.

    Parameters
    ----------
    run : Run
        Whose plan names the file.
    settings : dict
        What the run was made with; a checkpoint is continued only by a run with the same.
    """

    def __init__(self, run: Run, settings: dict[str, Any]) -> None:
        assert run.plan.checkpoint is not None
        self.run, self.settings, self.path = run, settings, Path(run.plan.checkpoint)
        self._kept = {"good": run.good, "best": run.best}
        pairs = [(run.loop.x, run.loop.y), *([] if run.validation is None else [run.validation])]
        self._examples = fingerprint(*(array for pair in pairs for array in pair))
        self._saved_at, self._cost, self._failed = time.perf_counter(), 0.0, False

    def begin(self) -> None:
        """Continue from the file if the plan says so; else write the first checkpoint, which shows whether it fits.

        Raises
        ------
        MissingError, DataError, InputError
            If there is nothing to continue from, if it is damaged, if it is of another run, or if there is a file
            already that the plan does not say to continue.
        """
        if self.run.plan.resume:
            self._restore(read_checkpoint(self.path))
        elif self.path.exists():
            raise InputError(
                f"checkpoint {self.path} exists; continue it with resume (--resume), remove it, or name another file"
            )
        else:
            self.run.good.take(self.run.session, self.run.at)
            self.save()
        self.run.after_chunk = self.save_if_due

    def save_if_due(self, ended: bool) -> None:
        """Write a checkpoint if the last one is old; at an epoch's end unless writing takes too much of the time."""
        since = time.perf_counter() - self._saved_at
        if since >= self.run.plan.checkpoint_seconds or (ended and since * _SHARE >= self._cost):
            self.save()

    def save(self) -> bool:
        """Write a checkpoint; a failure is said, and leaves the one before."""
        started = time.perf_counter()
        try:
            write_checkpoint(self.path, self._about(), self._arrays())
        except (ApproxmmError, OSError) as error:
            reason = getattr(error, "strerror", None) or error  # without the number that the system has for it
            self._say(f"checkpoint {self.path} not written, training goes on: {reason}")
            return False
        finally:
            self._saved_at = time.perf_counter()
            self._cost = self._saved_at - started
        self._failed = False
        return True

    def finish(self) -> None:
        """Write the state that an ended run leaves, unless it is not a good one."""
        if self.run.status != "diverged" and self.run.whole:
            self.save()
        elif not self.run.whole:
            self._say(f"stopped inside a step; checkpoint {self.path} is of an earlier one")

    def _say(self, message: str) -> None:
        if not self._failed and self.run.hooks.notify is not None:
            self.run.hooks.notify(message)
        self._failed = True

    def _about(self) -> dict[str, Any]:
        run = self.run
        return {
            "settings": self.settings,
            "examples": self._examples,
            "position": run.at.to_dict(),
            "curves": run.curves.to_dict(),
            "profiles": [profile_state(profile) for profile in run.profiles],
            "kept": {name: kept.to_dict() for name, kept in self._kept.items() if kept.taken},
        }

    def _arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        for name, array in session_arrays(self.run.session).items():
            yield f"session.{name}", array
        yield "losses", self.run.loop.losses
        yield from ledger_sums(self.run.session).items()
        for part, kept in self._kept.items():
            if kept.taken and not kept.is_now(self.run.at):
                for name, array in kept.snapshot.items():
                    yield f"{part}.{name}", array

    def _restore(self, found: Checkpoint) -> None:
        check_same_run(found, self.settings, self._examples)
        with _damage_named(found.path):
            self._restore_figures(found)
        if self.run.at.epoch > self.run.plan.epochs:
            raise InputError(
                f"epochs={self.run.plan.epochs}: the run of checkpoint {found.path} has completed {self.run.at.epoch}; "
                "ask for as many or more"
            )
        with _damage_named(found.path):
            self._restore_arrays(found)

    def _restore_figures(self, found: Checkpoint) -> None:
        run, about = self.run, found.about
        at = Position.of(about["position"])
        if at.step > run.loop.steps or at.taken < at.step:
            raise ValueError(f"it stands at step {at.step} of epoch {at.epoch + 1}, which this run has not")
        run.loop.at, run.curves = at, Curves.of(about["curves"])
        run.profiles = [profile_from_state(state) for state in about["profiles"]]

    def _restore_arrays(self, found: Checkpoint) -> None:
        run = self.run
        present = found.part("session")
        missing = sorted(set(session_arrays(run.session)) - set(present))
        if missing:
            raise ValueError(f"array {missing[0]!r} is missing")
        losses = found.arrays["losses"]
        if losses.shape != run.loop.losses.shape or losses.dtype != np.float64:
            raise ValueError("the losses of its epoch do not fit")
        put_ledger_sums(run.session, found.arrays)
        for name, figures in found.about["kept"].items():
            self._restore_kept(self._kept[name], found.part(name) or present, figures)
        restore_arrays(run.session, present)
        run.loop.losses[:] = losses

    def _restore_kept(self, kept: Kept, arrays: dict[str, np.ndarray], figures: dict[str, Any]) -> None:
        restore_arrays(self.run.session, arrays)
        score = figures["score"]
        at = Position(epoch=int(figures["epoch"]), taken=int(figures["step"]))
        kept.take(self.run.session, at, float("nan") if score is None else float(score))


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turn whatever a file's content makes fail into one line."""
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"checkpoint {path} is damaged: {reason}; use an earlier one, or begin anew") from error
