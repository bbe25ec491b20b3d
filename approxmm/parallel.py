"""Threads in one place: a fixed list of pieces, results in order, one BLAS thread each.

Pieces and their order do not depend on the number of workers, and BLAS runs single-threaded
inside a piece, so results do not depend on the number of workers either.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController, threadpool_info

from approxmm.errors import InputError

__all__ = ["available_workers", "describe_threading", "map_in_order", "ordered_map", "single_threaded_blas"]

_T = TypeVar("_T")
_R = TypeVar("_R")


def available_workers() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Limit:
    """How many are inside `single_threaded_blas`, and what the last of them undoes."""

    lock = Lock()
    users = 0
    limiter: Any = None


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Let BLAS calls of NumPy and SciPy use the calling thread only.

    The setting is the process's: entered by several threads at once, or inside itself, it ends with the last of them.
    """
    with _Limit.lock:
        if _Limit.users == 0:
            _Limit.limiter = _blas().limit(limits=1, user_api="blas")
        _Limit.users += 1
    try:
        yield
    finally:
        with _Limit.lock:
            _Limit.users -= 1
            if _Limit.users == 0:
                _Limit.limiter.restore_original_limits()


@cache
def _blas() -> Any:
    """Return the control of the BLAS libraries, which takes some milliseconds to find.

    SciPy's BLAS is loaded first: compiled code calls that one, and a library loaded later would escape the limit.
    """
    import_module("scipy.linalg.cython_blas")
    return ThreadpoolController()


def map_in_order(function: Callable[[_T], _R], pieces: Iterable[_T], workers: int | None = None) -> Iterator[_R]:
    """Yield ``function(piece)`` in the order of `pieces`, computed by `workers` threads.

    At most two pieces a worker are in flight, so results that the caller consumes at
    once bound the memory. An exception ends the work; pieces not started are dropped.

    Raises
    ------
    InputError
        If `workers` is less than 1.
    """
    with ordered_map(workers) as run:
        yield from run(function, pieces)


@contextmanager
def ordered_map(workers: int | None = None) -> Iterator[Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]]:
    """Yield what `map_in_order` does as a function, for many short rounds of work on the same threads.

    Raises
    ------
    InputError
        If `workers` is less than 1.
    """
    if workers is None:
        workers = available_workers()
    if workers < 1:
        raise InputError(f"workers={workers} must be at least 1; leave it out to use every processor")
    with single_threaded_blas():
        if workers == 1:
            yield map
            return
        pool = ThreadPoolExecutor(workers)
        try:
            yield lambda function, pieces: _in_order(pool, 2 * workers, function, pieces)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _in_order(
    pool: ThreadPoolExecutor, in_flight: int, function: Callable[[_T], _R], pieces: Iterable[_T]
) -> Iterator[_R]:
    pending: deque[Future[_R]] = deque()
    for piece in pieces:
        pending.append(pool.submit(function, piece))
        if len(pending) >= in_flight:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def describe_threading() -> dict[str, str]:
    """Return the BLAS libraries that are loaded, with kernels and threads, as plain values."""
    return {
        f"{info['user_api']} {Path(info['filepath']).name.split('-')[0]}": (
            f"{info['internal_api']} {info['version']}, {info.get('architecture', 'unknown')} kernels, "
            f"{info['num_threads']} threads"
        )
        for info in threadpool_info()
    }
