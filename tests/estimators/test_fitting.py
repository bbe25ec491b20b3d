"""What a fit does: the engine's training, its records, its ends."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score

import approxmm as amm
from approxmm.engine import Adam, Recipe
from approxmm.engine.losses import LOSS_LIMIT, CrossEntropy
from approxmm.estimators.memory import Ongoing

DIGITS = amm.load_data("digits", dtype=np.float64)
X, Y = DIGITS.train.x, DIGITS.train.y
SHORT = {"n_iter_no_change": None, "max_iter": 3, "random_state": 5}


@pytest.mark.parametrize(("method", "dtype"), [("exact", np.float64), ("bernoulli", np.float32)])
def test_fit_is_the_training_of_the_package(method, dtype):
    law, x = amm.get_method(method, 0.4), X.astype(dtype)
    model = amm.SampledMLPClassifier((30, 30), method=method, budget=0.4, schedule="cosine", **SHORT).fit(x, Y)
    settings = {"epochs": 3, "schedule": "cosine", "seed": 5, "dtype": dtype, "keep": "last"}
    run = amm.train(DIGITS, law, depth=2, width=30, **settings)
    assert model.loss_curve_ == run.curves["train_loss"]
    for mine, theirs in zip(model.coefs_ + model.intercepts_, [*run.network.weights, *run.network.biases], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert model.score(DIGITS.test.x.astype(dtype), DIGITS.test.y) == run.test_accuracy


def test_regression_follows_a_plain_twin():
    """Two outputs, ReLU, Adam: against NumPy, step by step."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(90, 5)), rng.normal(size=(90, 2))
    model = amm.SampledMLPRegressor((7,), weight_decay=0.01, learning_rate=0.01, **SHORT).fit(x, y)
    start = amm.Network.random([5, 7, 2], seed=5)
    p = [start.weights[0], start.bias(1), start.weights[1], start.bias(2)]
    p, m, v, step, losses = [a.copy() for a in p], [0.0] * 4, [0.0] * 4, 0, []
    orders = Ongoing.first(start, Recipe(amm.get_method("exact"), Adam(), seed=5, dtype=np.float64)).session.epoch_order
    for epoch in range(3):
        for rows in np.split(orders(90, epoch), [20, 40, 60, 80]):
            step += 1
            z = x[rows] @ p[0] + p[1]
            error = np.maximum(z, 0) @ p[2] + p[3] - y[rows]
            losses.append(0.5 * (error**2).sum() / len(rows))
            error /= len(rows)
            back = error @ p[2].T * (z > 0)
            for i, g in enumerate([x[rows].T @ back, back.sum(0), np.maximum(z, 0).T @ error, error.sum(0)]):
                g = g + 0.01 * p[i]
                m[i], v[i] = 0.9 * m[i] + 0.1 * g, 0.999 * v[i] + 0.001 * g * g
                p[i] -= 0.01 * m[i] / (1 - 0.9**step) / (np.sqrt(v[i] / (1 - 0.999**step)) + 1e-8)
    for mine, theirs in zip(
        [model.coefs_[0], model.intercepts_[0], model.coefs_[1], model.intercepts_[1]], p, strict=True
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)
    np.testing.assert_allclose(model.loss_curve_, np.reshape(losses, (3, 5)).mean(axis=1), rtol=1e-8)
    np.testing.assert_allclose(model.predict(x), np.maximum(x @ p[0] + p[1], 0) @ p[2] + p[3], atol=1e-8)


def test_threads_and_blocks_of_rows_change_no_bit():
    models = [amm.SampledMLPClassifier((40, 33), threads=n, **SHORT).fit(X, Y) for n in (1, 2)]
    for one, two in zip(models[0].coefs_, models[1].coefs_, strict=True):
        np.testing.assert_array_equal(one, two)
    many = np.concatenate([X] * 2)  # more than one block
    np.testing.assert_array_equal(*(model.predict_proba(many) for model in models))


def test_float32_inputs_train_and_predict_in_single_precision():
    model = amm.SampledMLPClassifier((10,), **SHORT).fit(X.astype(np.float32), Y)
    assert model.network_.dtype == model.predict_proba(X).dtype == np.float32
    assert amm.SampledMLPClassifier((10,), **SHORT).fit((4 * X).astype(int), Y).network_.dtype == np.float64


