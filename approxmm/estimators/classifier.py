"""A classifier trained with sampled products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from scipy import special
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets

from approxmm.engine.losses import CrossEntropy, Loss
from approxmm.errors import DataError, InputError
from approxmm.estimators.base import SampledMLP
from approxmm.estimators.holdout import hold_out
from approxmm.estimators.prediction import outputs
from approxmm.network import Network

__all__ = ["SampledMLPClassifier"]


class SampledMLPClassifier(ClassifierMixin, SampledMLP):  # type: ignore[misc]
    """Multi-layer perceptron classifier whose products are sampled while it trains (softmax, cross-entropy).

    Predictions use exact products. Inputs are taken as given: put a `~sklearn.preprocessing.StandardScaler` before it.
    Single precision throughout for float32 inputs of the first fit, double precision for all others.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Sizes of the hidden layers; they may differ. ``()`` is a linear model, in which nothing is sampled.
    activation : str
        Of all hidden layers: ``relu``, ``leaky_relu(0.1)``, ``tanh``, ``sigmoid``, ``linear``, ``gelu``, ``erf``;
        scikit-learn's ``logistic`` and ``identity`` mean ``sigmoid`` and ``linear``.
    method : str or Method
        Samples all products but the output layer's; see `approxmm.available_methods`. ``exact`` samples nothing.
    budget : float or int
        Fraction (0 < b ≤ 1) or count of what the method may use.
    method_options : dict, optional
        The method's own options, such as ``{"probabilities": "uniform"}``.
    optimizer : {"adam", "lazy_adam", "sgd", "momentum", "nesterov", "adagrad"}
    learning_rate : float, optional
        The optimiser's default if left out: 0.001 for Adam, 0.1 for SGD with and without momentum, 0.01 for Adagrad.
    weight_decay : float
        λ in the update's gradient g + λ w; not divided by the number of examples, unlike scikit-learn's ``alpha``.
    optimizer_options : dict, optional
        Further parameters: momentum, beta1, beta2, eps.
    schedule : {"constant", "linear", "cosine", "step"}
        What becomes of the learning rate over the `max_iter` epochs of one fit.
    batch_size : int
        Examples a step.
    max_iter : int
        Epochs of one fit, at most.
    init : str
        Initialiser of the weights: ``he``, ``glorot``, ``lecun``, each also with ``_uniform``; ``orthogonal``.
    normalise : {"none", "rms"}
        Whether hidden outputs are divided by their root mean square.
    sampled, independent, path, asynchronous
        Which products are sampled (all by default), whether by a draw each, and by which kind of steps: see
        `approxmm.engine.Recipe`. With one example a step, the ``per_example`` path touches its active weights only.
    random_state : int, RandomState or None
        Of weights, order of examples, draws and hold-out. Results are a function of it, to the bit, whatever `threads`
        (but for `asynchronous` ones); an int gives the weights that `approxmm.train` has with this seed.
    tol, n_iter_no_change : float, int or None
        Stop when for more than so many epochs the loss (the validation score with `early_stopping`) has not gained
        `tol`; None trains `max_iter` epochs.
    early_stopping, validation_fraction : bool, float
        Hold out a fraction of the examples (of every class), and end with the parameters that score best on them;
        `partial_fit` holds nothing out.
    warm_start : bool
        Let `fit` go on from the last fit, the optimiser's memory included, for up to `max_iter` more epochs.
    threads : int, optional
        Threads that share each step, as useful if left out.
    measure_at : sequence of int, optional
        Steps after which the sampled passes and gradients are compared with exact ones, for `profiles_`; 0 is before
        the first step. It changes nothing of the training.
    callbacks : callable or sequence of them, optional
        Called with an `EpochRecord` after each epoch; training ends when one returns True. What one raises ends the
        fit with what was trained so far.
    verbose : bool
        Print a line an epoch.

    Attributes
    ----------
    classes_ : (C,) array
    network_ : Network
        The trained network, for `approxmm.simulate` and all other functions.
    coefs_, intercepts_ : lists of arrays
        Its weights and biases.
    n_iter_, t_ : int
        Epochs, and examples trained on, since the first fit.
    loss_, loss_curve_, best_loss_ : float, list, float
        Mean loss of the last epoch (NaN if there was none), of every epoch, and the least.
    validation_scores_, best_validation_score_ : list, float; or None
        With `early_stopping`, after each epoch.
    profiles_ : list of ErrorProfile
        One for each step of `measure_at` that was reached, in up to 500 of the held-out examples, or, if there are
        none, of the training's; ``settings["step"]`` is the step. Steps count on in later fits that go on, and anew
        when these change the method or the kind of optimiser.
    status_ : {"converged", "finished", "stopped", "diverged", "interrupted"}
        How the last fit ended; "stopped" by a callback, "finished" after all its epochs. After divergence the
        parameters are those before the epoch in which it happened, with a ConvergenceWarning.
    n_features_in_, feature_names_in_, n_outputs_, n_layers_, out_activation_
        As in scikit-learn's perceptrons.

    Notes
    -----
    There is no ``sample_weight``: in minibatches a weight is not the same as repeating an example.

    Examples
    --------
    >>> import approxmm as amm
    >>> digits = amm.load_data("digits")
    >>> model = amm.SampledMLPClassifier((100, 50), method="bernoulli", budget=0.5, early_stopping=True, random_state=0)
    >>> bool(model.fit(digits.train.x, digits.train.y).score(digits.test.x, digits.test.y) > 0.9)
    True
    """

    out_activation_ = "softmax"

    def fit(self, X: Any, y: Any) -> Self:
        """Train on X (N, n) with labels y (N,), numbers or strings of at least two classes.

        Raises
        ------
        InputError, ValueError
            If inputs, labels or a parameter are not acceptable.
        """
        going_on = self._goes_on()
        X, y = self._checked(X, y, reset=not going_on)
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if going_on and not np.array_equal(classes, self.classes_):
            raise InputError(
                f"y has classes {_listed(classes)}, but warm_start=True goes on with {_listed(self.classes_)}; use "
                "partial_fit, or fit anew with warm_start=False"
            )
        self._set_classes(classes)
        return self._fit_epochs(X, codes.reshape(-1), going_on)

    def partial_fit(self, X: Any, y: Any, classes: Sequence[Any] | None = None) -> Self:
        """Train for one epoch on X (N, n) with labels y (N,), going on from what was trained before.

        Parameters
        ----------
        X, y : arrays
        classes : sequence, optional
            All labels there will ever be; needed in the first call only.

        Raises
        ------
        InputError, ValueError
            If a label is none of the classes, or another argument is not acceptable.
        """
        going_on = hasattr(self, "network_")
        X, y = self._checked(X, y, reset=not going_on)
        check_classification_targets(y)
        if _check_partial_fit_first_call(self, classes):
            self._set_classes(self.classes_)
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            raise InputError(f"y has labels {_listed(unknown)}, which are none of the classes {_listed(self.classes_)}")
        return self._fit_once_more(X, np.searchsorted(self.classes_, y), going_on)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the network's outputs for X (N, n): (N, C) logits, or (N,) differences of two."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each row of X (N, n)."""
        best = self._scores(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the classes' probabilities (N, C) for X (N, n), in the order of `classes_`."""
        return np.asarray(special.softmax(self._scores(X), axis=1))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithms of the classes' probabilities (N, C)."""
        return np.asarray(special.log_softmax(self._scores(X), axis=1))

    def _set_classes(self, classes: np.ndarray) -> None:
        if len(classes) < 2:
            raise InputError(f"y has 1 class only, {_listed(classes)}; a classifier needs examples of at least 2")
        self.classes_, self.n_outputs_ = classes, len(classes)

    def _loss_of(self, targets: np.ndarray) -> Loss:
        return CrossEntropy()

    def _own_description(self) -> dict[str, Any]:
        return {"objects": self.classes_.dtype == object}

    def _own_arrays(self) -> dict[str, np.ndarray]:
        classes = self.classes_
        if classes.dtype.kind in "OT":  # Python's or NumPy's strings without a length
            if not all(isinstance(label, str) for label in classes.tolist()):
                raise InputError(f"classes {_listed(classes)} cannot be saved; use numbers or strings for labels")
            classes = classes.astype(str)
        return {"classes": classes}

    def _take_own(self, description: Any, arrays: dict[str, np.ndarray]) -> None:
        classes = arrays["classes"]
        if classes.shape != (self.n_outputs_,) or classes.dtype.kind not in "biufUS" or len(classes) < 2:
            raise DataError(f"classes are an array of type {classes.dtype} and shape {classes.shape}")
        if not np.array_equal(np.unique(classes), classes):
            raise DataError("classes are not sorted, or not different from each other")
        self.classes_ = classes.astype(object) if description["objects"] is True else classes

    def _hold_out(self, targets: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        return hold_out(targets, self.validation_fraction, seed)

    def _score_on(self, x: np.ndarray, targets: np.ndarray) -> Callable[[Network], float]:
        return lambda network: float((outputs(network, x, self.threads).argmax(axis=1) == targets).mean())


def _listed(labels: np.ndarray) -> str:
    """Return the first labels as text."""
    return ", ".join(repr(label) for label in labels[:5].tolist()) + (", …" if len(labels) > 5 else "")
