"""Shards of a range in threads, for kernels that release the GIL.

A pool of threads rather than Numba's parallel loops: it needs no threading
layer, and kernels that write disjoint shards give the same bits for any number
of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from approxmm.hashing._checks import check_integer

__all__ = ["in_shards"]


@lru_cache(maxsize=4)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    # Keyed by the process as well: a forked child inherits the object but not its threads, and would wait for ever.
    return ThreadPoolExecutor(threads, thread_name_prefix="approxmm-hashing")


def in_shards(task: Callable[[int, int], object], count: int, threads: int, *, align: int = 1, least: int = 1) -> None:
    """Call `task(first, last)` on disjoint shards that cover range(count), in up to `threads` threads.

    Parameters
    ----------
    task : callable
        Gets the bounds of its shard; exceptions reach the caller.
    count : int
    threads : int
        At least 1; the caller's own thread does the first shard.
    align : int
        Shards start at multiples of this.
    least : int
        The smallest shard that is worth a thread (waking one takes some 50 µs).
    """
    check_integer("threads", threads, 1, None, "1 means the calling thread alone")
    blocks = -(-count // align)
    shards = max(1, min(threads, blocks, count // least))
    edges = [min(count, align * (blocks * s // shards)) for s in range(shards + 1)]
    if shards == 1:
        task(0, count)
        return
    others = [_pool(shards - 1, os.getpid()).submit(task, edges[s], edges[s + 1]) for s in range(1, shards)]
    try:
        task(edges[0], edges[1])
    finally:
        for other in others:
            other.result()
