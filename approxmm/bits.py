"""Sets of small integers as words of 64 bits, for compiled loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import overload

from approxmm._vectors import Emitter
from approxmm.compile import compiled, intrinsic

__all__ = ["list_members", "mark", "mark_from", "marked", "unmark", "words_for"]

_REGISTER = 256  # bits compared at a time: what was stored in vectors of 256 or 512 bits is forwarded to such loads
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


@intrinsic
def _emit_word_from(typing: Any, values: Any, start: Any, limit: Any) -> Any:
    """64 comparisons side by side; LLVM would make shifts and sums of words of 64 bits of the loop."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        e = Emitter(builder, context.get_value_type(signature.args[0].dtype), _REGISTER // values.dtype.bitwidth)
        start = e.at(context.make_array(signature.args[0])(context, builder, args[0]).data, args[1])
        least, word = e.splat(args[2]), ir.IntType(64)(0)
        for first in range(0, 64, e.lanes):
            met = builder.fcmp_ordered(">=", e.load(e.at(start, first)), least)
            bits = builder.zext(builder.bitcast(met, ir.IntType(e.lanes)), word.type)
            word = builder.or_(word, builder.shl(bits, word.type(first)))
        return word

    return types.uint64(values, types.intp, values.dtype), emit


def _word_from(values: np.ndarray, start: int, limit: float) -> Any:
    """Return the set of the 64 positions from `start` on whose value is not below `limit`, counted from `start`."""
    return np.packbits(values[start : start + 64] >= limit, bitorder="little").view(np.uint64)[0]


@overload(_word_from, strict=False)
def _word_from_overload(values: Any, start: Any, limit: Any) -> Any:
    emit: Any = _emit_word_from
    return lambda values, start, limit: emit(values, start, limit)


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
def mark_from(values: np.ndarray, limit: float, words: np.ndarray) -> None:
    """Write the set of positions whose value is not below `limit`; `values` has 64 entries (or more) a word."""
    for w in range(words.size):
        words[w] = _word_from(values, 64 * w, limit)


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
