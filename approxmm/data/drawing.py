"""Compiled draws of generated examples: whole numbers from Philox, and blocks of examples over the threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from approxmm.compile import compiled
from approxmm.data.source import RawSplit
from approxmm.parallel import map_in_order
from approxmm.random import Key, Stream, make_key, philox4x64

__all__ = ["CONVEX", "DEFORMED", "RECTANGLES", "below", "draw_in_blocks", "next_word"]

RECTANGLES, CONVEX, DEFORMED = range(3)
"""Field `layer` of a key: which generator."""

_BLOCK = 500  # examples a piece of work
_TO_UNIT = 2.0**-53
_SHIFT = np.uint64(11)


@compiled
def below(word: Any, limit: int) -> int:
    """Return a whole number from 0 to ``limit - 1`` (uniform to 2**-53 · limit) from one 64-bit word."""
    return int((word >> _SHIFT) * _TO_UNIT * limit)


@compiled
def next_word(key: Key, words: np.ndarray, used: np.ndarray) -> Any:
    """Return the next word of a key's stream, a uint64.

    Parameters
    ----------
    key : Key
        What the words are for.
    words : ndarray of uint64, shape (4,)
        The current block.
    used : ndarray of int64, shape (2,)
        Words used of it, and the number of the next block; (4, 0) at the beginning.
    """
    if used[0] == 4:
        words[0], words[1], words[2], words[3] = philox4x64(key, used[1])
        used[0] = 0
        used[1] += 1
    used[0] += 1
    return words[used[0] - 1]


def draw_in_blocks(
    draw: Callable[[Key, int, np.ndarray, np.ndarray], None],
    seed: int,
    generator: int,
    part: int,
    span: tuple[int, int],
    features: int,
) -> RawSplit:
    """Return examples `span[0]` to `span[1]` of an endless sequence.

    Parameters
    ----------
    draw : compiled function
        Called with a key whose item is to be filled in, the number of its first
        example, and the pixels and labels that it writes.
    seed, generator, part : int
        Fields seed, layer and step of the key.
    span : tuple of int
        First example and the one after the last.
    features : int
        Pixels of an image.

    Returns
    -------
    RawSplit
        The same examples whatever the span that they are part of.
    """
    start, stop = span
    key = make_key(seed, Stream.EXAMPLES, step=part, layer=generator)
    pixels = np.zeros((stop - start, features), dtype=np.uint8)
    labels = np.empty(stop - start, dtype=np.int64)

    def fill(first: int) -> None:
        rows = slice(first, first + _BLOCK)
        draw(key, start + first, pixels[rows], labels[rows])

    for _ in map_in_order(fill, range(0, stop - start, _BLOCK)):
        pass
    return RawSplit(pixels, labels)
