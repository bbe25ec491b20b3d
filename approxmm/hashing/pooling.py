"""Input pooling: averages of groups of neighbouring coordinates, hashed in place of the coordinates.

Spring & Shrivastava's code pools 784 pixels to 98 this way. It is a linear map
of items and queries alike, so the laws hold unchanged for the pooled vectors;
inner products of pooled vectors are not those of the originals.
"""

from __future__ import annotations

import numpy as np

from approxmm.compile import compiled
from approxmm.hashing._checks import Floats, Ints

__all__ = ["group_size", "pool_into", "pool_rows", "pooled_length"]


def pooled_length(dimension: int, pool: int) -> int:
    """Return the number of groups: `dimension / pool`, rounded up (the last group may be smaller)."""
    return -(-dimension // pool)


@compiled
def group_size(dimension: int, pool: int, group: int) -> int:
    """Return how many coordinates this group averages."""
    return min(pool, dimension - group * pool)


@compiled
def pool_into(items: Floats, rows: Ints, pool: int, out: Floats) -> None:
    """Write the pooled `items[rows]` (c rows of d coordinates) into `out` (c, groups). Cost O(c·d)."""
    dimension = items.shape[1]
    for i in range(rows.shape[0]):
        for group in range(out.shape[1]):
            size = group_size(dimension, pool, group)
            total = 0.0
            for k in range(size):
                total += items[rows[i], group * pool + k]
            out[i, group] = total / size


def pool_rows(items: Floats, pool: int) -> Floats:
    """Return `items` (n, d) pooled to (n, groups); the same array, not a copy, if `pool` is 1."""
    if pool == 1:
        return items
    out = np.empty((items.shape[0], pooled_length(items.shape[1], pool)), dtype=items.dtype)
    pool_into(items, np.arange(items.shape[0]), pool, out)
    return out
