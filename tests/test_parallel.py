from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from approxmm.errors import InputError
from approxmm.parallel import available_workers, map_in_order, single_threaded_blas


def blas_threads():
    np.ones((2, 2)) @ np.ones((2, 2))
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.mark.parametrize("workers", [1, 2, 4, None])
def test_results_come_in_the_order_of_the_pieces(workers):
    def work(piece):
        time.sleep(0.002 * (piece % 3))
        return piece * piece

    assert list(map_in_order(work, range(20), workers)) == [i * i for i in range(20)]


def test_no_piece_is_no_result():
    for workers in (1, 3):
        assert list(map_in_order(abs, [], workers)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_blas_runs_on_one_thread_inside_and_as_before_outside(workers):
    before = blas_threads()
    counts = list(map_in_order(lambda _: blas_threads(), range(4), workers))
    assert all(set(threads) == {1} for threads in counts)
    assert blas_threads()[: len(before)] == before
    with single_threaded_blas():
        assert set(blas_threads()) == {1}


def test_the_last_of_overlapping_limits_restores_what_was_before_the_first():
    """Two threads whose work overlaps: A enters, B enters, A leaves, B leaves."""
    with threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
        first, second = single_threaded_blas(), single_threaded_blas()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert set(blas_threads()) == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == before


def test_pieces_in_flight_are_bounded():
    taken = []

    def pieces():
        for i in range(50):
            taken.append(i)
            yield i

    results = map_in_order(lambda i: i, pieces(), 2)
    for done in range(5):
        assert next(results) == done
        assert len(taken) <= done + 4
    results.close()
    assert len(taken) <= 8


@pytest.mark.parametrize("workers", [1, 2])
def test_exception_reaches_the_caller_and_stops_the_work(workers):
    started, lock = [], threading.Lock()

    def work(piece):
        with lock:
            started.append(piece)
        if piece == 3:
            raise RuntimeError("piece 3")
        return piece

    with pytest.raises(RuntimeError, match="piece 3"):
        list(map_in_order(work, range(1000), workers))
    assert len(started) < 20


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_than_one_worker(workers):
    with pytest.raises(InputError, match=f"workers={workers} must be at least 1"):
        list(map_in_order(abs, [1], workers))


def test_available_workers_is_what_the_process_may_use():
    assert 1 <= available_workers() <= (os.cpu_count() or 1)
