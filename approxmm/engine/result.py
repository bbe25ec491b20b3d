"""What a training run returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from approxmm.network import Network
from approxmm.profile import ErrorProfile

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TrainingResult"]


@dataclass(frozen=True)
class TrainingResult:
    """A finished, diverged or interrupted run.

    Attributes
    ----------
    status : {"finished", "diverged", "interrupted"}
        After divergence the parameters are those at the start of the epoch in which it happened.
    network : Network
        The trained parameters.
    test_accuracy, validation_accuracy : float
        With exact products, and test-time scaling where a method needs it (unscaled dropout).
    test_accuracy_sampled : float
        With the sampled products that were trained with.
    epochs : int
        Completed epochs.
    steps : int
        Steps taken, those of an incomplete epoch included.
    seconds, examples_per_second : float
        Of the steps alone: no compilation, evaluation or measurement.
    multiplications_fraction : float
        Multiplications done over those of exact training with the same steps.
    peak_memory_mb : float
        Largest resident size of the process so far, in 10^6 bytes.
    curves : dict of lists
        One entry an epoch: ``epoch``, ``train_loss``, ``validation_accuracy``, ``seconds``.
    profiles : list of ErrorProfile
        Measured compounding, at each time it was asked for.
    """

    status: str
    network: Network
    test_accuracy: float
    validation_accuracy: float
    test_accuracy_sampled: float
    epochs: int
    steps: int
    seconds: float
    examples_per_second: float
    multiplications_fraction: float
    peak_memory_mb: float
    curves: dict[str, list[float]]
    profiles: list[ErrorProfile] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        names = [
            "status",
            "test_accuracy",
            "validation_accuracy",
            "test_accuracy_sampled",
            "epochs",
            "steps",
            "seconds",
            "examples_per_second",
            "multiplications_fraction",
            "peak_memory_mb",
            "curves",
            "settings",
        ]
        return {name: getattr(self, name) for name in names} | {"profiles": [p.to_dict() for p in self.profiles]}

    def to_pandas(self) -> pd.DataFrame:
        """Return the learning curves, one row an epoch."""
        import pandas as pd

        return pd.DataFrame(self.curves).set_index("epoch")
