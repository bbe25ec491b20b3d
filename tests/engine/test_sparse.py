"""The per-example path against the minibatch path, which computes whole layers: the same draws, the same parameters."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from approxmm.engine import Adagrad, Adam, Momentum, Sgd
from approxmm.engine.ledger import KEPT, totals
from approxmm.engine.paths import choose_path, make_session
from approxmm.engine.recipe import Recipe
from approxmm.engine.session import Session
from approxmm.engine.steps import StepRange
from approxmm.errors import InputError
from approxmm.methods import available_methods, get_method
from approxmm.methods.contract import Claims, Method
from approxmm.methods.dropout import Dropout
from approxmm.network import Network

WIDTHS, EXAMPLES, STEPS = [20, 30, 25, 7], 300, 50


def examples(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sparse inputs, one of them of zeros only."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((EXAMPLES, WIDTHS[0])) * (rng.random((EXAMPLES, WIDTHS[0])) < 0.4)
    x[7] = 0.0
    return x, rng.integers(0, WIDTHS[-1], EXAMPLES)


def run(
    path: str, method: Method, activation: str = "relu", normalise: str = "none", **recipe: Any
) -> tuple[Session, np.ndarray]:
    """Take 50 steps in two chunks, the last batch of an epoch smaller than the others."""
    network = Network.random(WIDTHS, activation=activation, bias_std=0.1, seed=1, normalise=normalise)
    settings: dict[str, Any] = {"optimizer": Sgd(0.05), "batch": 1, "dtype": np.float64, **recipe}
    session = make_session(network, Recipe(method, path=path, **settings))
    x, y = examples()
    order = np.arange(min(EXAMPLES, STEPS * session.batch - session.batch // 2))
    rates, losses = session.optimizer.lr * np.linspace(1.0, 0.5, STEPS), np.zeros(STEPS)
    for first, stop in ((0, 13), (13, STEPS)):
        assert session.run(x, y, StepRange(order, first, stop, 0, rates[first:stop]), losses) == stop - first
    return session, losses


def assert_same(mine: tuple[Session, np.ndarray], other: tuple[Session, np.ndarray], tolerance: float) -> None:
    np.testing.assert_allclose(mine[1], other[1], rtol=0, atol=tolerance)
    np.testing.assert_allclose(mine[0].params, other[0].params, rtol=0, atol=tolerance)
    np.testing.assert_allclose(mine[0].slots, other[0].slots, rtol=0, atol=tolerance)


def law(name: str, budget: float = 0.3, **options: Any) -> Method:
    return get_method(name) if name == "exact" else get_method(name, budget, **options)


QUICK = ("dropout", "bernoulli")
CASES: list[Any] = [
    pytest.param(name, {}, marks=[] if name in QUICK else [pytest.mark.slow]) for name in available_methods()
]
CASES += [
    ("dropout", {"batch": 6, "normalise": "rms"}),
    *(
        pytest.param(name, more, marks=pytest.mark.slow)
        for name, more in (
            ("exact", {"activation": "tanh"}),
            ("exact", {"activation": "leaky_relu", "normalise": "rms"}),
            ("bernoulli", {"activation": "tanh", "normalise": "rms"}),
            ("dropout", {"optimizer": Adagrad(0.01)}),
            ("dropout", {"optimizer": Adam(lazy=True, weight_decay=0.01)}),
            ("dropout", {"optimizer": Adam(lazy=True), "batch": 6}),
            ("oracle_active", {"optimizer": Adagrad(0.01), "batch": 6, "threads": 2}),
            ("subspace_screen", {"batch": 6, "normalise": "rms"}),
            ("alsh", {"options": {"rebuild": "incremental"}}),
        )
    ),
]


@pytest.mark.parametrize(("method", "more"), CASES)
def test_two_paths_agree_on_the_same_draws(method: str, more: dict[str, Any]) -> None:
    options = more.get("options", {})
    settings = {name: value for name, value in more.items() if name != "options"}
    mine, other = (run(path, law(method, **options), **settings) for path in ("per_example", "minibatch"))
    assert mine[0].path.startswith("per_example")
    assert_same(mine, other, 1e-10)
    kept = [totals(session.ledger).counts[:, KEPT] for session, _ in (mine, other)]
    np.testing.assert_array_equal(kept[0], kept[1])
    assert (kept[0][:2] > 0).all() == (method != "exact")
    phases = totals(other[0].ledger).seconds
    assert (phases > 0.0).tolist() == [method != "exact", True, True, True, True]
    start = Network.random(WIDTHS, bias_std=0.1, seed=1)
    assert all(np.abs(W - V).max() > 1e-4 for W, V in zip(mine[0].network().weights, start.weights, strict=True))


@pytest.mark.parametrize("normalise", ["none", "rms"])
def test_scores_do_not_depend_on_how_many_examples_are_evaluated_together(normalise: str) -> None:
    session, _ = run("minibatch", law("dropout"), batch=6, normalise=normalise)
    x, _ = examples()
    scores = []
    for rows in (1, 4, 7, 25, EXAMPLES):
        session.work = session._workspace(rows, 1)
        scores.append(session.scores(x))
        np.testing.assert_array_equal(scores[0], scores[-1])
    assert np.abs(scores[0]).max() > 0.1


@pytest.mark.slow
def test_batches_are_stepped_in_single_precision_too() -> None:
    """No array of another type is in the way, and the draws are the same."""
    single, double = (run("per_example", law("dropout"), batch=6, dtype=dtype) for dtype in (np.float32, np.float64))
    assert single[0].params.dtype == np.float32
    assert_same(single, double, 1e-4)


def test_full_budget_is_exact_training() -> None:
    assert_same(run("per_example", law("dropout", 1.0)), run("minibatch", law("exact")), 1e-12)


def test_the_normalisation_is_not_ignored() -> None:
    """Negative control: the agreement above would not hold with another network."""
    plain, normalised = (run("per_example", law("dropout"), normalise=name, batch=6)[1] for name in ("none", "rms"))
    assert np.abs(plain - normalised).max() > 1e-3


@pytest.mark.parametrize("method", ["dropout", pytest.param("subspace_screen", marks=pytest.mark.slow)])
def test_same_bits_for_any_number_of_threads(method: str) -> None:
    runs = [run("per_example", law(method), batch=6, threads=threads) for threads in (1, 2, 3)]
    for other in runs[1:]:
        assert_same(runs[0], other, 0.0)


def span(wanted: np.ndarray, width: int) -> int:
    """Of a line: what lies between the first and the last number that is wanted, or single ones where they are few."""
    return int(wanted[-1] + 1 - wanted[0]) if 10 * wanted.size > width else wanted.size


def plain_count(network: Network, x: np.ndarray, gathers: bool) -> np.ndarray:
    """Return the multiplications (L, 3) of one example's step without a mask, weights lying node by node."""
    counts, sent, a = np.zeros((network.depth, 3)), [np.flatnonzero(x)], x
    for k, W in enumerate(network.weights[:-1]):
        a = np.maximum(a @ W + network.bias(k + 1), 0.0)
        sent.append(np.flatnonzero(a))
        counts[k, 0] = W.shape[1] * span(sent[k], W.shape[0])
    for k, W in enumerate(network.weights[:-1]):
        n, nodes = W.shape[0], sent[k + 1].size
        counts[k, 1] = nodes * (n if 10 * sent[k].size > n else sent[k].size) if k > 0 else 0
        counts[k, 2] = nodes * (sent[k].size if gathers else span(sent[k], n))
    counts[-1] = sent[-1].size * network.widths[-1]
    return counts


