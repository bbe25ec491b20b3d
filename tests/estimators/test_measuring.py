"""Error profiles of a fit: what they are measured on, that nothing else changes, and that they go where it goes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

import approxmm as amm
from approxmm.engine import measure
from approxmm.errors import InputError
from approxmm.estimators import files
from approxmm.estimators.holdout import hold_out
from approxmm.estimators.measuring import Measuring

X, Y = (lambda split: (split.x, split.y))(amm.load_data("digits", dtype=np.float64).train)
STEPS = (0, 7, 63, 100)
SHORT = {"n_iter_no_change": None, "max_iter": 2, "random_state": 0, "method": "bernoulli", "budget": 0.5}


def classifier(**more):
    return amm.SampledMLPClassifier((12,), **(SHORT | more))


def steps_of(model):
    return [profile.settings["step"] for profile in model.profiles_]


def layers_of(model):
    return [profile.layers for profile in model.profiles_]


@pytest.fixture(scope="module")
def plain():
    return classifier().fit(X, Y)


@pytest.fixture(scope="module")
def measured():
    return classifier(measure_at=STEPS).fit(X, Y)


def test_measuring_changes_nothing_else(plain, measured):
    assert plain.profiles_ == []
    assert measured.loss_curve_ == plain.loss_curve_
    for mine, other in zip(measured.coefs_, plain.coefs_, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert steps_of(measured) == [0, 7, 63, 100]
    assert len({layers[0].output.relative_error for layers in layers_of(measured)}) == 4
    assert all(layers[1].weight_gradient.relative_error > 0.0 for layers in layers_of(measured))


def test_a_profile_is_that_of_the_network_at_its_step():
    model = classifier(max_iter=1, measure_at=np.array([63])).fit(X, Y)
    rows = np.arange(500) * len(X) // 500
    again = measure(model._ongoing.session, X[rows], step=63, targets=Y[rows])
    assert layers_of(model) == [again.layers]


def test_with_early_stopping_the_probe_is_what_is_held_out():
    model = classifier(max_iter=1, measure_at=[0], early_stopping=True).fit(X, Y)
    _, held = hold_out(Y, 0.1, 0)
    assert model.profiles_[0].settings["probe"] == len(held)
    start = classifier(max_iter=1, learning_rate=1e-300).fit(X, Y)._ongoing.session
    assert layers_of(model) == [measure(start, X[held], step=0, targets=Y[held]).layers]


def test_the_probe_has_all_classes_also_of_sorted_examples():
    order = np.argsort(Y, kind="stable")
    assert len(set(Y[order][:500])) < 10  # what the first ones would be
    assert len(set(Measuring.on((0,), X[order], Y[order]).targets)) == 10
    assert len(Measuring.on((0,), X[:30], Y[:30]).targets) == 30


def test_pieces_have_the_profiles_of_the_whole(measured, tmp_path):
    pieces = classifier(measure_at=STEPS).partial_fit(X, Y, classes=range(10))
    assert steps_of(pieces) == [0, 7, 63]
    pieces.save(tmp_path / "model.npz")
    pieces = amm.SampledMLPClassifier.load(tmp_path / "model.npz")
    assert (pieces.measure_at, steps_of(pieces)) == (STEPS, [0, 7, 63])
    pieces.partial_fit(X, Y)
    assert steps_of(pieces) == steps_of(measured)
    assert layers_of(pieces) == layers_of(measured)
    again = classifier(measure_at=STEPS, warm_start=True, max_iter=1).fit(X, Y).fit(X, Y)
    assert layers_of(again) == layers_of(measured)


def test_what_an_unfinished_epoch_measured_is_dropped_with_it():
    model = classifier(measure_at=(0, 60, 64, 70), warm_start=True)
    calls = iter([False, True])
    model.set_params(callbacks=lambda record: next(calls)).fit(X, Y)
    assert steps_of(model) == [0, 60, 64, 70]
    exploding = classifier(measure_at=(0, 1, 2), learning_rate=1e200, max_iter=1)  # finite after step 1, not after 2
    with pytest.warns(ConvergenceWarning, match="exploded"):
        exploding.fit(X, Y)
    assert exploding.profiles_ == []


def test_regression_with_several_targets():
    targets = np.stack([X[:, 20], X[:, 30]], axis=1)
    model = amm.SampledMLPRegressor((12,), n_iter_no_change=None, max_iter=1, measure_at=[5]).fit(X, targets)
    (layers,) = layers_of(model)
    assert [layer.weight_gradient.relative_error for layer in layers] == [0.0, 0.0]  # nothing is sampled


def test_clones_and_searches_take_it_along():
    model = classifier(measure_at=[3], max_iter=1)
    assert clone(model).measure_at == [3]
    search = GridSearchCV(model, {"budget": [0.2, 0.9]}, cv=2).fit(X[:200], Y[:200])
    assert steps_of(search.best_estimator_) == [3]
    tables = [profile.to_pandas() for profile in search.best_estimator_.profiles_]
    assert "output_relative_error" in tables[0].columns or "relative_error" in tables[0].columns


@pytest.mark.parametrize("wrong", [-1, "100", [0.5], [True], [0, -2]])
def test_what_is_no_number_of_steps_is_named(wrong):
    with pytest.raises(InputError, match="measure_at="):
        classifier(measure_at=wrong).fit(X, Y)


def test_profiles_that_no_file_would_give_back_are_refused(measured, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_LONGEST", 4000)
    with pytest.raises(InputError, match="4 profiles_ and 2 epochs make a description of"):
        measured.save(tmp_path / "model.npz")
    assert not (tmp_path / "model.npz").exists()