def test_random_state():
    def weights(state):
        return (
            amm.SampledMLPClassifier((10,), random_state=state, n_iter_no_change=None, max_iter=1).fit(X, Y).coefs_[0]
        )

    state = np.random.RandomState(0)
    first, second = weights(state), weights(state)
    assert (first != second).any()
    np.testing.assert_array_equal(weights(np.random.RandomState(0)), first)
    np.random.seed(0)  # noqa: NPY002 - None means this generator, as everywhere in scikit-learn
    np.testing.assert_array_equal(weights(None), first)
    np.testing.assert_array_equal(weights(np.int64(3)), weights(3))


def test_early_stopping_keeps_the_best_parameters():
    scores = []

    def watch(record):
        scores.append((record.validation_score, record.estimator.network_))

    settings = {"early_stopping": True, "validation_fraction": 0.2, "learning_rate": 0.01, "callbacks": watch}
    model = amm.SampledMLPClassifier((20,), max_iter=100, n_iter_no_change=4, random_state=1, **settings).fit(X, Y)
    assert model.status_ == "converged"
    assert model.validation_scores_ == [score for score, _ in scores]
    assert len(scores) == model.n_iter_ < 100
    best = int(np.argmax(model.validation_scores_))
    assert model.best_validation_score_ == scores[best][0]
    assert best < len(scores) - 1
    np.testing.assert_array_equal(model.coefs_[0], scores[best][1].weights[0])


def test_early_stopping_of_a_regressor_scores_r2():
    target = X[:, 20:22] ** 2
    model = amm.SampledMLPRegressor((20,), early_stopping=True, validation_fraction=0.5, **SHORT).fit(X, target)
    assert len(model.validation_scores_) == 3
    whole = r2_score(target, model.predict(X))
    assert abs(whole - model.best_validation_score_) < 0.3
    assert model.best_validation_score_ <= 1.0


def test_training_ends_when_the_loss_gains_nothing():
    model = amm.SampledMLPClassifier((10,), n_iter_no_change=2, tol=10.0, random_state=0).fit(X, Y)
    assert model.status_ == "converged"
    assert model.n_iter_ == 4  # the first epoch gains from infinity, the next three do not gain 10
    with pytest.warns(ConvergenceWarning, match="max_iter=2 epochs ended"):
        model.set_params(tol=0.0, max_iter=2).fit(X, Y)


def test_a_callback_sees_a_fitted_estimator_and_may_stop():
    seen = []

    def stop(record):
        seen.append((record.epoch, record.loss, record.validation_score, record.estimator.score(X, Y)))
        return record.epoch == 2

    model = amm.SampledMLPClassifier((20,), callbacks=[stop, lambda record: 1], random_state=0).fit(X, Y)
    assert model.status_ == "stopped"
    assert [epoch for epoch, *_ in seen] == [1, 2]
    assert [loss for _, loss, *_ in seen] == model.loss_curve_
    assert seen[0][2] is None
    assert seen[1][3] == model.score(X, Y)


def test_an_exception_of_a_callback_leaves_what_was_trained():
    def fail(record):
        if record.epoch == 2:
            raise RuntimeError("mine")

    model = amm.SampledMLPClassifier((20,), callbacks=fail, **SHORT)
    with pytest.raises(RuntimeError, match="mine"):
        model.fit(X, Y)
    assert (model.status_, model.n_iter_) == ("interrupted", 2)
    two = amm.SampledMLPClassifier((20,), **SHORT | {"max_iter": 2}).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), two.predict_proba(X))


def test_an_interruption_amid_an_epoch_goes_back_to_its_beginning(monkeypatch):
    """Where it struck must not show: it depends on the clock."""
    from approxmm.engine.session import Session

    steps, run = [], Session.run

    def interrupted(self, *arguments):
        steps.append(run(self, *arguments))
        if len(steps) == 5:
            raise KeyboardInterrupt
        return steps[-1]

    one = amm.SampledMLPClassifier((20,), **SHORT | {"max_iter": 1}).fit(X, Y)
    model = amm.SampledMLPClassifier((20,), warm_start=True, **SHORT | {"max_iter": 1}).fit(X, Y)
    monkeypatch.setattr(Session, "run", interrupted)
    monkeypatch.setattr("approxmm.engine.loop._CHUNK_SECONDS", 1e-9)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    monkeypatch.undo()
    assert model.n_iter_ == 1
    np.testing.assert_array_equal(model.coefs_[0], one.coefs_[0])
    np.testing.assert_array_equal(
        model.fit(X, Y).coefs_[0], amm.SampledMLPClassifier((20,), **SHORT | {"max_iter": 2}).fit(X, Y).coefs_[0]
    )


