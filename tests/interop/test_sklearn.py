"""Scikit-learn: the network's result is what stands before the estimator's output activation."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from plain_forward import plain_forward
from scipy import special
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PolynomialFeatures, StandardScaler

from approxmm import read_model
from approxmm.errors import InputError

RNG = np.random.default_rng(1)
X = 3.0 + 2.0 * RNG.normal(size=(60, 5))
Y = RNG.integers(3, size=60)


def fitted(estimator, y=Y, x=X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(x, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_classifier(activation, dtype):
    mlp = fitted(MLPClassifier((6, 4), activation=activation, max_iter=4, random_state=0), x=X.astype(dtype))
    model = read_model(mlp)
    found = special.softmax(plain_forward(model.network, X.astype(dtype)), axis=1)
    assert model.network.dtype == dtype
    np.testing.assert_allclose(found, mlp.predict_proba(X.astype(dtype)), atol=1e-12 if dtype == np.float64 else 1e-6)
    assert model.notes == (
        "left off after the last layer, whose result is what is compared: out_activation_ (softmax)",
    )


def test_two_classes_and_regression():
    mlp = fitted(MLPClassifier((6,), max_iter=4, random_state=0), Y > 0)
    found = special.expit(plain_forward(read_model(mlp).network, X))[:, 0]
    np.testing.assert_allclose(found, mlp.predict_proba(X)[:, 1], atol=1e-12)
    mlp = fitted(MLPRegressor(hidden_layer_sizes=(6,), max_iter=4, random_state=0), RNG.normal(size=(60, 2)))
    np.testing.assert_allclose(plain_forward(read_model(mlp).network, X), mlp.predict(X), rtol=1e-12)
    assert read_model(mlp).notes == ()


@pytest.mark.parametrize(
    "scalers",
    [
        [StandardScaler()],
        [StandardScaler(with_mean=False)],
        [StandardScaler(with_std=False)],
        [MinMaxScaler((-1, 2)), StandardScaler()],
        ["passthrough"],
    ],
)
def test_scalers_of_a_pipeline_are_folded_into_the_first_layer(scalers):
    pipeline = fitted(
        make_pipeline(*scalers, MLPRegressor(hidden_layer_sizes=(6,), max_iter=4, random_state=0)), Y.astype(float)
    )
    model = read_model(pipeline)
    np.testing.assert_allclose(plain_forward(model.network, X)[:, 0], pipeline.predict(X), rtol=1e-11)
    said = any("sampled with the values as they are before that scaling" in note for note in model.notes)
    assert said == (scalers != ["passthrough"])
    assert [item.role for item in model.found][: len(scalers)] == [
        "no effect" if scaler == "passthrough" else "folded" for scaler in scalers
    ]


@pytest.mark.parametrize("step", [PolynomialFeatures(2), MaxAbsScaler(), MinMaxScaler(clip=True)])
def test_other_steps_are_obstacles(step):
    pipeline = fitted(make_pipeline(step, MLPClassifier((6,), max_iter=2, random_state=0)))
    model = read_model(pipeline)
    assert [o.kind for o in model.obstacles] == [type(step).__name__]
    assert "pipeline[-1]" in model.obstacles[0].remedy
    assert read_model(pipeline[-1]).chain is not None


def test_not_fitted():
    with pytest.raises(InputError, match=r"MLPClassifier \(MLPClassifier\) is not fitted; call its fit first"):
        read_model(MLPClassifier())
    with pytest.raises(InputError, match="states the order of its layers"):
        read_model(fitted(MLPClassifier((6,), max_iter=2)), layers=["a"])
