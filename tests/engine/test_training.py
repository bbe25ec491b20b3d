"""Whole runs: against plain NumPy twins, and what a run promises whatever happens."""

from __future__ import annotations

import numpy as np
import pytest
from precision import precision

from approxmm.data import load_data
from approxmm.data.dataset import Dataset
from approxmm.engine import (
    Adagrad,
    Adam,
    Momentum,
    Progress,
    Sgd,
    make_optimizer,
    measure,
    train,
)
from approxmm.engine.optimizers import Optimizer
from approxmm.engine.recipe import Recipe
from approxmm.engine.session import Session
from approxmm.engine.steps import StepRange
from approxmm.errors import InputError
from approxmm.methods import available_methods, get_method
from approxmm.network import Network
from approxmm.propagation import simulate


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data("digits", dtype=np.float64)


class Twin:
    """Exact training in plain NumPy, the slow obvious way."""

    def __init__(self, network: Network, optimizer: Optimizer) -> None:
        self.W = [w.copy() for w in network.weights]
        self.b = [network.bias(k + 1).copy() for k in range(network.depth)]
        self.optimizer, self.step = optimizer, 0
        self.memory = [[np.zeros_like(p) for p in (*self.W, *self.b)] for _ in range(2)]

    def train_step(self, x: np.ndarray, y: np.ndarray) -> float:
        outputs, pre = [x], []
        for k, (W, b) in enumerate(zip(self.W, self.b, strict=True)):
            pre.append(outputs[-1] @ W + b)
            outputs.append(np.maximum(pre[-1], 0) if k < len(self.W) - 1 else pre[-1])
        shifted = pre[-1] - pre[-1].max(axis=1, keepdims=True)
        p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(len(y)), y]).mean()
        delta = p.copy()
        delta[np.arange(len(y)), y] -= 1
        delta /= len(y)
        grad_W, grad_b = [], []
        for k in range(len(self.W) - 1, -1, -1):
            grad_W.insert(0, outputs[k].T @ delta)
            grad_b.insert(0, delta.sum(axis=0))
            if k > 0:
                delta = (delta @ self.W[k].T) * (pre[k - 1] > 0)
        self._update([*grad_W, *grad_b])
        return float(loss)

    def _update(self, gradients: list[np.ndarray]) -> None:
        self.step += 1
        o = self.optimizer
        for i, (p, g) in enumerate(zip((*self.W, *self.b), gradients, strict=True)):
            m, v = self.memory[0][i], self.memory[1][i]
            g = g + o.weight_decay * p
            if isinstance(o, Sgd):
                p -= o.lr * g
            elif isinstance(o, Momentum):
                m *= o.momentum
                m += g
                p -= o.lr * (g + o.momentum * m if o.nesterov else m)
            elif isinstance(o, Adagrad):
                m += g * g
                p -= o.lr * g / (np.sqrt(m) + o.eps)
            else:
                m += (1 - o.beta1) * (g - m)
                v += (1 - o.beta2) * (g * g - v)
                p -= o.lr * (m / (1 - o.beta1**self.step)) / (np.sqrt(v / (1 - o.beta2**self.step)) + o.eps)


