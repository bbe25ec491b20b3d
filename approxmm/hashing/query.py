"""Compiled queries of bucket tables: union, cap, random fill, frequency ranking, multiprobe.

All results stay in a workspace, which serves one thread. Uniform numbers come from the caller, so that a query's
result depends on its key alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from approxmm.compile import compiled
from approxmm.hashing._checks import Floats, check_integer
from approxmm.hashing.tables import Tables, bucket

__all__ = [
    "QueryWorkspace",
    "fill_random",
    "keep_most_frequent",
    "probe_codes",
    "query_workspace",
    "retrieve",
    "subsample",
]

_Uniforms = npt.NDArray[np.float64]


class QueryWorkspace(NamedTuple):
    """Result of one thread's queries over n items: a set of items, listed and marked.

    Attributes
    ----------
    found : int32 array (n + 1,)
        The first `count` entries are the items in the set, in order of retrieval (by table, then probe, then item);
        `count` is what the functions return. The rest is scratch.
    frequency : int32 array (n,)
        In how many tables each item of the set was found; 1 for items added at random, 0 for all others.
    """

    found: npt.NDArray[np.int32]
    frequency: npt.NDArray[np.int32]


def query_workspace(count: int) -> QueryWorkspace:
    """Allocate the workspace of one thread for `count` items: 8 bytes an item."""
    n = check_integer("count", count, 0, 2**31 - 1, "items are numbered by int32")
    return QueryWorkspace(np.empty(n + 1, np.int32), np.zeros(n, np.int32))


@compiled
def retrieve(tables: Tables, codes: npt.NDArray[np.int64], work: QueryWorkspace) -> int:
    """Collect the union of the probed buckets, with each item's frequency over the tables.

    Parameters
    ----------
    tables : Tables
    codes : int64 array (L, probes)
        The codes to look up in each table, without repetition within a table.
    work : QueryWorkspace
        Overwritten, whatever was found before.

    Returns
    -------
    int
        The number of items found. Cost: the sum of the bucket sizes, L·probes lookups, and clearing n counters.
    """
    work.frequency[:] = 0
    count = 0
    for table in range(codes.shape[0]):
        for probe in range(codes.shape[1]):
            start, stop = bucket(tables, table, codes[table, probe])
            for position in range(start, stop):
                item = tables.items[table, position]
                # Written always and kept only if new: a branch would be guessed wrong.
                work.found[count] = item
                count += work.frequency[item] == 0
                work.frequency[item] += 1
    return count


@compiled
def _pick(uniform: float, size: int) -> int:
    # The product of a uniform below 1 and an integer may still round up to the integer.
    return min(int(uniform * size), size - 1)


@compiled
def _keep_first(work: QueryWorkspace, count: int, limit: int) -> int:
    for i in range(limit, count):
        work.frequency[work.found[i]] = 0
    return limit


@compiled
def subsample(work: QueryWorkspace, count: int, limit: int, uniforms: _Uniforms) -> int:
    """Cap the set: keep a uniformly random subset of at most `limit` items.

    Uses `limit` uniforms in [0, 1) if count > limit, else none. Returns the new count. Cost O(count).
    """
    if count <= limit:
        return count
    found = work.found
    for i in range(limit):
        j = i + _pick(uniforms[i], count - i)
        found[i], found[j] = found[j], found[i]
    return _keep_first(work, count, limit)


@compiled
def fill_random(work: QueryWorkspace, count: int, minimum: int, uniforms: _Uniforms) -> int:
    """Add uniformly random items that are not in the set, without replacement, until there are `minimum`.

    Parameters
    ----------
    work : QueryWorkspace
        `work.found[:count]` is the set to fill up.
    count, minimum : int
        Nothing is added if count ≥ minimum; never more than n items.
    uniforms : float64 array (at least minimum − count,)
        In [0, 1).

    Returns
    -------
    int
        The new count. Cost O(n).
    """
    found, frequency = work.found, work.frequency
    n = frequency.shape[0]
    goal: int = min(minimum, n)
    if count >= goal:
        return count
    end = count
    for j in range(n):
        if frequency[j] == 0:
            found[end] = j
            end += 1
    for i in range(count, goal):
        j = i + _pick(uniforms[i - count], n - i)
        found[i], found[j] = found[j], found[i]
        frequency[found[i]] = 1
    return goal


@compiled
def keep_most_frequent(work: QueryWorkspace, count: int, limit: int) -> int:
    """Order the retrieved items by falling frequency (ties: first retrieved first) and keep at most `limit`.

    Call it directly after `retrieve`. Returns the new count. Cost O(count + L).
    """
    found, frequency = work.found, work.frequency
    retrieved, top = found[:count].copy(), 0
    for item in retrieved:
        top = max(top, frequency[item])
    place = np.zeros(top + 1, np.int64)  # of the next item of each rank, rank 0 being the highest frequency
    for item in retrieved:
        place[top - frequency[item] + 1] += 1
    for rank in range(1, top + 1):
        place[rank] += place[rank - 1]
    for item in retrieved:
        rank = top - frequency[item]
        found[place[rank]] = item
        place[rank] += 1
    return _keep_first(work, count, limit) if count > limit else count


@compiled
def probe_codes(projected: Floats, bits: int, codes: npt.NDArray[np.int64], probes: npt.NDArray[np.int64]) -> None:
    """List the codes to probe: each table's own code, then that code with one unsure bit flipped.

    Parameters
    ----------
    projected : float array (at least K·L,)
        The query's projections (`HashWorkspace.projected`).
    bits : int
        K.
    codes : int64 array (L,)
        The query's codes.
    probes : int64 array (L, T)
        Written, 1 ≤ T ≤ K + 1: the bits flipped are those of smallest |projection|, smallest first, ties by lower
        bit (Lv et al. 2007, restricted to single flips). The closed-form laws do not cover T > 1.
    """
    for table in range(probes.shape[0]):
        probes[table, 0] = codes[table]
        flipped = 0
        for probe in range(1, probes.shape[1]):
            best = -1
            for bit in range(bits):
                size = abs(projected[table * bits + bit])
                if (flipped >> bit) & 1 == 0 and (best < 0 or size < abs(projected[table * bits + best])):
                    best = bit
            flipped |= 1 << best
            probes[table, probe] = codes[table] ^ (1 << best)
