"""Parameters worth keeping: the last good ones and the best."""

from __future__ import annotations

import math
from typing import Any

from approxmm.engine.loop import Position
from approxmm.engine.session import Session
from approxmm.engine.session_arrays import model_arrays
from approxmm.engine.snapshot import Snapshot

__all__ = ["Kept"]


class Kept:
    """What the network was at some time.

    Attributes
    ----------
    epoch, step : int
        Completed epochs and steps taken then.
    score : float
        Validation accuracy then; NaN if it was not known.
    """

    def __init__(self) -> None:
        self.epoch, self.step, self.score = 0, 0, math.nan
        self.snapshot = Snapshot()

    @property
    def taken(self) -> bool:
        """Whether anything is kept."""
        return self.snapshot.taken

    def take(self, session: Session, at: Position, score: float = math.nan) -> None:
        """Keep the session's present network, with the method's state that belongs to it."""
        self.snapshot.take(model_arrays(session))
        self.epoch, self.step, self.score = at.epoch, at.taken, score

    def put_back(self, session: Session) -> None:
        """Make it the session's network again."""
        self.snapshot.put_back(model_arrays(session))

    def is_now(self, at: Position) -> bool:
        """Whether it is of the present step, so that it need not be stored beside the present state."""
        return self.taken and self.step == at.taken

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"epoch": self.epoch, "step": self.step, "score": None if math.isnan(self.score) else self.score}