@pytest.mark.parametrize(
    ("batch", "optimizer"),
    [
        (1, Sgd(0.05)),
        (6, Sgd(0.05)),
        pytest.param(1, Adagrad(0.01), marks=pytest.mark.slow),
        pytest.param(6, Adagrad(0.01), marks=pytest.mark.slow),
    ],
)
def test_counted_are_the_multiplications_that_are_done(batch: int, optimizer: Any) -> None:
    """Step by step against a count in plain Python; single examples among them whose input is read singly."""
    network, (x, y) = Network.random(WIDTHS, bias_std=0.1, seed=1), examples()
    x[5:9, 2:] = 0.0
    recipe = Recipe(law("dropout", 1.0), optimizer, batch=batch, dtype=np.float64, path="per_example")
    session, order, losses = make_session(network, recipe), np.arange(batch * STEPS)[: EXAMPLES - 1], np.zeros(STEPS)
    rates, expected = np.full(STEPS, 0.05), np.zeros((len(WIDTHS) - 1, 3))
    for step in range(-(-order.size // batch)):
        now = session.network()
        for row in order[step * batch : (step + 1) * batch]:
            expected += plain_count(now, x[row], gathers=not isinstance(optimizer, Sgd))
        assert session.run(x, y, StepRange(order, step, step + 1, 0, rates[step : step + 1]), losses) == 1
    counts = totals(session.ledger).counts
    np.testing.assert_array_equal(counts[:, :3], expected)
    kept = [order.size * WIDTHS[1], order.size * WIDTHS[2], 0]
    assert counts[:, KEPT].tolist() == kept, "the last layer is not sampled"
    whole = [np.prod(pair) * order.size for pair in pairwise(WIDTHS)]
    assert (expected[0] < whole[0]).all()


def test_asynchronous_threads_learn() -> None:
    """Their order is chance's. In 40 runs the last loss was 0.146 ± 0.022, the accuracy 0.983 ± 0.009.

    The limits lie more than 20 standard deviations away.
    """
    session, _ = run("per_example", law("dropout", 0.9), asynchronous=True, threads=2)
    x, _ = examples()
    y = (x @ np.random.default_rng(5).standard_normal((WIDTHS[0], WIDTHS[-1]))).argmax(axis=1)
    losses = np.zeros((30, EXAMPLES))
    for epoch in range(30):
        steps = StepRange(session.epoch_order(EXAMPLES, epoch), 0, EXAMPLES, 0, np.full(EXAMPLES, 0.02))
        assert session.run(x, y, steps, losses[epoch]) == EXAMPLES
    assert losses[-1].mean() < 0.75 < 1.5 < losses[0].mean()
    assert session.accuracy(x, y) > 0.8


@pytest.mark.parametrize(
    ("method", "optimizer", "batch", "expected"),
    [
        ("exact", Sgd(), 1, "per_example"),
        ("exact", Momentum(), 1, "minibatch"),
        ("exact", Adam(), 1, "minibatch"),
        ("exact", Sgd(), 20, "minibatch"),
        ("subspace_screen", Sgd(), 20, "per_example"),
        ("oracle_active", Sgd(), 20, "minibatch"),
        ("dropout", Sgd(weight_decay=0.1), 1, "minibatch"),
    ],
)
def test_the_choice_is_automatic(method: str, optimizer: Any, batch: int, expected: str) -> None:
    path, reason = choose_path(Recipe(law(method, 0.05), optimizer, batch=batch))
    assert path == expected
    assert reason


class OneAtATime(Dropout):
    @property
    def claims(self) -> Claims:
        return replace(super().claims, lock_free=False)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (Recipe(law("exact"), Adam(), batch=1, path="per_example"), "adam moves weights .* choose path='minibatch'"),
        (Recipe(law("exact"), Sgd(), batch=1, path="minibatch", asynchronous=True), "needs the per-example path"),
        (Recipe(law("exact"), Sgd(), batch=2, asynchronous=True), "not batch=2; choose batch=1"),
        (Recipe(OneAtATime(0.5), Sgd(), batch=1, asynchronous=True), "method 'dropout', whose state"),
        (Recipe(law("exact"), Sgd(), batch=1, path="per_example", independent=True), "only one draw"),
    ],
)
def test_what_is_impossible_is_refused_with_the_remedy(recipe: Recipe, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_path(recipe)
