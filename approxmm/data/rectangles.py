"""RECTANGLES: outlines of tall and of wide rectangles, drawn at random."""

from __future__ import annotations

import numpy as np

from approxmm.compile import compiled
from approxmm.data.drawing import RECTANGLES, below, draw_in_blocks
from approxmm.data.source import RawSplit
from approxmm.random import Key, philox4x64

__all__ = ["SIDE", "draw_rectangles"]

SIDE = 28
"""Rows and columns of an image."""

_LEAST_DIFFERENCE = 3
_SIZES = np.array([(h, w) for h in range(1, SIDE + 1) for w in range(1, SIDE + 1) if abs(h - w) >= _LEAST_DIFFERENCE])


def draw_rectangles(seed: int, part: int, start: int, stop: int) -> RawSplit:
    """Return examples `start` to `stop` of an endless sequence of rectangles.

    Height and width are uniform on 1, …, 28, pairs that differ by less than 3
    are rejected (each of the other 650 pairs is equally likely), and the upper
    left corner is uniform among the places where the rectangle fits. Pixels on
    the outline are 255, all others 0. Label 1: wider than high; label 0: higher
    than wide.

    Parameters
    ----------
    seed, part : int
        Together they name the sequence.
    start, stop : int
        Which of its examples.

    Returns
    -------
    RawSplit
        784 pixels an example.

    Notes
    -----
    The rule is that of H. Larochelle, D. Erhan, A. Courville, J. Bergstra and
    Y. Bengio, "An empirical evaluation of deep architectures on problems with
    many factors of variation", ICML 2007. Not claimed: that sides of one and two
    pixels occur there too (no least side is documented), which class has which
    number there, and that the examples are theirs.
    """
    return draw_in_blocks(_draw, seed, RECTANGLES, part, (start, stop), SIDE * SIDE)


def _draw(key: Key, first: int, pixels: np.ndarray, labels: np.ndarray) -> None:
    _draw_outlines(key, first, _SIZES, pixels.reshape(-1, SIDE, SIDE), labels)


@compiled
def _draw_outlines(key: Key, first: int, sizes: np.ndarray, images: np.ndarray, labels: np.ndarray) -> None:
    """Draw into black `images`, shape (n, rows, columns), with a height and width that is a row of `sizes`."""
    for i in range(labels.size):
        size, row, column, _ = philox4x64(Key(key.seed, key.stream, key.step, key.layer, first + i), 0)
        pair = below(np.uint64(size), len(sizes))
        height, width = sizes[pair, 0], sizes[pair, 1]
        top = below(np.uint64(row), images.shape[1] - height + 1)
        left = below(np.uint64(column), images.shape[2] - width + 1)
        for x in range(left, left + width):
            images[i, top, x] = 255
            images[i, top + height - 1, x] = 255
        for y in range(top, top + height):
            images[i, y, left] = 255
            images[i, y, left + width - 1] = 255
        labels[i] = 1 if width > height else 0
