from __future__ import annotations

import threading

import numpy as np

from approxmm.compile import compiled
from approxmm.locks import acquire, fetch_add, read_shared, release, try_acquire


@compiled
def count_up(locks, shared, rounds):
    """Add 1 so slowly that threads without a lock would lose some of it; and once more in one step."""
    for _ in range(rounds):
        acquire(locks, 0)
        before = read_shared(shared, 0)
        for _ in range(20):
            read_shared(locks, 0)
        shared[0] = before + 1
        release(locks, 0)
        fetch_add(shared, 1, 1)


def test_no_addition_is_lost():
    locks, shared, rounds = np.zeros(1, np.int64), np.zeros(2, np.int64), 20_000
    count_up(locks, shared, 1)
    threads = [threading.Thread(target=count_up, args=(locks, shared, rounds)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared.tolist() == [2 * rounds + 1] * 2
    assert locks[0] == 0


def test_a_lock_that_is_held_is_refused():
    for take, give in ((try_acquire, release), (try_acquire.py_func, release.py_func)):
        locks = np.zeros(2, np.int64)
        assert take(locks, 1)
        assert not take(locks, 1)
        assert take(locks, 0)
        give(locks, 1)
        assert take(locks, 1)
