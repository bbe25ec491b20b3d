"""Exact training against PyTorch: same weights, same batches, double precision, where torch is installed."""

from __future__ import annotations

import numpy as np
import pytest

from approxmm.data import load_data
from approxmm.engine.optimizers import Adam, Optimizer, Sgd
from approxmm.engine.recipe import Recipe
from approxmm.engine.session import Session
from approxmm.engine.steps import StepRange
from approxmm.methods import get_method
from approxmm.network import Network

torch = pytest.importorskip("torch")
STEPS, BATCH = 200, 20


def torch_losses(
    network: Network, x: np.ndarray, y: np.ndarray, order: np.ndarray, optimizer: Optimizer
) -> list[float]:
    layers: list[torch.nn.Module] = []
    for k, W in enumerate(network.weights, start=1):
        linear = torch.nn.Linear(*W.shape, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T.copy()))
            linear.bias.copy_(torch.from_numpy(network.bias(k)))
        layers += [linear, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    rule = (
        torch.optim.SGD(model.parameters(), lr=optimizer.lr, weight_decay=optimizer.weight_decay)
        if isinstance(optimizer, Sgd)
        else torch.optim.Adam(
            model.parameters(), optimizer.lr, (optimizer.beta1, optimizer.beta2), optimizer.eps, optimizer.weight_decay
        )
    )
    inputs, classes, losses = torch.from_numpy(x), torch.from_numpy(y), []
    for step in range(STEPS):
        rows = order[(step * BATCH) % 1000 : (step * BATCH) % 1000 + BATCH]
        rule.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs[rows]), classes[rows])
        loss.backward()
        rule.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("optimizer", [Sgd(0.05), Sgd(0.05, 0.01), Adam(1e-3), Adam(1e-3, eps=1e-3, weight_decay=0.01)])
def test_exact_training_follows_torch(optimizer: Optimizer) -> None:
    """Both round: 200 steps keep 9 digits of the loss and of the weights' effect on it."""
    data = load_data("digits", dtype=np.float64)
    x, y = data.train.x[:1000], data.train.y[:1000].astype(np.int64)
    network = Network.random([64, 50, 40, 10], bias_std=0.1, seed=6)
    session = Session(network, Recipe(get_method("exact"), optimizer, batch=BATCH, seed=6, dtype=np.float64))
    epochs = [session.epoch_order(1000, 0)] * (STEPS * BATCH // 1000)
    losses = np.zeros(STEPS)
    for epoch, order in enumerate(epochs):
        part, steps = np.zeros(50), StepRange(order, 0, 50, 50 * epoch, np.full(50, optimizer.lr))
        assert session.run(x, y, steps, part) == 50
        losses[50 * epoch : 50 * (epoch + 1)] = part
    expected = torch_losses(network, x, y, epochs[0], optimizer)
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    assert losses[-1] < 0.9 * losses[0]
