"""Scikit-learn's own checks, and its tools: pipelines, grids, clones, workers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning, SkipTestWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import approxmm as amm

X, Y = (lambda split: (split.x, split.y))(amm.load_data("digits").train)
SHORT = {"n_iter_no_change": None, "max_iter": 3, "random_state": 0}
CONFIGURATIONS = {
    "classifier": amm.SampledMLPClassifier(),
    "regressor": amm.SampledMLPRegressor(),
}
SLOW = {
    "bernoulli classifier": amm.SampledMLPClassifier(method="bernoulli", budget=0.5),
    "bernoulli regressor": amm.SampledMLPRegressor(method="bernoulli", budget=0.5),
    "dropout classifier": amm.SampledMLPClassifier(method="dropout", budget=0.8, n_iter_no_change=None, max_iter=100),
    "oracle regressor": amm.SampledMLPRegressor((40, 30), method="oracle_active", budget=0.8, normalise="rms"),
    "early stopping": amm.SampledMLPClassifier((30, 20), early_stopping=True, n_iter_no_change=100, threads=2),
    "other rules": amm.SampledMLPRegressor(optimizer="nesterov", learning_rate=0.01, activation="tanh", init="glorot"),
    "one example a step": amm.SampledMLPClassifier(optimizer="sgd", batch_size=1, method="oracle_active", budget=0.8),
    "measured": amm.SampledMLPClassifier(method="bernoulli", budget=0.5, measure_at=(0, 3), max_iter=20),
    "backward only": amm.SampledMLPClassifier(
        method="bernoulli", budget=0.5, sampled=["input_gradient", "weight_gradient"], independent=True
    ),
}


def check(estimator):
    """Run every check; none may fail, and none is expected to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", SkipTestWarning)  # one needs an environment variable
        check_estimator(estimator)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_check_estimator_passes(name):
    check(CONFIGURATIONS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_check_estimator_passes_with_other_settings(name):
    check(SLOW[name])


class HidesAParameter(amm.SampledMLPClassifier):
    """A broken twin: `fit` changes what the user set."""

    def fit(self, X, y):
        self.max_iter = 7
        return super().fit(X, y)


def test_the_checks_reject_a_broken_estimator():
    with pytest.raises(AssertionError, match="max_iter"):
        check(HidesAParameter(**SHORT))


def test_pipeline_and_regressor_with_scaled_targets():
    model = make_pipeline(StandardScaler(), amm.SampledMLPClassifier((30,), n_iter_no_change=None, max_iter=10))
    assert model.fit(X, Y).score(X, Y) > 0.95
    target = 1000.0 + 500.0 * X[:, 20]
    scaled = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), amm.SampledMLPRegressor((30,), n_iter_no_change=None, max_iter=20)),
        transformer=StandardScaler(),
    )
    assert scaled.fit(X, target).score(X, target) > 0.9


def test_grid_search_over_methods_and_budgets():
    grid = [{"method": ["exact"]}, {"method": ["bernoulli"], "budget": [0.05, 0.9]}]
    search = GridSearchCV(amm.SampledMLPClassifier((20,), **SHORT), grid, cv=2).fit(X[:400], Y[:400])
    assert search.best_params_ != {"method": "bernoulli", "budget": 0.05}
    assert search.best_estimator_.network_.widths == (64, 20, 10)


def test_clone_has_the_parameters_and_nothing_fitted():
    law = amm.get_method("bernoulli", 0.3)
    model = amm.SampledMLPClassifier((20, 10), method=law, method_options=None, callbacks=[print], random_state=3)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(clone(amm.SampledMLPClassifier((5,), **SHORT).fit(X, Y)), "network_")


@pytest.mark.slow
def test_workers_of_joblib_give_the_same_scores():
    for model in (amm.SampledMLPClassifier((20,), **SHORT), amm.SampledMLPClassifier((20,), **SHORT).fit(X, Y)):
        scores = [cross_val_score(model, X, Y, cv=3, n_jobs=jobs) for jobs in (1, 2)]
        np.testing.assert_array_equal(*scores)


def test_sample_weight_is_not_offered():
    """It could not be exact; scikit-learn is told so by the missing argument, instead of an approximation."""
    with pytest.raises(TypeError, match="sample_weight"):
        amm.SampledMLPClassifier().fit(X, Y, sample_weight=np.ones(len(Y)))


def test_this_is_a_supported_version():
    assert tuple(int(part) for part in sklearn.__version__.split(".")[:2]) >= (1, 4)
