"""What users get wrong: one line that names the argument, its value, the limit."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import approxmm as amm

X = np.random.default_rng(0).normal(size=(30, 4))
Y = np.arange(30) % 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "bernuli"}, "method='bernuli' is unknown; did you mean 'bernoulli'"),
        ({"method": 3}, "method=3 must be a name"),
        ({"method": "bernoulli", "budget": 2.0}, "budget=2.0 as a fraction"),
        ({"method": "bernoulli", "method_options": {"probability": 1}}, "option='probability' is unknown"),
        ({"method": amm.get_method("exact"), "method_options": {"a": 1}}, "is built already; leave method_options out"),
        ({"optimizer": "adm"}, "optimizer='adm' is unknown"),
        ({"optimizer_options": {"momentum": 0.9}}, "momentum=0.9 is not a parameter of optimizer 'adam'"),
        ({"learning_rate": -0.1}, r"learning_rate=-0.1 must be a number in \[0, inf\)"),
        ({"learning_rate": "fast"}, "learning_rate='fast' must be a number"),
        ({"learning_rate": 0}, r"lr=0 must lie in \(0, inf\)"),
        ({"weight_decay": np.nan}, "weight_decay=nan must be a number"),
        ({"hidden_layer_sizes": (10, 0)}, r"hidden_layer_sizes=\(10, 0\) must be integers of at least 1"),
        ({"hidden_layer_sizes": "ten"}, "hidden_layer_sizes='ten' must be integers"),
        ({"activation": "rellu"}, "activation='rellu' is unknown; did you mean 'relu'"),
        ({"activation": ("relu", "tanh")}, "must be one name"),
        ({"init": "zero"}, "init='zero' is unknown"),
        ({"normalise": "batch"}, "normalise='batch' is unknown"),
        ({"path": "fast"}, "path='fast' is unknown; choose one of auto, minibatch, per_example"),
        ({"path": "per_example"}, "path='per_example' cannot be taken"),
        ({"sampled": "forwards"}, "sampled=forwards must name one or more of forward"),
        ({"schedule": "warm"}, "schedule='warm' is unknown"),
        ({"batch_size": 0}, "batch_size=0 must be an integer of at least 1"),
        ({"max_iter": 2.5}, "max_iter=2.5 must be an integer of at least 1"),
        ({"n_iter_no_change": 0}, "n_iter_no_change=0 must be an integer of at least 1; None trains max_iter epochs"),
        ({"tol": -1}, r"tol=-1 must be a number in \[0, inf\)"),
        ({"threads": 0}, "threads=0 must be an integer of at least 1"),
        ({"validation_fraction": 1.0}, r"validation_fraction=1.0 must be a number in \[0, 1\)"),
        ({"early_stopping": True, "validation_fraction": 0.0}, "validation_fraction=0 leaves early_stopping nothing"),
        ({"random_state": -1}, "Seed must be between 0 and 2\\*\\*32 - 1"),
        ({"random_state": "x"}, "'x' cannot be used to seed"),
    ],
)
def test_parameters_are_named_when_it_is_fitted(settings, message):
    model = amm.SampledMLPClassifier(**settings)  # never here: set_params and clone must be able to
    with pytest.raises(ValueError, match=message) as caught:
        model.fit(X, Y)
    assert "\n" not in str(caught.value)


def spoiled(value):
    x = X.copy()
    x[3, 1] = value
    return x


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (spoiled(np.nan), Y, "Input X contains NaN"),
        (spoiled(np.inf), Y, "Input X contains infinity"),
        (X, np.zeros(30), "y has 1 class only, 0.0; a classifier needs examples of at least 2"),
        (X, X[:, 0], "Unknown label type"),
        (X, Y[:9], "inconsistent numbers of samples"),
        (X[:0], Y[:0], "0 sample"),
        (X[:1], Y[:1], "1 class"),
        (X[:, :0], Y, "0 feature"),
        (X[:, 0], Y, "Expected 2D array"),
        (X, np.column_stack([Y, Y]), "y should be a 1d array"),
    ],
)
def test_examples_are_refused_in_scikit_learns_words(x, y, message):
    with pytest.raises(ValueError, match=message):
        amm.SampledMLPClassifier().fit(x, y)


def test_targets_of_a_regressor():
    y = X[:, 0].copy()
    y[2] = np.nan
    with pytest.raises(ValueError, match="y contains NaN"):
        amm.SampledMLPRegressor().fit(X, y)
    with pytest.raises(ValueError, match="beyond the range of float32; scale the targets"):
        amm.SampledMLPRegressor().fit(X.astype(np.float32), 1e300 * X[:, 0])
    with pytest.raises(ValueError, match=r"validation_fraction=0\.1 of n_samples=2 leaves fewer than 2"):
        amm.SampledMLPRegressor(early_stopping=True).fit(X[:2], X[:2, 0])


@pytest.mark.parametrize("model", [amm.SampledMLPClassifier(), amm.SampledMLPRegressor()])
def test_nothing_is_predicted_or_saved_before_a_fit(model, tmp_path):
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(NotFittedError):
        model.save(tmp_path / "model.npz")