def test_divergence_is_a_warning_and_the_last_good_parameters_stay():
    model = amm.SampledMLPClassifier((30, 30), learning_rate=1e30, **SHORT)
    with pytest.warns(ConvergenceWarning, match=r"exploded in epoch 1.*lower learning_rate=1e\+30"):
        model.fit(X, Y)
    assert (model.status_, model.n_iter_, model.loss_curve_) == ("diverged", 0, [])
    assert np.isnan(model.loss_)
    np.testing.assert_array_equal(model.coefs_[0], amm.Network.random([64, 30, 30, 10], seed=5).weights[0])
    good = model.set_params(warm_start=True, learning_rate=1e-3).fit(X, Y)
    assert good.status_ == "finished"
    np.testing.assert_array_equal(good.coefs_[0], amm.SampledMLPClassifier((30, 30), **SHORT).fit(X, Y).coefs_[0])


def test_large_targets_are_no_divergence():
    """The squared error has the square of their unit: 10¹² here, before anything is learnt."""
    model = amm.SampledMLPRegressor((10,), **SHORT).fit(X, 1e6 * X[:, 20])
    assert model.status_ == "finished"
    assert model.loss_ > LOSS_LIMIT
    with pytest.warns(ConvergenceWarning, match="exploded"):
        amm.SampledMLPRegressor((10,), learning_rate=1e30, **SHORT).fit(X, X[:, 20])


def test_normalised_networks_and_parts_of_the_products():
    settings = {"method": "bernoulli", "budget": 0.5, "sampled": "weight_gradient", "normalise": "rms"}
    model = amm.SampledMLPClassifier((30, 20), **settings, **SHORT).fit(X.astype(np.float32), Y)
    assert model.network_.normalise == model._predictor.normalise == "rms"
    assert model._ongoing.recipe.sampled == {"weight_gradient"}
    np.testing.assert_allclose(model.decision_function(X), model.network_.forward(X), rtol=1e-3, atol=1e-5)
    assert amm.read_model(model).network.normalise == "rms"


def test_unscaled_dropout_predicts_with_test_time_scaling():
    law = amm.get_method("dropout", 0.4, scaled=False)
    network = amm.Network.random([64, 12, 10], seed=3)
    run = Ongoing.first(network, Recipe(law, Adam(), CrossEntropy(), dtype=np.float64))
    trained, predictor = run.networks()
    np.testing.assert_array_equal(trained.weights[1], network.weights[1])
    np.testing.assert_allclose(predictor.weights[1], law.test_time_scale(12) * network.weights[1], rtol=1e-12)
    same = Ongoing.first(network, Recipe(amm.get_method("dropout", 0.4), Adam(), dtype=np.float64)).networks()
    assert same[0] is same[1]


def test_constant_and_raw_features_need_no_scaling_to_be_safe():
    x = np.column_stack([np.full(60, 3.0), np.arange(60.0) / 60])
    model = amm.SampledMLPClassifier((10,), n_iter_no_change=None, max_iter=300, random_state=0).fit(x, x[:, 1] > 0.5)
    assert model.score(x, x[:, 1] > 0.5) > 0.9
    assert model.predict(x).dtype == bool


def test_fits_run_side_by_side():
    """No global state: two threads that fit at once get what they get alone."""
    models = [amm.SampledMLPClassifier((20,), **SHORT | {"random_state": s}) for s in (1, 2)]
    threads = [threading.Thread(target=model.fit, args=(X, Y)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for model, seed in zip(models, (1, 2), strict=True):
        alone = amm.SampledMLPClassifier((20,), **SHORT | {"random_state": seed}).fit(X, Y)
        np.testing.assert_array_equal(model.coefs_[0], alone.coefs_[0])


def test_verbose_prints_a_line_an_epoch(capsys):
    amm.SampledMLPClassifier((5,), verbose=True, early_stopping=True, **SHORT).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("Iteration 3, loss = ")
