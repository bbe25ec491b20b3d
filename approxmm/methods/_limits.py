"""Active sets of a given size: what is found by a hash index, cut down or filled up."""

from __future__ import annotations

from approxmm.compile import inlined
from approxmm.hashing import fill_random, keep_most_frequent, subsample
from approxmm.methods._hashed import Retrieved
from approxmm.random import Key

__all__ = ["limited"]


@inlined
def limited(found: Retrieved, limit: int, cap: bool, fill: bool, by_frequency: bool, key: Key) -> int:
    """Cut the set to `limit` items (those found in most tables, or random ones), or fill it up; return its size."""
    if cap and found.size > limit:
        if by_frequency:
            return keep_most_frequent(found.tables, found.codes, found.work, found.size, limit)
        return subsample(found.work, found.size, limit, key)
    return fill_random(found.work, found.size, limit, key) if fill else found.size
