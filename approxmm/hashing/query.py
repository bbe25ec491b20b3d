"""Compiled queries of bucket tables: union, cap, random fill, frequency ranking, multiprobe.

All results stay in a workspace, which serves one thread. Random numbers come from the caller's key, so that a query's
result depends on its key alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from approxmm.bits import list_members, mark, marked, unmark, words_for
from approxmm.compile import compiled
from approxmm.hashing._checks import Floats, check_integer
from approxmm.hashing.tables import Tables, bucket
from approxmm.random import Key, fill_uniform, philox4x64

__all__ = [
    "QueryWorkspace",
    "fill_random",
    "keep_most_frequent",
    "list_in_order",
    "probe_codes",
    "query_workspace",
    "retrieve",
    "subsample",
]

_SHIFT, _TO_UNIT = np.uint64(11), 2.0**-53


class QueryWorkspace(NamedTuple):
    """Result of one thread's queries over n items: a set of items, listed and marked.

    Attributes
    ----------
    found : int32 array (n + 1,)
        The first `count` entries are the items in the set, in order of retrieval (by table, then probe, then item);
        `count` is what the functions return. The rest is scratch.
    marks : uint64 array (words,)
        The same set as bits (`approxmm.bits`).
    """

    found: npt.NDArray[np.int32]
    marks: npt.NDArray[np.uint64]


def query_workspace(count: int) -> QueryWorkspace:
    """Allocate the workspace of one thread for `count` items: 4 bytes and a bit an item."""
    n = check_integer("count", count, 0, 2**31 - 1, "items are numbered by int32")
    return QueryWorkspace(np.empty(n + 1, np.int32), np.zeros(words_for(n), np.uint64))


@compiled
def retrieve(tables: Tables, codes: npt.NDArray[np.int64], work: QueryWorkspace) -> int:
    """Collect the union of the probed buckets.

    Parameters
    ----------
    tables : Tables
        Another thread may be changing them.
    codes : int64 array (L, probes)
        The codes to look up in each table, without repetition within a table.
    work : QueryWorkspace
        Overwritten, whatever was found before.

    Returns
    -------
    int
        The number of items found. Cost: the sum of the bucket sizes, L·probes lookups, and clearing n bits.
    """
    found, marks = work.found, work.marks
    marks[:] = 0
    count = 0
    for table in range(codes.shape[0]):
        items = tables.items[table]
        for probe in range(codes.shape[1]):
            start, stop = bucket(tables, table, codes[table, probe])
            for position in range(start, stop):
                item = items[position]
                # Written always and kept only if new: a branch would be guessed wrong.
                found[count] = item
                count += not marked(marks, item)
                mark(marks, item)
    return count


@compiled
def list_in_order(work: QueryWorkspace, index: npt.NDArray[np.int64]) -> int:
    """Write the items of the set to `index`, increasing; return how many there are."""
    return list_members(work.marks, index)


@compiled
def _pick(uniform: float, size: int) -> int:
    # The product of a uniform below 1 and an integer may still round up to the integer.
    return min(int(uniform * size), size - 1)


@compiled
def subsample(work: QueryWorkspace, count: int, limit: int, key: Key) -> int:
    """Cap the set: keep a uniformly random subset of at most `limit` items.

    Returns the new count. Draws the smaller one of what is kept and what goes, by `key`.
    """
    if count <= limit:
        return count
    found, surplus = work.found, count - limit
    uniforms = np.empty(min(limit, surplus))
    fill_uniform(key, uniforms)
    # Partial Fisher–Yates: the drawn ones move to the front if they stay, to the end if they go.
    for i in range(uniforms.size):
        drawn = _pick(uniforms[i], count - i)
        place = count - 1 - i
        if limit < surplus:
            drawn, place = drawn + i, i
        found[place], found[drawn] = found[drawn], found[place]
    if limit < surplus:
        work.marks[:] = 0
        for i in range(limit):
            mark(work.marks, found[i])
    else:
        for i in range(limit, count):
            unmark(work.marks, found[i])
    return limit


@compiled
def _fill_from_list(work: QueryWorkspace, count: int, goal: int, n: int, key: Key) -> int:
    """Draw from a list of all items that are not in the set: cost O(n)."""
    found, end = work.found, count
    for j in range(n):
        if not marked(work.marks, j):
            found[end] = j
            end += 1
    uniforms = np.empty(goal - count)
    fill_uniform(key, uniforms)
    for i in range(count, goal):
        j = i + _pick(uniforms[i - count], n - i)
        found[i], found[j] = found[j], found[i]
        mark(work.marks, found[i])
    return goal


@compiled
def fill_random(work: QueryWorkspace, count: int, minimum: int, key: Key) -> int:
    """Add uniformly random items that are not in the set, without replacement, until there are `minimum`.

    Parameters
    ----------
    work : QueryWorkspace
        `work.found[:count]` is the set to fill up.
    count, minimum : int
        Nothing is added if count ≥ minimum; never more than n items.
    key : Key

    Returns
    -------
    int
        The new count. Cost of the items that are added, if the set stays below half of all: items are then drawn
        until one is new. Else O(n).
    """
    n = work.found.shape[0] - 1
    goal: int = min(minimum, n)
    if 2 * goal > n:
        return _fill_from_list(work, count, goal, n, key) if count < goal else count
    block = 0
    while count < goal:
        for word in philox4x64(key, block):
            item = _pick((word >> _SHIFT) * _TO_UNIT, n)
            if count < goal and not marked(work.marks, item):
                mark(work.marks, item)
                work.found[count] = item
                count += 1
        block += 1
    return count


@compiled
def keep_most_frequent(
    tables: Tables, codes: npt.NDArray[np.int64], work: QueryWorkspace, count: int, limit: int
) -> int:
    """Order the retrieved items by the number of probed buckets they lie in, falling, and keep at most `limit`.

    Ties: first retrieved first. Call it directly after `retrieve`, with the same codes. Returns the new count. Cost
    that of retrieving once more, and O(n + L).
    """
    found, n = work.found, work.found.shape[0] - 1
    frequency, top = np.zeros(n, np.int32), 0
    for table in range(codes.shape[0]):
        for probe in range(codes.shape[1]):
            start, stop = bucket(tables, table, codes[table, probe])
            for position in range(start, stop):
                frequency[tables.items[table, position]] += 1
    retrieved = found[:count].copy()
    for item in retrieved:
        top = max(top, frequency[item])
    # Of the next item of each rank, rank 0 being the highest frequency. Rank `top` are items that a writer moved away.
    place = np.zeros(top + 2, np.int64)
    for item in retrieved:
        place[top - frequency[item] + 1] += 1
    for rank in range(1, top + 2):
        place[rank] += place[rank - 1]
    for item in retrieved:
        rank = top - frequency[item]
        found[place[rank]] = item
        place[rank] += 1
    for i in range(limit, count):
        unmark(work.marks, found[i])
    return min(count, limit)


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
