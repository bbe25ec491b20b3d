"""What a run learns over time: curves by epoch and, if asked for, by step; and how soon an accuracy is reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from approxmm.engine.loop import Position

__all__ = ["LEVELS", "Curves"]

LEVELS = (0.90, 0.95, 0.97)
_EPOCHS = ("epoch", "train_loss", "validation_accuracy", "seconds", "steps", "examples")
_EVALUATIONS = ("step", "examples", "seconds", "train_loss", "validation_accuracy")


def _empty(names: Sequence[str]) -> dict[str, list[float]]:
    return {name: [] for name in names}


@dataclass
class Curves:
    """Lists of equal length.

    Attributes
    ----------
    epochs : dict
        One entry an epoch: ``epoch``, ``train_loss`` (mean over the epoch's steps), ``validation_accuracy``, and
        since the beginning ``seconds``, ``steps`` and ``examples``.
    evaluations : dict
        One entry every `Plan.evaluate_every` steps: ``step``, ``examples``, ``seconds``, ``train_loss`` (mean of the
        epoch's steps since the last entry), ``validation_accuracy`` on a part of the validation examples.
    """

    epochs: dict[str, list[float]] = field(default_factory=lambda: _empty(_EPOCHS))
    evaluations: dict[str, list[float]] = field(default_factory=lambda: _empty(_EVALUATIONS))

    def end_epoch(self, at: Position, loss: float, score: float) -> None:
        """Add an epoch."""
        values = (at.epoch, loss, score, at.seconds, at.taken, at.examples)
        for name, value in zip(_EPOCHS, values, strict=True):
            self.epochs[name].append(value)

    def evaluated(self, at: Position, loss: float, score: float) -> None:
        """Add an evaluation between epochs."""
        for name, value in zip(_EVALUATIONS, (at.taken, at.examples, at.seconds, loss, score), strict=True):
            self.evaluations[name].append(value)

    def time_to(self, levels: Sequence[float] = LEVELS) -> dict[str, dict[str, float] | None]:
        """Return when each validation accuracy was first reached, from the finer curve if there is one.

        Returns
        -------
        dict
            By level, as text: ``examples`` and ``seconds`` of training until the first evaluation that reached it; None
            if none did.
        """
        curve = self.evaluations if self.evaluations["step"] else self.epochs
        reached: dict[str, dict[str, float] | None] = {}
        for level in levels:
            hit = next((i for i, score in enumerate(curve["validation_accuracy"]) if score >= level), None)
            reached[f"{level:g}"] = None if hit is None else {n: curve[n][hit] for n in ("examples", "seconds")}
        return reached

    def to_dict(self) -> dict[str, dict[str, list[float]]]:
        """Return plain lists."""
        return {"epochs": self.epochs, "evaluations": self.evaluations}

    @classmethod
    def of(cls, lists: dict[str, dict[str, list[float]]]) -> Curves:
        """Return the curves that `to_dict` was made of; ValueError if they are none."""
        curves = cls()
        for part, names in (("epochs", _EPOCHS), ("evaluations", _EVALUATIONS)):
            found = lists[part]
            sizes = {len(values) for values in found.values()}
            plain = all(type(value) in (int, float) for values in found.values() for value in values)
            if tuple(found) != names or len(sizes) != 1 or not plain:
                raise ValueError(f"curves by {part} are lists {', '.join(names)} of numbers")
            setattr(curves, part, found)
        return curves
