"""Going on: in pieces, after pickling, copying or loading, training is what it is in one piece, to the bit."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import approxmm as amm
from approxmm.errors import InputError
from approxmm.estimators.memory import Memory

X, Y = (lambda split: (split.x, split.y))(amm.load_data("digits").train)
SHORT = {"n_iter_no_change": None, "random_state": 5}


def classifier(**settings):
    return amm.SampledMLPClassifier((20, 15), **SHORT | settings)


def pickled(model):
    return pickle.loads(pickle.dumps(model))  # noqa: S301 - the standard protocol, as joblib uses it


def stored(model):
    with TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.npz")
        return type(model).load(Path(folder) / "model.npz")


WAYS = {"as it is": lambda model: model, "pickled": pickled, "copied": copy.deepcopy, "saved and loaded": stored}


def check_goes_on(model, way):
    """Two epochs, a break, one epoch: the same as three."""
    whole = clone(model).set_params(max_iter=3).fit(X, Y)
    two = clone(model).set_params(max_iter=2, warm_start=True).fit(X, Y)
    taught = way(copy.deepcopy(two)).partial_fit(X, Y)
    fitted = way(two).set_params(max_iter=1).fit(X, Y)
    for mine, others, theirs in zip(fitted.coefs_, taught.coefs_, whole.coefs_, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_array_equal(others, theirs)
    assert (fitted.n_iter_, fitted.t_, fitted.loss_curve_) == (3, 3 * len(X), whole.loss_curve_)
    assert taught.loss_curve_ == whole.loss_curve_


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["exact", "bernoulli"])
def test_training_goes_on_where_it_stopped(method, way):
    check_goes_on(classifier(method=method, budget=0.5), WAYS[way])


@pytest.mark.slow
@pytest.mark.parametrize("method", [m for m in amm.available_methods() if m not in ("exact", "bernoulli")])
def test_training_goes_on_where_it_stopped_with_every_method(method):
    for way in WAYS:
        check_goes_on(classifier(method=method, budget=0.5), WAYS[way])


def forgetful(model):
    """A broken twin: pickled without the optimiser's memory."""
    copied = pickled(model)
    copied._memory = Memory(copied._memory.recipe, copied._memory.position, {})
    return copied


def test_a_lost_memory_is_noticed():
    with pytest.raises(AssertionError):
        check_goes_on(classifier(), forgetful)


def test_a_regressor_goes_on_too():
    whole = amm.SampledMLPRegressor((10,), max_iter=2, **SHORT).fit(X, X[:, 20])
    pieces = amm.SampledMLPRegressor((10,), **SHORT).partial_fit(X, X[:, 20])
    pieces = stored(pickled(pieces)).partial_fit(X, X[:, 20])
    np.testing.assert_array_equal(pieces.predict(X), whole.predict(X))
    assert pieces.predict(X).shape == (len(X),)


@settings(max_examples=15)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_chunks_of_any_size_are_trained_on(sizes):
    """Also ones smaller than a batch: the optimiser's memory survives the change, and all examples count."""
    model, at = classifier(), 0
    for size in sizes:
        rows = slice(at, at + size)
        model.partial_fit(X[rows], Y[rows], classes=range(10))
        at += size
    assert (model.n_iter_, model.t_) == (len(sizes), sum(sizes))
    assert model._ongoing.position.taken == sum(-(-size // 20) for size in sizes)
    assert np.abs(model._ongoing.session.slots).max() > 0


def test_partial_fit_needs_its_classes_once_and_keeps_them():
    model = classifier()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X[:5], Y[:5])
    model.partial_fit(X[:5], Y[:5], classes=np.arange(9, -1, -1))
    np.testing.assert_array_equal(model.classes_, np.arange(10))
    model.partial_fit(X[5:9], Y[5:9])
    with pytest.raises(InputError, match="labels 11, which are none of the classes 0, 1, 2, 3, 4, …"):
        model.partial_fit(X[:2], [3, 11])
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:5, :9], Y[:5])


def test_another_optimiser_starts_with_an_empty_memory():
    model = classifier().partial_fit(X, Y, classes=range(10))
    weights = model.coefs_[0]
    run = model.set_params(optimizer="momentum")._begin(X, Y, True)
    assert run.session.slots.shape[0] == 1
    assert not run.session.slots.any()
    assert run.position.taken == 0
    np.testing.assert_array_equal(run.networks()[0].weights[0], weights)
    assert model.set_params(optimizer="adam", learning_rate=0.1)._begin(X, Y, True).session.slots.any()


def test_fit_starts_anew_without_warm_start():
    model = classifier(max_iter=1).fit(X, Y)
    first = model.coefs_[0]
    np.testing.assert_array_equal(model.fit(X, Y).coefs_[0], first)
    assert model.n_iter_ == 1


def test_a_change_that_does_not_fit_is_named():
    model = classifier(max_iter=1, warm_start=True).fit(X, Y)
    for name, value, fitted in (
        ("hidden_layer_sizes", 9, r"\(20, 15\)"),
        ("activation", "tanh", "'relu'"),
        ("normalise", "rms", "'none'"),
    ):
        with pytest.raises(InputError, match=f"{name}={value!r} is not what was fitted, {fitted}"):
            copy.deepcopy(model).set_params(**{name: value}).fit(X, Y)
    with pytest.raises(InputError, match="y has classes 0, 1, but warm_start=True goes on with 0, 1, 2, 3, 4, …"):
        model.fit(X, Y % 2)
    regressor = amm.SampledMLPRegressor((4,), max_iter=1, **SHORT).partial_fit(X, X[:, :2])
    with pytest.raises(InputError, match=r"y has 1 target\(s\) an example; the network was fitted with 2"):
        regressor.partial_fit(X, X[:, 0])


def test_partial_fit_holds_nothing_out_and_has_no_end():
    model = classifier(early_stopping=True).partial_fit(X, Y, classes=range(10))
    assert (model.t_, model.validation_scores_) == (len(X), None)
    model.set_params(warm_start=True, max_iter=2).fit(X, Y)
    assert len(model.validation_scores_) == 2
    with pytest.raises(InputError, match="schedule='cosine' needs an end"):
        classifier(schedule="cosine").partial_fit(X, Y, classes=range(10))


def test_a_pickle_holds_no_workspace():
    small, large = (classifier(batch_size=n, max_iter=1).fit(X, Y) for n in (1, 1000))
    sizes = [len(pickle.dumps(model)) for model in (small, large)]
    assert max(sizes) - min(sizes) < 0.01 * sizes[0]
    buffer = io.BytesIO()
    pickle.dump(large, buffer)
    assert large._ongoing is not None  # pickling changes nothing
