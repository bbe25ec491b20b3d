"""L bucket tables over n items as flat arrays, built and kept up to date by compiled kernels.

Each table is a permutation of the items, sorted by code and then by item index
(the canonical order: equal codes give equal arrays, whatever the history).
Buckets are found directly through 2^K + 1 offsets where these are few, else by
binary search in the sorted codes. No dictionary, no clearing, no allocation in
queries.

Threads that change a table take its lock. Threads that search one take none: they may miss an item that is being
moved, or meet it twice, and never leave the arrays' bounds, because every offset lies in [0, n] and every entry of
`items` is an item at all times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from approxmm.compile import compiled, copy_into
from approxmm.hashing._checks import check_integer
from approxmm.hashing.projections import MAX_BITS
from approxmm.locks import acquire, release

__all__ = ["Tables", "allocate_tables", "bucket", "rebuild_tables", "tables_bytes", "update_tables"]

_Codes = npt.NDArray[np.int64]

# More moves than this in one table: sorting it afresh is cheaper than moving items one by one.
_FEW_MOVES = 8
_DIGIT = 11


class Tables(NamedTuple):
    """Bucket tables as arrays.

    Attributes
    ----------
    bits : int
        K.
    codes : int64 array (L, n)
        Code of each item.
    items : int32 array (L, n)
        The items of each table, by (code, item).
    offsets : int32 array (L, 2^K + 1), or (L, 0)
        Direct form: bucket c of table l is `items[l, offsets[l, c]:offsets[l, c + 1]]`.
    keys : int64 array (L, n), or (L, 0)
        Sorted form: the codes in the order of `items`.
    locks : int64 array (L + 1,)
        1 while a thread changes the table, else 0; the last one: while it gives items their codes in all tables.
    """

    bits: int
    codes: _Codes
    items: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int32]
    keys: _Codes
    locks: npt.NDArray[np.int64]


def _direct(count: int, bits: int) -> bool:
    return 4 * count + 1024 >= 1 << bits


def allocate_tables(count: int, bits: int, tables: int) -> Tables:
    """Allocate tables over `count` items, all with code 0 (call `rebuild_tables` after setting the codes).

    The direct form is taken if 2^K ≤ 4n + 1024, so that offsets never outweigh the items.

    Raises
    ------
    InputError
        For count < 0 or above 2^31 − 1, K outside [1, 62], L < 1.
    """
    n = check_integer("count", count, 0, 2**31 - 1, "items are numbered by int32")
    K = check_integer("bits", bits, 1, MAX_BITS, "a code is packed into 62 bits; use more tables instead")
    L = check_integer("tables", tables, 1, None, "at least one table is needed")
    direct = _direct(n, K)
    made = Tables(
        K,
        np.zeros((L, n), np.int64),
        np.empty((L, n), np.int32),
        np.empty((L, 2**K + 1 if direct else 0), np.int32),
        np.empty((L, 0 if direct else n), np.int64),
        np.zeros(L + 1, np.int64),
    )
    rebuild_tables(made, 0, L)
    return made


def tables_bytes(count: int, bits: int, tables: int) -> int:
    """Memory of such tables: 8 bytes, 12 per item and table, and 4·(2^K + 1) (direct) or 8n (sorted) + 8 per table."""
    direct = _direct(count, bits)
    return 8 + tables * (8 + 12 * count + (4 * (2**bits + 1) if direct else 8 * count))


@compiled
def _counting_sort(codes: _Codes, items: npt.NDArray[np.int32], offsets: npt.NDArray[np.int32]) -> None:
    offsets[:] = 0
    for i in range(codes.shape[0]):
        offsets[codes[i] + 1] += 1
    for c in range(1, offsets.shape[0]):
        offsets[c] += offsets[c - 1]
    # Scattering advances each bucket's start to its end, that is, to the next bucket's start ...
    for i in range(codes.shape[0]):
        items[offsets[codes[i]]] = i
        offsets[codes[i]] += 1
    # ... so shifting by one restores the starts.
    for c in range(offsets.shape[0] - 1, 0, -1):
        offsets[c] = offsets[c - 1]
    offsets[0] = 0


@compiled
def _radix_sort(codes: _Codes, items: npt.NDArray[np.int32], keys: _Codes, bits: int) -> None:
    n = codes.shape[0]
    size = 1 << _DIGIT
    spare = np.empty(n, np.int32)
    for i in range(n):
        items[i] = i
    for shift in range(0, bits, _DIGIT):
        start = np.zeros(size + 1, np.int64)
        for i in range(n):
            start[((codes[i] >> shift) & (size - 1)) + 1] += 1
        for c in range(1, size + 1):
            start[c] += start[c - 1]
        for i in range(n):
            digit = (codes[items[i]] >> shift) & (size - 1)
            spare[start[digit]] = items[i]
            start[digit] += 1
        copy_into(items, spare)
    for i in range(n):
        keys[i] = codes[items[i]]


@compiled
def rebuild_tables(tables: Tables, first: int, last: int) -> None:
    """Sort tables first ≤ l < last by their codes. Cost O(n + 2^K) (direct) or O(n·K/11) (sorted) a table.

    Disjoint ranges of tables may run in different threads.
    """
    for table in range(first, last):
        if tables.offsets.shape[1] > 0:
            _counting_sort(tables.codes[table], tables.items[table], tables.offsets[table])
        else:
            _radix_sort(tables.codes[table], tables.items[table], tables.keys[table], tables.bits)


@compiled
def _lower_bound(values: _Codes, first: int, last: int, value: int) -> int:
    """Return the first position in the ascending `values[first:last]` whose entry is not below `value`."""
    while first < last:
        middle = (first + last) // 2
        if values[middle] < value:
            first = middle + 1
        else:
            last = middle
    return first


@compiled
def bucket(tables: Tables, table: int, code: int) -> tuple[int, int]:
    """Return start and stop of this bucket in `tables.items[table]`. Cost O(1) (direct) or O(log n) (sorted)."""
    if tables.offsets.shape[1] > 0:
        return int(tables.offsets[table, code]), int(tables.offsets[table, code + 1])
    keys = tables.keys[table]
    start = _lower_bound(keys, 0, keys.shape[0], code)
    return start, _lower_bound(keys, start, keys.shape[0], code + 1)


@compiled
def _shift(values: npt.NDArray[np.int64], source: int, target: int, value: int) -> None:
    """Take the entry at `source` out and put `value` in at `target`, moving what lies between by one."""
    while source < target:
        values[source] = values[source + 1]
        source += 1
    while source > target:
        values[source] = values[source - 1]
        source -= 1
    values[target] = value


@compiled
def _move(tables: Tables, table: int, item: int, code: int) -> None:
    """Move one item to the bucket of its new code, in canonical order. Cost O(n + 2^K), a few sequential passes."""
    items = tables.items[table]
    old = tables.codes[table, item]
    start, stop = bucket(tables, table, old)
    source = _lower_bound(items, start, stop, item)
    start, stop = bucket(tables, table, code)
    target = _lower_bound(items, start, stop, item)
    # Positions behind the one that is vacated move up by one.
    target -= 1 if target > source else 0
    _shift(items, source, target, item)
    if tables.offsets.shape[1] > 0:
        step = 1 if code < old else -1
        for c in range(min(old, code) + 1, max(old, code) + 1):
            tables.offsets[table, c] += step
    else:
        _shift(tables.keys[table], source, target, code)
    tables.codes[table, item] = code


@compiled
def update_tables(tables: Tables, changed: npt.NDArray[np.int64], new_codes: _Codes) -> int:
    """Give changed items their new codes; the result is what a full rebuild would give. Any thread may call it.

    Parameters
    ----------
    tables : Tables
        Modified in place.
    changed : int64 array (c,)
        Items, in any order; repeated ones must have equal codes.
    new_codes : int64 array (L, c)

    Returns
    -------
    int
        How many (table, item) pairs changed their bucket.
    """
    moved = 0
    for table in range(new_codes.shape[0]):
        codes = tables.codes[table]
        moves = 0
        for i in range(changed.shape[0]):
            moves += 1 if codes[changed[i]] != new_codes[table, i] else 0
        if moves == 0:
            continue
        acquire(tables.locks, table)
        for i in range(changed.shape[0]):
            if codes[changed[i]] == new_codes[table, i]:
                continue
            moved += 1
            if moves > _FEW_MOVES:
                codes[changed[i]] = new_codes[table, i]
            else:
                _move(tables, table, changed[i], new_codes[table, i])
        if moves > _FEW_MOVES:
            rebuild_tables(tables, table, table + 1)
        release(tables.locks, table)
    return moved
