"""What a training run returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.atomic import atomic_path
from approxmm.network import Network
from approxmm.profile import ErrorProfile
from approxmm.profile_plot import check_format

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["TrainingResult"]

_WHOLE = ("network", "profiles", "confusion", "confusion_sampled", "classes")  # not plain values as they stand


@dataclass(frozen=True)
class TrainingResult:
    """A finished, diverged or interrupted run.

    Attributes
    ----------
    status : {"finished", "diverged", "interrupted"}
    path : str
        How steps were computed, ``minibatch`` or ``per_example``, and why.
    network : Network
        The parameters that were kept; all accuracies below are its.
    kept : dict
        Which they are: ``which`` (``best`` by validation accuracy, ``last``, or after divergence the last ``good``
        ones, of an epoch's end or an evaluation), and the ``epoch`` and ``step`` after which they were taken.
    test_accuracy, validation_accuracy : float
        With exact products, and test-time scaling where a method needs it (unscaled dropout).
    test_accuracy_sampled, validation_accuracy_sampled : float
        With the sampled products that were trained with.
    epochs : int
        Completed epochs.
    steps, examples : int
        Steps taken and examples they were given, those of an incomplete epoch included.
    seconds, examples_per_second : float
        Of the steps alone: no compilation, evaluation or measurement.
    multiplications_fraction : float
        Multiplications done over those of exact training with the same steps.
    multiplications : dict
        ``done`` and ``dense``, by product; see `count_multiplications`.
    active_fractions : list
        Mean share of each layer's sampled side that was kept; None where nothing was sampled.
    phase_seconds : dict
        ``select``, ``forward``, ``backward``, ``update``, ``upkeep``: where `seconds` went; see `seconds_by_phase`.
        Besides, ``evaluation`` and ``measurement``, which are not part of `seconds`.
    memory : dict
        Bytes by part, the method's index among them; see `memory_by_part`.
    peak_memory_mb : float
        Largest resident size of the process so far, in 10^6 bytes.
    time_to_accuracy : dict
        Examples and seconds until 90, 95 and 97 % validation accuracy; None where it was not reached.
    curves : dict of lists
        One entry an epoch: ``epoch``, ``train_loss``, ``validation_accuracy``, ``seconds``, ``steps``, ``examples``.
    evaluations : dict of lists
        One entry an evaluation between epochs; see `Curves`.
    confusion, confusion_sampled : (C, C) int64 arrays
        How often each true class of the test set (row) was taken for each class, by exact and by sampled products.
    classes : tuple of str
    profiles : list of ErrorProfile
        Measured compounding, at each time it was asked for.
    settings : dict
        All that the run was made with, as plain values.
    warnings : list of str
        What went wrong without ending the run.
    """

    status: str
    path: str
    network: Network
    kept: dict[str, Any]
    test_accuracy: float
    validation_accuracy: float
    test_accuracy_sampled: float
    validation_accuracy_sampled: float
    epochs: int
    steps: int
    examples: int
    seconds: float
    examples_per_second: float
    multiplications_fraction: float
    multiplications: dict[str, dict[str, float]]
    active_fractions: list[float | None]
    phase_seconds: dict[str, float]
    memory: dict[str, float]
    peak_memory_mb: float
    time_to_accuracy: dict[str, dict[str, float] | None]
    curves: dict[str, list[float]]
    evaluations: dict[str, list[float]]
    confusion: np.ndarray
    confusion_sampled: np.ndarray
    classes: tuple[str, ...]
    profiles: list[ErrorProfile] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON form."""
        plain = {name: value for name, value in vars(self).items() if name not in _WHOLE}
        confusion = {"exact": self.confusion.tolist(), "sampled": self.confusion_sampled.tolist()}
        profiles = [profile.to_dict() for profile in self.profiles]
        return plain | {"confusion": {"classes": list(self.classes), **confusion}, "profiles": profiles}

    def to_pandas(self) -> pd.DataFrame:
        """Return the learning curves, one row an epoch."""
        import pandas as pd

        return pd.DataFrame(self.curves).set_index("epoch")

    def confusion_table(self, sampled: bool = False) -> pd.DataFrame:
        """Return the confusion matrix of the test set: true classes by row, predicted ones by column."""
        import pandas as pd

        counts = self.confusion_sampled if sampled else self.confusion
        rows, columns = (pd.Index(self.classes, name=name) for name in ("true", "predicted"))
        return pd.DataFrame(counts, index=rows, columns=columns)

    def plot(self) -> Figure:
        """Draw learning curves and confusion matrices; return the figure."""
        from approxmm.engine.result_plot import draw_result

        return draw_result(self)

    def save_plot(self, path: str | Path) -> None:
        """Write `plot` into a file whose suffix names the format (.svg, .png, .pdf), whole or not at all."""
        check_format(path)
        with atomic_path(path) as temporary:
            self.plot().savefig(temporary, dpi=150)
