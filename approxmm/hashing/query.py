"""Compiled queries of bucket tables: union, cap, random fill, frequency ranking, multiprobe.

All results stay in a workspace that is allocated once per thread; a stamp per
item, compared with a clock, replaces clearing. Uniform numbers come from the
caller, so that a query's result depends on its key alone.
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
    """Result and scratch of one thread's queries over n items and L tables.

    Attributes
    ----------
    found : int32 array (n,)
        The first `count` entries are the retrieved items, in order of retrieval
        (by table, then probe, then item); `count` is what the functions return.
    frequency : int32 array (n,)
        In how many tables an item was found; valid for retrieved items only.
    stamp : int64 array (n,)
        Equal to the clock for retrieved items.
    clock : int64 array (1,)
        Number of queries so far.
    order, place, partner : int32 array (n,)
        A permutation (the identity between calls), its inverse, and its undo log.
    spare : int32 array (n,)
        For stable sorting.
    tally : int64 array (L + 2,)
        For counting frequencies.
    """

    found: npt.NDArray[np.int32]
    frequency: npt.NDArray[np.int32]
    stamp: npt.NDArray[np.int64]
    clock: npt.NDArray[np.int64]
    order: npt.NDArray[np.int32]
    place: npt.NDArray[np.int32]
    partner: npt.NDArray[np.int32]
    spare: npt.NDArray[np.int32]
    tally: npt.NDArray[np.int64]


def query_workspace(count: int, tables: int) -> QueryWorkspace:
    """Allocate the workspace of one thread for `count` items in `tables` tables: about 32 bytes an item."""
    n = check_integer("count", count, 0, 2**31 - 1, "items are numbered by int32")
    L = check_integer("tables", tables, 1, None, "at least one table is needed")
    identity = np.arange(n, dtype=np.int32)
    small = [np.zeros(n, np.int32) for _ in range(4)]
    return QueryWorkspace(
        small[0],
        small[1],
        np.zeros(n, np.int64),
        np.zeros(1, np.int64),
        identity,
        identity.copy(),
        small[2],
        small[3],
        np.zeros(L + 2, np.int64),
    )


@compiled
def retrieve(tables: Tables, codes: npt.NDArray[np.int64], work: QueryWorkspace) -> int:
    """Collect the union of the probed buckets, with each item's frequency over the tables.

    Parameters
    ----------
    tables : Tables
    codes : int64 array (L, probes)
        The codes to look up in each table, without repetition within a table.
    work : QueryWorkspace

    Returns
    -------
    int
        The number of items found. Cost: the sum of the bucket sizes, and L·probes lookups.
    """
    work.clock[0] += 1
    now = work.clock[0]
    count = 0
    for table in range(codes.shape[0]):
        for probe in range(codes.shape[1]):
            start, stop = bucket(tables, table, codes[table, probe])
            for position in range(start, stop):
                item = tables.items[table, position]
                if work.stamp[item] == now:
                    work.frequency[item] += 1
                else:
                    work.stamp[item] = now
                    work.frequency[item] = 1
                    work.found[count] = item
                    count += 1
    return count


@compiled
def _pick(uniform: float, size: int) -> int:
    # The product of a uniform below 1 and an integer may still round up to the integer.
    return min(int(uniform * size), size - 1)


@compiled
def subsample(work: QueryWorkspace, count: int, limit: int, uniforms: _Uniforms) -> int:
    """Cap the retrieved set: keep a uniformly random subset of at most `limit` items.

    Uses `limit` uniforms in [0, 1) if count > limit, else none. Returns the new count. Cost O(limit).
    """
    if count <= limit:
        return count
    found = work.found
    for i in range(limit):
        j = i + _pick(uniforms[i], count - i)
        found[i], found[j] = found[j], found[i]
    return limit


@compiled
def _swap(work: QueryWorkspace, first: int, second: int) -> None:
    order, place = work.order, work.place
    order[first], order[second] = order[second], order[first]
    place[order[first]] = first
    place[order[second]] = second


@compiled
def fill_random(work: QueryWorkspace, count: int, minimum: int, uniforms: _Uniforms) -> int:
    """Add uniformly random items that were not kept, without replacement, until there are `minimum`.

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
        The new count. Cost O(minimum), not O(n). Frequencies of added items are not set.
    """
    n = work.order.shape[0]
    goal: int = min(minimum, n)
    if count >= goal:
        return count
    for i in range(count):
        work.partner[i] = work.place[work.found[i]]
        _swap(work, i, work.partner[i])
    for i in range(count, goal):
        work.partner[i] = i + _pick(uniforms[i - count], n - i)
        _swap(work, i, work.partner[i])
        work.found[i] = work.order[i]
    # Undone backwards, so that the next result does not depend on this query.
    for i in range(goal - 1, -1, -1):
        _swap(work, i, work.partner[i])
    return goal


@compiled
def keep_most_frequent(work: QueryWorkspace, count: int, limit: int) -> int:
    """Order the retrieved items by falling frequency (ties: first retrieved first) and keep at most `limit`.

    Call it directly after `retrieve`. Returns the new count. Cost O(count + L).
    """
    tally, found = work.tally, work.found
    top = tally.shape[0] - 2
    tally[:] = 0
    for i in range(count):
        tally[top - work.frequency[found[i]] + 1] += 1
    for t in range(1, top + 1):
        tally[t] += tally[t - 1]
    for i in range(count):
        rank = top - work.frequency[found[i]]
        work.spare[tally[rank]] = found[i]
        tally[rank] += 1
    kept = min(count, limit)
    for i in range(kept):
        found[i] = work.spare[i]
    return kept


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