# Each class compiles once: what its parameters do is tested with the same specialisation.
RULES = {
    "sgd": Sgd(0.05),
    "sgd_decay": Sgd(0.05, weight_decay=0.01),
    "momentum": Momentum(0.02, 0.9),
    "nesterov": Momentum(0.02, 0.9, nesterov=True, weight_decay=0.001),
    "adagrad": Adagrad(0.01, weight_decay=0.001),
    "adam": Adam(1e-3),
    "adam_decay": Adam(1e-3, weight_decay=0.01),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("batch", [1, 20])
def test_exact_training_follows_the_numpy_twin(digits: Dataset, rule: str, batch: int) -> None:
    optimizer = RULES[rule]
    network = Network.random([64, 40, 30, 10], seed=5)
    session = Session(network, Recipe(get_method("exact"), optimizer, batch=batch, seed=5, dtype=np.float64))
    twin, x, y = Twin(network, optimizer), digits.train.x, digits.train.y
    order, losses = session.epoch_order(len(x), 0), np.zeros(200)
    steps = min(200, -(-len(x) // batch))
    assert session.run(x, y, StepRange(order, 0, steps, 0, np.full(steps, optimizer.lr)), losses) == steps
    expected = [
        twin.train_step(x[rows], y[rows]) for rows in (order[s * batch : (s + 1) * batch] for s in range(steps))
    ]
    np.testing.assert_allclose(losses[:steps], expected, rtol=1e-7)
    for k, W in enumerate(twin.W):
        np.testing.assert_allclose(session.network().weights[k], W, rtol=0, atol=1e-8)


@pytest.mark.parametrize("method", ["dropout", "bernoulli", "oracle_active"])
def test_full_budget_reproduces_the_exact_trajectory(digits: Dataset, method: str) -> None:
    runs = [
        train(digits, get_method(name, 1.0), depth=2, width=30, epochs=1, seed=1, dtype=np.float64)
        for name in ("exact", method)
    ]
    np.testing.assert_allclose(runs[0].curves["train_loss"], runs[1].curves["train_loss"], rtol=1e-9)
    for exact, sampled in zip(runs[0].network.weights, runs[1].network.weights, strict=True):
        np.testing.assert_allclose(sampled, exact, rtol=0, atol=1e-9)


def test_last_batch_may_be_smaller_and_batch_larger_than_data(digits: Dataset) -> None:
    result = train(digits, get_method("bernoulli", 0.5), depth=1, width=20, batch=100_000, epochs=2)
    assert result.steps == 2
    assert result.status == "finished"
    assert train(digits, get_method("exact"), depth=1, width=20, batch=1000).steps == 2


def test_training_learns(digits: Dataset) -> None:
    result = train(digits, get_method("exact"), depth=2, width=100, epochs=10)
    assert result.status == "finished"
    assert result.test_accuracy > 0.95
    assert result.test_accuracy == result.test_accuracy_sampled
    assert result.multiplications_fraction == 1.0
    losses = result.curves["train_loss"]
    assert losses[-1] < 0.1 * losses[0]
    assert list(result.to_pandas().columns) == ["train_loss", "validation_accuracy", "seconds", "steps", "examples"]


def test_divergence_is_a_status_and_the_last_good_parameters_stay(digits: Dataset) -> None:
    result = train(digits, get_method("exact"), depth=3, width=50, optimizer=Sgd(1e6), epochs=2, seed=2)
    assert result.status == "diverged"
    assert result.epochs == 0
    start = Network.random([64, 50, 50, 50, 10], seed=2).astype(np.float32)
    for W, initial in zip(result.network.weights, start.weights, strict=True):
        np.testing.assert_array_equal(W, initial)
    assert np.isfinite(result.test_accuracy)


def test_interruption_keeps_what_was_trained(digits: Dataset) -> None:
    def stop(at: Progress) -> None:
        if at.epoch == 3:
            raise KeyboardInterrupt

    result = train(digits, get_method("exact"), depth=1, width=30, epochs=50, progress=stop)
    assert result.status == "interrupted"
    assert result.epochs == 2
    assert result.test_accuracy > 0.7


# A law that observes knows its inputs: in training those of the training set, in a simulation the measured ones.
COMPARABLE = [name for name in available_methods() if name != "exact" and not get_method(name).claims.observes]


@pytest.mark.parametrize("method", COMPARABLE)
def test_measured_compounding_agrees_with_simulation(digits: Dataset, method: str) -> None:
    """Two independent routes: the engine's kernels and draws, and the simulator's.

    The engine averages over 4 repeats of 9 minibatches, so its own spread is estimated from the simulation's: the
    tolerance is 6 standard errors (false-alarm rate below 1e-8 if Gaussian), with the fixed seed.
    """
    law = get_method(method, 0.5)
    result = train(digits, law, depth=2, width=60, epochs=2, measure_every=2, probe=179, dtype=precision(method))
    measured = result.profiles[-1]
    simulated = simulate(result.network, law, digits.validation.x[:179], trials=200, batch=20, seed=1)
    for mine, theirs in zip(measured.layers, simulated.layers, strict=True):
        if theirs.output.ci95 is None:
            assert mine.output.relative_error == pytest.approx(theirs.output.relative_error, rel=1e-3)
            continue
        spread = (theirs.output.ci95[1] - theirs.output.ci95[0]) / 2 / 1.97 * np.sqrt(200 / 4)
        assert abs(mine.output.relative_error - theirs.output.relative_error) <= 6 * spread + 1e-6


def test_effective_ratio_is_active_sum_over_inactive_sum() -> None:
    """Outputs 1, 2, 3, 4, of which the top two are active, and equal weights: (3 + 4)/(1 + 2) at every node."""
    network = Network((np.eye(4), np.ones((4, 3))))
    session = Session(network, Recipe(get_method("oracle_active", 0.5), Sgd(), batch=2, dtype=np.float64))
    profile = measure(session, np.array([[1.0, 2.0, 3.0, 4.0], [8.0, 2.0, 4.0, 6.0]]), repeats=1)
    first, second = (layer.extra for layer in profile.layers)
    assert first == {"recall": 1.0}
    assert second["ratio_median"] == pytest.approx(7 / 3)
    # Least squares over both examples: Σ active·total / Σ total² = (7·10 + 14·20)/(10² + 20²) = 0.7.
    assert second["ratio"] == pytest.approx(0.7 / 0.3)


def test_unscaled_dropout_is_evaluated_with_test_time_scaling(digits: Dataset) -> None:
    """In a linear network the scaled weights give the sampled outputs' mean; a network with raw weights does not."""
    network = Network.random([64, 12, 9, 10], activation="linear", bias_std=0.2, seed=3)
    law = get_method("dropout", 0.4, scaled=False)
    session = Session(network, Recipe(law, Sgd(), dtype=np.float64))
    x = digits.validation.x[:20]
    exact = session.layers(x, False, 0, session.test_time_params())[-1][1].copy()
    scale = [law.test_time_scale(n) for n in (12, 9)]
    a = x @ network.weights[0] + network.bias(1)
    a = scale[0] * a @ network.weights[1] + network.bias(2)
    np.testing.assert_allclose(exact, scale[1] * a @ network.weights[2] + network.bias(3), rtol=1e-10)
    np.testing.assert_array_equal(session.predict(x), exact.argmax(axis=1))
    assert (session.predict(x) != network.forward(x).argmax(axis=1)).any()
    np.testing.assert_array_equal(session.params, Session(network, Recipe(law, Sgd(), dtype=np.float64)).params)
    scaled = Session(network, Recipe(get_method("dropout", 0.4), Sgd(), dtype=np.float64))
    assert scaled.test_time_params() is scaled.params


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, "depth=0 must be an integer of at least 1"),
        ({"batch": -1}, "batch=-1"),
        ({"epochs": 0}, "epochs=0"),
        ({"measure_every": 0}, "measure_every=0 must be an integer of at least 1"),
        ({"measure_at": (0, -1)}, r"measure_at=\(0, -1\) must be numbers of steps"),
        ({"measure_at": "100"}, "measure_at='100' must be numbers of steps"),
        ({"measure_at": [64], "epochs": 1}, r"measure_at=64: the run ends after 63 steps \(63 an epoch\)"),
        ({"evaluate_every": 0}, "evaluate_every=0 must be"),
        ({"patience": 0}, "patience=0 must be"),
        ({"threads": 0}, "threads=0 must be"),
        ({"keep": "first"}, "keep='first' is unknown; choose one of best, last"),
        ({"epoch": 3}, "epoch=3: train has no such argument"),
        ({"resume": True}, "resume=True needs a checkpoint"),
        ({"activation": "rellu"}, "did you mean 'relu'"),
        ({"network": Network.random([3, 10])}, "does not fit data 'digits'"),
    ],
)
def test_bad_arguments_are_named(digits: Dataset, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(digits, get_method("exact"), **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sdg", None, None), "optimizer='sdg' is unknown"),
        (("sgd", -1.0, None), r"lr=-1.0 must lie in \(0, inf\)"),
        (("adam", None, 0.9), "momentum=0.9 is not a parameter of optimizer 'adam'"),
        (("sgd", None, 1.0), r"momentum=1.0 must lie in \[0, 1\)"),
    ],
)
def test_bad_optimizers_are_named(arguments: tuple[str, float | None, float | None], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_optimizer(*arguments)
