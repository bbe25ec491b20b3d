"""What a run holds: little more than parameters, optimiser and batch. No step is taken, so nothing is compiled."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from approxmm.engine import Adam, Sgd
from approxmm.engine.accounting import memory_by_part
from approxmm.engine.allowance import rows_within
from approxmm.engine.layout import make_layout
from approxmm.engine.paths import make_session
from approxmm.engine.recipe import Recipe
from approxmm.engine.session_arrays import held_bytes
from approxmm.engine.sparse.memory import make_memory
from approxmm.engine.sparse.session import ExampleSession
from approxmm.methods import get_method
from approxmm.methods.exact import Exact
from approxmm.network import Network

METHODS: dict[str, Any] = {
    "exact": Exact(),
    "dropout": get_method("dropout", 0.1),  # masks of nodes
    "bernoulli": get_method("bernoulli", 0.1, probabilities="uniform"),  # copies of chosen columns
}
LAWS = pytest.mark.parametrize("law", METHODS.values(), ids=METHODS)


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros that nobody writes to take neither time nor memory."""

    def zeros(network: Network, dtype: np.dtype) -> np.ndarray:
        return np.zeros(sum(W.size + W.shape[1] for W in network.weights), dtype)

    monkeypatch.setattr("approxmm.engine.session.flatten", zeros)


@cache
def wide(depth: int) -> Network:
    widths = [784, *[1000] * depth, 10]
    return Network(tuple(np.zeros((n, m), dtype=np.float32) for n, m in pairwise(widths)))


@pytest.mark.parametrize("depth", [1, 3, 7])
@LAWS
def test_minibatches_need_little_more_than_they_must(law: Any, depth: int) -> None:
    network = wide(depth)
    for batch in (1, 20, 256):
        for rule in (Sgd(), Adam()):
            for dtype in (np.float32, np.float64):
                recipe = Recipe(law, rule, batch=batch, dtype=dtype, threads=2, path="minibatch")
                memory = memory_by_part(make_session(network, recipe))
                assert 1.0 <= memory["ratio"] <= 1.3, recipe


@pytest.mark.parametrize("depth", [1, 3, 7])
@pytest.mark.parametrize("batch", [1, 20])
@LAWS
def test_examples_alone_need_little_more_than_they_must(law: Any, batch: int, depth: int) -> None:
    # With one hidden layer the lists of sampled inputs are a third of all.
    most = 1.45 if law is METHODS["bernoulli"] and (batch, depth) == (20, 1) else 1.3
    for rule in (Sgd(), Adam(lazy=True)):
        for dtype in (np.float32, np.float64):
            recipe = Recipe(law, rule, batch=batch, dtype=dtype, path="per_example")
            assert 1.0 <= memory_by_part(make_session(wide(depth), recipe))["ratio"] <= most


def test_lists_have_rows_for_what_is_asked_for_only() -> None:
    """Products where weights lie node by node, scales where inputs are sampled, scores where a batch is scored."""
    rows = {
        "exact": (1, 4, 0),
        "dropout": (1, 5, 0),
        "bernoulli": (2, 6, 0),
    }
    for name, law in METHODS.items():
        session = make_session(wide(2), Recipe(law, Sgd(), batch=20, path="per_example"))
        assert isinstance(session, ExampleSession)
        memory = session.memory
        assert (len(memory.whole), len(memory.real), len(memory.scores)) == rows[name]
    widths, _ = make_layout(np.array([784, 1000, 10]))
    scored = make_memory(widths, np.float32, 20, 1, 0, inner=False, by_node=True, scored=True)
    assert (len(scored.whole), len(scored.real), len(scored.scores)) == (1, 5, 20)


def test_parts_of_memory_are_those_of_its_arrays() -> None:
    session = make_session(wide(2), Recipe(METHODS["dropout"], Adam(), batch=20))
    memory = memory_by_part(session)
    assert memory["parameters"] == 4 * (784 * 1000 + 1000 + 1000 * 1000 + 1000 + 10_000 + 10)
    assert memory["optimizer"] == 2 * memory["parameters"]
    assert memory["batch"] == 4 * 20 * (784 + 3 * 2010)
    work = sum(array.nbytes for array in session.work)
    assert held_bytes(session)["work"] == work
    named = sum(memory[part] for part in ("parameters", "optimizer", "index"))
    assert 0 < memory["total"] - named - work < 2000, "counts and layout"


def test_examples_evaluated_together_fit_into_what_is_left() -> None:
    def workspace(rows: int) -> tuple[np.ndarray, ...]:
        return np.empty(500_000 + 10_000 * rows, dtype=np.uint8), np.empty(0)

    for needed, held, rows in ((4_000_000, 4_000_000, 50), (4_000_000, 4_200_000, 30), (40_000_000, 40_000_000, 64)):
        found = rows_within(needed, held, 1, workspace)
        assert found == rows
        assert held + workspace(found)[0].nbytes <= 1.25 * needed
    assert rows_within(1000, 1000, 1, workspace) == 5, "the least: a register tile"
    assert rows_within(1000, 1000, 20, workspace) == 20, "a step's examples fit in any case"
