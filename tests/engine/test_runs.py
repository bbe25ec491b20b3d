"""What a run keeps, evaluates and counts, and the data that it refuses."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from approxmm.data import load_data
from approxmm.data.dataset import Dataset, Split
from approxmm.engine import PRESETS, Adam, Hooks, Plan, Recipe, Run, TrainingResult, get_preset, preset, train
from approxmm.engine.arguments import plain_settings, train_arguments
from approxmm.engine.curves import Curves
from approxmm.engine.ledger import PHASES
from approxmm.engine.loop import Position
from approxmm.engine.session import Session
from approxmm.errors import DataError, InputError
from approxmm.methods import get_method
from approxmm.methods.exact import Exact
from approxmm.network import Network

SMALL: dict[str, Any] = {"depth": 1, "width": 20, "seed": 3}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data("digits")


@pytest.fixture(scope="module")
def ten_epochs(digits: Dataset) -> TrainingResult:
    """Large steps, so that the last epoch is not the best."""
    return train(digits, Exact(), optimizer=Adam(0.03), epochs=10, **SMALL)


def make_run(data: Dataset, plan: Plan, **hooks: Any) -> Run:
    session = Session(Network.random([64, 20, 10], seed=3), Recipe(Exact(), seed=3))
    return Run(session, (data.train.x, data.train.y), (data.validation.x, data.validation.y), plan, Hooks(**hooks))


def assert_same(first: Network, second: Network) -> None:
    for a, b in zip((*first.weights, *first.biases), (*second.weights, *second.biases), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_best_epoch_is_kept(digits: Dataset, ten_epochs: TrainingResult) -> None:
    scores = ten_epochs.curves["validation_accuracy"]
    best = int(np.argmax(scores)) + 1
    assert best < 10, "the test needs a run whose last epoch is not its best"
    assert ten_epochs.kept == {"which": "best", "epoch": best, "step": best * 63}
    assert ten_epochs.validation_accuracy == max(scores)
    shorter = train(digits, Exact(), optimizer=Adam(0.03), epochs=best, keep="last", **SMALL)
    assert shorter.kept == {"which": "last", "epoch": best, "step": best * 63}
    assert_same(ten_epochs.network, shorter.network)
    last = train(digits, Exact(), optimizer=Adam(0.03), epochs=10, keep="last", **SMALL)
    assert last.validation_accuracy == scores[-1]
    assert last.curves["train_loss"] == ten_epochs.curves["train_loss"]


def test_patience_ends_a_run(digits: Dataset, ten_epochs: TrainingResult) -> None:
    scores = ten_epochs.curves["validation_accuracy"]
    result = train(digits, Exact(), optimizer=Adam(0.03), epochs=10, patience=1, **SMALL)
    expected = next(i for i in range(1, 10) if scores[i] <= max(scores[:i])) + 1
    assert (result.status, result.epochs) == ("finished", expected)


def test_divergence_returns_to_the_last_evaluation(digits: Dataset) -> None:
    """The poisoned update of step 50 shows in the loss of step 51; the evaluation after step 40 is what is left."""
    seen: dict[int, Network] = {}

    def poison(at: Any) -> None:
        seen[at.step] = run.session.network() if at.step in (20, 40) else seen.get(at.step)
        if at.step >= 50:
            run.session.params[3] = np.nan

    run = make_run(digits, Plan(epochs=3, evaluate_every=10), progress=poison)
    assert run.train() == "diverged"
    assert run.put_back_kept() == "good"
    assert (run.good.epoch, run.good.step) == (0, 40)
    assert_same(run.session.network(), seen[40])


def test_parameters_that_explode_in_an_epochs_last_step_are_divergence(digits: Dataset) -> None:
    def poison(at: Any) -> None:
        if at.step == 126:
            run.session.params[-1] = np.inf

    run = make_run(digits, Plan(epochs=2), progress=poison)
    assert run.train() == "diverged"
    assert (run.good.step, run.curves.epochs["epoch"]) == (63, [1])
    assert np.isfinite(run.session.params).all()


def test_stop_ends_a_run_at_the_next_chunk(digits: Dataset) -> None:
    run = make_run(digits, Plan(epochs=1000), stop=lambda: run.at.taken >= 100)
    assert run.train() == "interrupted"
    assert 100 <= run.at.taken < 63_000
    assert run.whole
    taken = run.at.taken
    run.hooks = Hooks()
    run.plan = replace(run.plan, epochs=run.at.epoch + 1)
    assert run.train() == "finished", "a run goes on after a stop"
    assert run.at.taken > taken


def test_a_run_without_validation_keeps_its_last_parameters(digits: Dataset) -> None:
    session = Session(Network.random([64, 20, 10], seed=3), Recipe(Exact(), seed=3))
    run = Run(session, (digits.train.x, digits.train.y), None, Plan(epochs=2, patience=1))
    assert run.train() == "finished"
    assert run.put_back_kept() == "last"
    assert run.at.epoch == 2


def test_evaluations_change_nothing_but_what_is_recorded(digits: Dataset) -> None:
    often = train(digits, Exact(), epochs=2, evaluate_every=7, evaluate_on=50, validate="sampled", **SMALL)
    never = train(digits, Exact(), epochs=2, **SMALL)
    assert_same(often.network, never.network)
    assert often.evaluations["step"] == list(range(7, 127, 7))
    assert often.evaluations["examples"][:2] == [140, 280]
    assert often.evaluations["examples"][-1] == 2 * 1259, "the last batch of an epoch is smaller"
    assert never.evaluations["step"] == []


def test_time_to_accuracy_is_the_first_evaluation_that_reaches_it() -> None:
    curves = Curves()
    for epoch, score in enumerate([0.5, 0.91, 0.89, 0.96], start=1):
        curves.end_epoch(Position(epoch, 0, 10 * epoch, 100 * epoch, 1.5 * epoch, 0), 1.0, score)
    assert curves.time_to() == {
        "0.9": {"examples": 200, "seconds": 3.0},
        "0.95": {"examples": 400, "seconds": 6.0},
        "0.97": None,
    }
    curves.evaluated(Position(0, 5, 5, 50, 0.7, 0), 1.0, 0.98)
    assert curves.time_to([0.97]) == {"0.97": {"examples": 50, "seconds": 0.7}}


def test_confusion_is_scikit_learns(digits: Dataset, ten_epochs: TrainingResult, tmp_path: Path) -> None:
    predicted = ten_epochs.network.forward(digits.test.x).argmax(axis=1)
    np.testing.assert_array_equal(ten_epochs.confusion, confusion_matrix(digits.test.y, predicted))
    table = ten_epochs.confusion_table()
    assert table.loc["3"].sum() == (digits.test.y == 3).sum()
    assert ten_epochs.test_accuracy == np.trace(table.to_numpy()) / len(digits.test)
    ten_epochs.save_plot(tmp_path / "result.png")
    assert (tmp_path / "result.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match=r"\.svg"):
        ten_epochs.save_plot(tmp_path / "result.doc")


def test_multiplications_are_counted_by_product(digits: Dataset) -> None:
    whole = train(digits, Exact(), epochs=1, **{**SMALL, "depth": 2})
    layers = [64 * 20, 20 * 20, 20 * 10]
    dense = {"forward": sum(layers), "input_gradient": sum(layers[1:]), "weight_gradient": sum(layers)}
    assert whole.multiplications["dense"] == {name: 1259 * count for name, count in dense.items()}
    assert whole.multiplications["done"] == {**whole.multiplications["dense"], "selection": 0.0, "upkeep": 0.0}
    method = get_method("bernoulli", 0.5, probabilities="uniform")
    half = train(digits, method, epochs=1, sampled=frozenset({"weight_gradient"}), **{**SMALL, "depth": 2})
    done, shares = half.multiplications["done"], half.active_fractions
    phases = {name: half.phase_seconds[name] for name in PHASES}
    assert sum(phases.values()) == pytest.approx(half.seconds)
    assert min(phases.values()) > 0.0
    assert done["forward"] == whole.multiplications["done"]["forward"]
    # 63 draws of 64 and of 20 pairs: six standard deviations of a binomial share around one half.
    for share, pairs in zip(shares[:2], (64, 20), strict=True):
        assert abs(share - 0.5) < 6 * 0.5 / np.sqrt(63 * pairs)
    assert shares[2] is None
    expected = 1259 * (layers[0] * shares[0] + layers[1] * shares[1] + layers[2])
    assert done["weight_gradient"] == pytest.approx(expected, rel=1e-12)
    assert half.multiplications_fraction == sum(done.values()) / sum(half.multiplications["dense"].values())


def broken(data: Dataset, **parts: tuple[Any, Any]) -> Dataset:
    return replace(data, **{name: Split(*pair) for name, pair in parts.items()})


def test_data_that_cannot_be_learned_from_are_refused(digits: Dataset) -> None:
    x, y = digits.train.x, digits.train.y
    nan, high, low = x.copy(), y.copy(), y.copy()
    nan[5, 7], high[4], low[9] = np.nan, 10, -1
    cases = {
        r"train split has label 10 \(example 4\); labels are 0 … 9": {"train": (x, high)},
        r"train split has label -1 \(example 9\)": {"train": (x, low)},
        "all 1259 training examples are of class 0": {"train": (x, y * 0)},
        r"train split has 1 value\(s\) that are NaN or infinite": {"train": (nan, y)},
        "all features are constant": {"train": (x * 0 + 1, y)},
        "validation split is empty": {"validation": (x[:0], y[:0])},
        "test split is empty": {"test": (x[:0], y[:0])},
        "labels of type float64": {"test": (x, y.astype(float))},
        r"inputs of shape \(1259, 64\) and labels of shape \(1258,\)": {"train": (x, y[1:])},
    }
    for message, parts in cases.items():
        with pytest.raises(DataError, match=message):
            train(broken(digits, **parts), Exact(), **SMALL)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_arguments_of_train(name: str) -> None:
    arguments = preset(name, epochs=2, width=30)
    assert (arguments["epochs"], arguments["width"]) == (2, 30)
    of_plan = {field.name for field in fields(Plan)}
    Plan(**{key: value for key, value in arguments.items() if key in of_plan})
    Recipe(arguments["method"], arguments["optimizer"], batch=arguments["batch"])
    assert arguments["method"].name == get_preset(name).settings["method"]


def test_presets_hold_the_published_numbers() -> None:
    found = {name: preset(name) for name in PRESETS if name.startswith("published")}
    assert {a["epochs"] for a in found.values()} == {50}
    assert {name: a["batch"] for name, a in found.items() if a["batch"] != 1} == {"published_column_row": 20}
    assert {a["optimizer"].eps for a in found.values()} == {1e-4}
    rates = {name: a["optimizer"].lr for name, a in found.items()}
    assert rates["published_alsh"] == rates["published_dropout"] == 1e-3
    assert rates["published_standard"] == 1e-4
    alsh = found["published_alsh"]["method"]
    assert (alsh.bits, alsh.tables, alsh.norm_power, alsh.U, alsh.budget.value) == (6, 5, 3, 0.83, 0.05)
    with pytest.raises(InputError, match="did you mean 'published_alsh'"):
        get_preset("publishd_alsh")


@pytest.mark.parametrize(
    "plain",
    [
        {
            "method": "bernoulli",
            "budget": 7,
            "options": {"probabilities": "uniform"},
            "optimizer": "nesterov",
            "lr": 0.2,
        },
        {"method": "dropout", "budget": 1.0, "optimizer": "lazy_adam", "eps": 1e-4, "sampled": ["forward"]},
        {"optimizer": "sgd", "dtype": "float64", "schedule": "cosine", "keep": "last", "normalise": "rms"},
    ],
)
def test_settings_of_a_result_give_its_arguments_again(
    digits: Dataset, plain: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("approxmm.engine.run.Run.train", lambda run: "finished")  # nothing is compiled for training
    monkeypatch.setattr("approxmm.engine.session.Session.predict", lambda self, x, sampled=False: np.zeros(len(x), int))
    arguments = train_arguments(plain)
    settings = train(digits, **arguments, **SMALL).settings
    again = train_arguments(plain_settings(settings) | {"data": None, "standardise": None})
    for name, value in {**arguments, **SMALL}.items():
        assert again[name] == value
    with pytest.raises(InputError, match="a network of its own"):
        plain_settings(settings | {"widths": [64, 20, 21, 10]})
