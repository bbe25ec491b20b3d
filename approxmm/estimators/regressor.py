"""A regressor trained with sampled products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from approxmm.engine.losses import LOSS_LIMIT, Loss, SquaredError
from approxmm.errors import DataError, InputError
from approxmm.estimators.base import SampledMLP
from approxmm.estimators.holdout import hold_out
from approxmm.estimators.prediction import outputs
from approxmm.network import Network

__all__ = ["SampledMLPRegressor"]


class SampledMLPRegressor(RegressorMixin, SampledMLP):  # type: ignore[misc]
    """Multi-layer perceptron regressor whose products are sampled while it trains (half the squared error).

    Parameters and attributes are those of `SampledMLPClassifier`, without classes; `fit` takes targets of shape (N,) or
    (N, C), and `predict` returns the same shape. Inputs and targets are taken as given: put a
    `~sklearn.preprocessing.StandardScaler` before it, and scale targets that are far from unit variance by a
    `~sklearn.compose.TransformedTargetRegressor`. The score is R².

    Attributes
    ----------
    loss_ : float
        Half the squared distance to the targets, summed over outputs and averaged over the last epoch's steps.

    Examples
    --------
    >>> import numpy as np
    >>> from approxmm import SampledMLPRegressor
    >>> x = np.linspace(-1, 1, 200)[:, None]
    >>> model = SampledMLPRegressor((50,), n_iter_no_change=None, max_iter=50, random_state=0).fit(x, x[:, 0] ** 2)
    >>> bool(model.score(x, x[:, 0] ** 2) > 0.9)
    True
    """

    out_activation_ = "identity"
    _flat_targets: bool

    def fit(self, X: Any, y: Any) -> Self:
        """Train on X (N, n) with targets y (N,) or (N, C).

        Raises
        ------
        InputError, ValueError
            If inputs, targets or a parameter are not acceptable.
        """
        going_on = self._goes_on()
        X, targets = self._targets(X, y, going_on)
        return self._fit_epochs(X, targets, going_on)

    def partial_fit(self, X: Any, y: Any) -> Self:
        """Train for one epoch on X (N, n), going on from what was trained before."""
        going_on = hasattr(self, "network_")
        X, targets = self._targets(X, y, going_on)
        return self._fit_once_more(X, targets, going_on)

    def predict(self, X: Any) -> np.ndarray:
        """Return the predicted targets for X (N, n), (N,) or (N, C) as in `fit`, in the network's float type."""
        result = self._scores(X)
        return result[:, 0] if self._flat_targets else result

    def _targets(self, X: Any, y: Any, going_on: bool) -> tuple[np.ndarray, np.ndarray]:
        X, y = self._checked(X, y, reset=not going_on, multi_output=True, y_numeric=True)
        with np.errstate(over="ignore"):
            targets = np.asarray(y, dtype=self.network_.dtype if going_on else X.dtype)
        if not np.isfinite(targets).all():
            raise InputError(
                f"y has values beyond the range of {targets.dtype}; scale the targets, or give float64 inputs"
            )
        count = 1 if targets.ndim == 1 else targets.shape[1]
        if going_on and count != self.n_outputs_:
            raise InputError(f"y has {count} target(s) an example; the network was fitted with {self.n_outputs_}")
        self._flat_targets, self.n_outputs_ = targets.ndim == 1, count
        return X, targets

    def _loss_of(self, targets: np.ndarray) -> Loss:
        """Return the squared error; it counts as exploded beyond 10⁹ times that of predicting zero."""
        of_zero = 0.5 * float(np.square(targets, dtype=np.float64).sum()) / len(targets)
        return SquaredError(LOSS_LIMIT * max(1.0, of_zero))

    def _hold_out(self, targets: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        together = np.zeros(len(targets), dtype=np.int64)
        return hold_out(together, self.validation_fraction, seed, least=2)  # R² needs 2

    def _score_on(self, x: np.ndarray, targets: np.ndarray) -> Callable[[Network], float]:
        return lambda network: float(r2_score(targets, outputs(network, x, self.threads).reshape(targets.shape)))

    def _own_description(self) -> dict[str, Any]:
        return {"flat_targets": self._flat_targets}

    def _take_own(self, description: Any, arrays: dict[str, np.ndarray]) -> None:
        flat = description["flat_targets"]
        if not isinstance(flat, bool) or (flat and self.n_outputs_ != 1):
            raise DataError(f"flat_targets is {str(flat)[:60]!r}, with {self.n_outputs_} outputs")
        self._flat_targets = flat

    def _more_tags(self) -> dict[str, bool]:
        """Tell scikit-learn before 1.6 that several targets are fine."""
        return {"multioutput": True}

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn from 1.6 on that several targets are fine."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
