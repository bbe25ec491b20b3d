"""Sets of small integers as words of 64 bits, for compiled loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from approxmm.compile import compiled, intrinsic

__all__ = ["list_members", "mark", "mark_above", "mark_from", "marked", "unmark", "words_for"]

_ONE, _ZERO, _LOW = np.uint64(1), np.uint64(0), np.uint64(63)


@intrinsic
def _emit_lowest(typing: Any, word: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        flag = context.get_constant(types.boolean, True)  # the word is not 0
        return builder.cttz(args[0], flag)

    return types.uint64(types.uint64), emit


def _lowest(word: Any) -> Any:
    """Return the position of the lowest bit that is set; the word is not 0."""
    return np.uint64((int(word) & -int(word)).bit_length() - 1)


@overload(_lowest, strict=False)
def _lowest_overload(word: Any) -> Any:
    emit: Any = _emit_lowest
    return lambda word: emit(word)


@compiled
def words_for(size: int) -> int:
    """Return how many words hold a set of the integers below `size`."""
    return (size + 63) // 64


@compiled
def marked(words: np.ndarray, item: int) -> bool:
    """Return whether an item is in the set."""
    return bool((words[item >> 6] >> np.uint64(item & 63)) & _ONE != _ZERO)


@compiled
def mark(words: np.ndarray, item: int) -> None:
    """Put an item into the set."""
    words[item >> 6] |= _ONE << np.uint64(item & 63)


@compiled
def unmark(words: np.ndarray, item: int) -> None:
    """Take an item out of the set."""
    words[item >> 6] &= ~(_ONE << np.uint64(item & 63))


@compiled
def mark_above(values: np.ndarray, limit: float, words: np.ndarray) -> None:
    """Write the set of positions whose value is above `limit`; `values` has 64 entries (or more) a word."""
    for w in range(words.size):
        word, part = _ZERO, values[64 * w : 64 * w + 64]
        for j in range(64):
            word |= np.uint64(part[j] > limit) << np.uint64(j)
        words[w] = word


@compiled
def mark_from(values: np.ndarray, limit: float, words: np.ndarray) -> None:
    """Write the set of positions whose value is not below `limit`, as `mark_above` does."""
    for w in range(words.size):
        word, part = _ZERO, values[64 * w : 64 * w + 64]
        for j in range(64):
            word |= np.uint64(part[j] >= limit) << np.uint64(j)
        words[w] = word


@compiled
def list_members(words: np.ndarray, index: np.ndarray) -> int:
    """Write the set's items to `index`, increasing; return how many there are."""
    count = 0
    for w in range(words.size):
        word = words[w]
        while word != _ZERO:
            index[count] = 64 * w + np.int64(_lowest(word))
            count += 1
            word &= word - _ONE
    return count
