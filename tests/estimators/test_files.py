"""Estimators as files: what is saved is what is loaded, and a file that lies is refused in one line."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_forward import plain_forward
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import approxmm as amm
from approxmm.errors import ApproxmmError, DataError, InputError, MissingError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4))
SHORT = {"n_iter_no_change": None, "max_iter": 1, "random_state": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("estimators")


@pytest.fixture(scope="module")
def model():
    return amm.SampledMLPClassifier((6, 5), early_stopping=True, **SHORT).fit(X, np.arange(40) % 4)


@pytest.fixture(scope="module")
def path(model, folder):
    model.save(folder / "model.npz")
    return folder / "model.npz"


def edited(path, folder, edit=lambda description: None, **arrays):
    """Return a file like `path` with another description or other arrays (None leaves one out)."""
    with np.load(path) as stored:
        content = dict(stored)
    description = json.loads(str(content["estimator.description"]))
    edit(description)
    content["estimator.description"] = np.array(json.dumps(description))
    content |= arrays
    np.savez(folder / "edited.npz", **{name: array for name, array in content.items() if array is not None})
    return folder / "edited.npz"


def test_everything_fitted_comes_back(model, path):
    loaded = amm.SampledMLPClassifier.load(path)
    assert loaded.get_params() == model.get_params()
    for name in ("status_", "loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
        assert getattr(loaded, name) == getattr(model, name)
    assert (loaded.n_iter_, loaded.t_, loaded.n_features_in_, loaded.n_layers_) == (1, 36, 4, 4)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


LABELS = st.one_of(
    st.lists(st.integers(-(2**40), 2**40), min_size=2, max_size=5, unique=True),
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=2, max_size=5, unique=True),
    st.just([False, True]),
)


@settings(max_examples=25)
@given(LABELS, st.booleans())
def test_labels_come_back_with_their_type(folder, labels, objects):
    objects = objects and isinstance(labels[0], str)
    y = np.resize(np.array(labels, dtype=object if objects else None), 40)
    fitted = amm.SampledMLPClassifier((3,), **SHORT).fit(X, y)
    fitted.save(folder / "labels.npz")
    loaded = amm.SampledMLPClassifier.load(folder / "labels.npz")
    assert loaded.classes_.dtype == fitted.classes_.dtype
    assert loaded.predict(X).tolist() == fitted.predict(X).tolist()


def test_names_of_features_come_back(folder):
    import pandas as pd

    frame = pd.DataFrame(X, columns=list("abcd"))
    fitted = amm.SampledMLPRegressor((3,), **SHORT).fit(frame, X[:, :2])
    fitted.save(folder / "frame.npz")
    loaded = amm.SampledMLPRegressor.load(folder / "frame.npz")
    np.testing.assert_array_equal(loaded.predict(frame), fitted.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame[["b", "a", "c", "d"]])


def test_what_has_no_plain_form_is_written_out_or_left_out(folder):
    law = amm.get_method("bernoulli", 0.5, probabilities="uniform")
    settings = {"callbacks": [print], "hidden_layer_sizes": np.array([3, 4]), "max_iter": np.int64(1)}
    settings |= {"sampled": {"forward", "weight_gradient"}, "normalise": "rms"}
    fitted = amm.SampledMLPClassifier(method=law, random_state=np.random.RandomState(1), **settings)
    fitted.set_params(n_iter_no_change=None, callbacks=None).fit(X, np.arange(40) % 2)
    fitted.set_params(callbacks=[print]).save(folder / "law.npz")
    loaded = amm.SampledMLPClassifier.load(folder / "law.npz")
    assert (loaded.callbacks, loaded.random_state, loaded.hidden_layer_sizes) == (None, None, (3, 4))
    assert (loaded.sampled, loaded.network_.normalise) == (["forward", "weight_gradient"], "rms")
    assert amm.get_method(loaded.method, loaded.budget, **loaded.method_options) == law
    with pytest.raises(InputError, match=r"optimizer_options=<object .* cannot be saved"):
        fitted.set_params(optimizer_options=object()).save(folder / "bad.npz")
    assert not (folder / "bad.npz").exists()


def test_predictions_by_other_weights_come_back(model, folder):
    """As of unscaled dropout, whose exact products need scaled weights."""
    from dataclasses import replace

    network = model.network_
    model = amm.SampledMLPClassifier((6, 5), early_stopping=True, **SHORT).fit(X, np.arange(40) % 4)
    model._predictor = replace(network, weights=tuple(0.5 * W for W in network.weights))
    model.save(folder / "other.npz")
    loaded = amm.SampledMLPClassifier.load(folder / "other.npz")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.coefs_[0], model.coefs_[0])


def test_without_its_memory_a_file_is_shorter_and_still_goes_on(model, path, folder):
    model.save(folder / "short.npz", resumable=False)
    assert (folder / "short.npz").stat().st_size < path.stat().st_size - 2 * 8 * 80
    loaded = amm.SampledMLPClassifier.load(folder / "short.npz").set_params(early_stopping=False)
    loaded.partial_fit(X, np.arange(40) % 4)
    assert loaded.n_iter_ == 2


def test_its_network_is_read_by_everything_that_reads_networks(model, path):
    assert amm.Network.load(path).widths == (4, 6, 5, 4)
    pipeline = make_pipeline(StandardScaler(), amm.SampledMLPClassifier((3,), **SHORT)).fit(X, np.arange(40) % 4)
    for source, expected in ((path, model), (model, model), (pipeline, pipeline)):
        found = plain_forward(amm.read_model(source).network, X)
        np.testing.assert_allclose(found, expected.decision_function(X), atol=1e-10)
    assert "softmax" in amm.read_model(model).notes[0]


def test_the_wrong_class_and_no_estimator_are_named(path, folder):
    with pytest.raises(DataError, match="holds a SampledMLPClassifier, not a SampledMLPRegressor"):
        amm.SampledMLPRegressor.load(path)
    amm.Network.random([2, 3]).save(folder / "network.npz")
    with pytest.raises(DataError, match="holds no estimator; "):
        amm.SampledMLPClassifier.load(folder / "network.npz")
    with pytest.raises(MissingError, match="does not exist"):
        amm.SampledMLPClassifier.load(folder / "nowhere.npz")


def changed(*keys, to):
    def edit(description):
        for key in keys[:-1]:
            description = description[key]
        description[keys[-1]] = to

    return edit


LIES = {
    "format": changed("format", to=2),
    "parameters of another kind": changed("parameters", to=[1, 2]),
    "an unknown parameter": changed("parameters", "shell", to="rm"),
    "other hidden layers": changed("parameters", "hidden_layer_sizes", to=[60, 50]),
    "a method that is none": changed("parameters", "method", to="os.system"),
    "a huge seed": changed("seed", to=2**70),
    "a negative seed": changed("seed", to=-1),
    "a seed that is none": changed("seed", to=None),
    "no position": changed("position", to={}),
    "a position amid an epoch": changed("position", "step", to=1),
    "a curve of words": changed("fitted", "loss_curve_", to=["a"]),
    "a number for a curve": changed("fitted", "loss_curve_", to=1.0),
    "a status that is none": changed("fitted", "status_", to=3),
    "no fitted part": changed("fitted", to={}),
    "profiles of nothing": changed("profiles", to=[{"source": "training"}]),
    "profiles without layers' figures": changed("profiles", to=[{"layers": [{"output": "x"}]}]),
    "profiles that are words": changed("profiles", to="ab"),
    "outputs": changed("fitted", "n_outputs_", to=2),
    "names of features": changed("feature_names", to=["a"]),
}
ARRAYS = {
    "no classes": {"estimator.classes": None},
    "classes of another number": {"estimator.classes": np.arange(3)},
    "classes that repeat": {"estimator.classes": np.array([0, 1, 1, 2])},
    "classes of times": {"estimator.classes": np.arange(4).astype("M8[s]")},
    "weights that are not finite": {"W1": np.full((4, 6), np.nan)},
    "weights that do not chain": {"W2": np.zeros((7, 5))},
    "an activation that is none": {"activation": np.array("os.system")},
    "other weights for predictions": {f"estimator.exact.W{k}": np.zeros((4, 4)) for k in (1, 2, 3)},
    "pickles": {"estimator.classes": np.array([print, 1], dtype=object)},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_description_that_lies_is_refused(path, folder, lie):
    with pytest.raises(DataError) as caught:
        amm.SampledMLPClassifier.load(edited(path, folder, LIES[lie]))
    assert "edited.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lie", ARRAYS)
def test_arrays_that_lie_are_refused(path, folder, lie):
    with pytest.raises(DataError) as caught:
        amm.SampledMLPClassifier.load(edited(path, folder, **ARRAYS[lie]))
    assert "\n" not in str(caught.value)


def test_a_memory_that_lies_is_refused_when_training_goes_on(path, folder):
    for array in (np.zeros((2, 5)), np.full((2, 89), np.inf)):
        model = amm.SampledMLPClassifier.load(edited(path, folder, **{"estimator.memory.slots": array}))
        with pytest.raises(DataError, match="slots"):
            model.set_params(early_stopping=False).partial_fit(X, np.arange(40) % 4)


@pytest.mark.parametrize("text", ["{", "[1]", "null", "[" * 100_000, '{"format": 1, "class": ["a"]}'])
def test_descriptions_that_are_none_are_refused(path, folder, text):
    with np.load(path) as stored:
        np.savez(folder / "none.npz", **dict(stored) | {"estimator.description": np.array(text)})
    with pytest.raises(DataError):
        amm.SampledMLPClassifier.load(folder / "none.npz")


@given(st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_damage_is_an_error_or_no_damage(path, model, folder, at, change, cut):
    """One byte changed, or the end cut off: nothing but a one-line error of ours, or the same predictions."""
    content = bytearray(path.read_bytes())
    at %= len(content)
    content[at] ^= change
    (folder / "damaged.npz").write_bytes(content[:at] if cut else content)
    try:
        loaded = amm.SampledMLPClassifier.load(folder / "damaged.npz")
    except ApproxmmError as error:
        lines = str(error).splitlines()
    else:
        lines = ["no error"]
        np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert len(lines) == 1


def test_a_save_that_fails_leaves_the_old_file(path, model, folder, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(InputError, match="free some space"):
        model.save(path)
    assert path.read_bytes() == before
    assert not list(folder.glob(".model*"))
