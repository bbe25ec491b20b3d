"""Active sets of a given size: what is found by a hash index, cut down or filled up."""

from __future__ import annotations

import numpy as np

from approxmm.compile import compiled
from approxmm.hashing import QueryWorkspace, fill_random, keep_most_frequent, subsample
from approxmm.random import Key, fill_uniform

__all__ = ["cut", "fill_up"]


@compiled
def cut(work: QueryWorkspace, count: int, limit: int, by_frequency: bool, key: Key) -> int:
    """Keep at most `limit` of the `count` items found: those found in most tables, or random ones."""
    if by_frequency:
        return keep_most_frequent(work, count, limit)
    uniforms = np.empty(limit)
    fill_uniform(key, uniforms)
    return subsample(work, count, limit, uniforms)


@compiled
def fill_up(work: QueryWorkspace, count: int, limit: int, key: Key) -> int:
    """Add random items to the `count` found until there are `limit`."""
    uniforms = np.empty(limit - count)
    fill_uniform(key, uniforms)
    return fill_random(work, count, limit, uniforms)
