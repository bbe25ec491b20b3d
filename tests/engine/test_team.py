"""Threads that share steps: barriers that hold, and the same bits for any number of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from approxmm.compile import compiled
from approxmm.data import load_data
from approxmm.engine import train
from approxmm.engine.team import Team, barrier, make_teams, share
from approxmm.methods import get_method


@compiled
def relay(team: Team, log: np.ndarray, rounds: int) -> int:
    """Each round everyone adds to its own place, then checks what all others did in this round."""
    late = 0
    for turn in range(rounds):
        log[team.rank] += 1
        barrier(team)
        for rank in range(team.size):
            late += log[rank] != turn + 1
        barrier(team)
    return late


@pytest.mark.parametrize("size", [1, 2, 3])
def test_nobody_passes_a_barrier_before_all_are_there(size: int) -> None:
    log, rounds = np.zeros(size, np.int64), 2000
    with ThreadPoolExecutor(size) as pool:
        late = list(pool.map(lambda team: relay(team, log, rounds), make_teams(size)))
    assert late == [0] * size
    np.testing.assert_array_equal(log, rounds)


@pytest.mark.parametrize(("count", "unit"), [(1000, 32), (10, 32), (0, 8), (65, 64), (7, 1)])
def test_shares_cover_everything_once(count: int, unit: int) -> None:
    for size in (1, 2, 3, 5):
        covered = [i for team in make_teams(size) for i in range(*share(team, count, unit))]
        assert covered == list(range(count))
        assert all(share(team, count, unit)[0] % unit == 0 or share(team, count, unit)[0] == count
                   for team in make_teams(size))  # fmt: skip


@pytest.mark.parametrize("method", ["exact", "bernoulli", "dropout"])
def test_same_bits_for_any_number_of_threads(method: str) -> None:
    digits, law = load_data("digits"), get_method(method, 0.4)
    runs = [train(digits, law, depth=2, width=150, epochs=1, seed=3, threads=threads) for threads in (1, 2, 4)]
    for other in runs[1:]:
        assert other.curves["train_loss"] == runs[0].curves["train_loss"]
        for mine, theirs in zip(other.network.weights, runs[0].network.weights, strict=True):
            np.testing.assert_array_equal(mine, theirs)
