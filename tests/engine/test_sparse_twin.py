"""Training by hash tables, step by step, against plain Python with dictionaries for tables."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from approxmm.engine import Sgd
from approxmm.engine.paths import make_session
from approxmm.engine.recipe import Recipe
from approxmm.engine.steps import StepRange
from approxmm.methods import get_method
from approxmm.methods._hashed import index_of
from approxmm.network import Network

WIDTHS, STEPS, RATE = [20, 40, 30, 5], 40, 0.3
BITS, TABLES = 3, 2


class Twin:
    """Tables are built anew before every step, of the weights as they are (or once: `stale`)."""

    def __init__(self, network: Network, planes: list[np.ndarray], stale: bool = False) -> None:
        self.W = [W.copy() for W in network.weights]
        self.b = [network.bias(k + 1).copy() for k in range(network.depth)]
        self.planes, self.stale = planes, stale
        self.tables = [self.build(k) for k in range(len(planes))]

    def codes(self, k: int, vector: np.ndarray) -> list[tuple[bool, ...]]:
        signs = self.planes[k] @ vector > 0
        return [tuple(signs[t * BITS : (t + 1) * BITS].tolist()) for t in range(TABLES)]

    def build(self, k: int) -> list[dict[tuple[bool, ...], set[int]]]:
        tables: list[dict[tuple[bool, ...], set[int]]] = [defaultdict(set) for _ in range(TABLES)]
        for node in range(self.W[k].shape[1]):
            for table, code in zip(tables, self.codes(k, self.W[k][:, node]), strict=True):
                table[code].add(node)
        return tables

    def step(self, x: np.ndarray, y: int) -> float:
        outputs, masks = [x], []
        for k in range(len(self.planes)):
            tables = self.tables[k] if self.stale else self.build(k)
            active = set[int]().union(*(t[c] for t, c in zip(tables, self.codes(k, outputs[-1]), strict=True)))
            z, a = outputs[-1] @ self.W[k] + self.b[k], np.zeros(self.W[k].shape[1])
            for node in active:
                a[node] = max(z[node], 0.0)
            outputs.append(a)
            masks.append(a > 0)
        scores = outputs[-1] @ self.W[-1] + self.b[-1]
        p = np.exp(scores - scores.max())
        p /= p.sum()
        delta = p.copy()
        delta[y] -= 1.0
        for k in range(len(self.W) - 1, -1, -1):
            below = (self.W[k] @ delta) * masks[k - 1] if k > 0 else np.zeros(0)
            self.W[k] -= RATE * np.outer(outputs[k], delta)
            self.b[k] -= RATE * delta
            delta = below
        return float(-np.log(p[y]))


def test_hash_tables_match_dictionaries_step_by_step() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((STEPS, WIDTHS[0])) * (rng.random((STEPS, WIDTHS[0])) < 0.5)
    y = rng.integers(0, WIDTHS[-1], STEPS)
    network = Network.random(WIDTHS, bias_std=0.1, seed=4)
    law = get_method("alsh", transform="none", bits=BITS, tables=TABLES, cap=False, fill=False, rebuild="incremental")
    session = make_session(network, Recipe(law, Sgd(RATE), batch=1, dtype=np.float64))
    assert session.path.startswith("per_example")
    planes = [index_of(session.state.indexes, k).projections.by_plane.copy() for k in range(2)]
    twin, stale, losses = Twin(network, planes), Twin(network, planes, stale=True), np.zeros(STEPS)
    expected, wrong = [], []
    for s in range(STEPS):
        assert session.run(x, y, StepRange(np.arange(STEPS), s, s + 1, 0, np.full(1, RATE)), losses) == 1
        expected.append(twin.step(x[s], y[s]))
        wrong.append(stale.step(x[s], y[s]))
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-10)
    for mine, theirs in zip(session.network().weights, twin.W, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-10)
    # Negative control: tables that are not kept up to date give other losses, so weights did move between buckets.
    assert np.abs(losses - wrong).max() > 1e-3
