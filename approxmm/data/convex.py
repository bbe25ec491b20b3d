"""CONVEX: white regions that are convex or not, as intersections of random half-planes and unions of these."""

from __future__ import annotations

import numpy as np

from approxmm.compile import compiled
from approxmm.data.convexity import is_convex
from approxmm.data.drawing import CONVEX, below, draw_in_blocks, next_word
from approxmm.data.rectangles import SIDE
from approxmm.data.source import RawSplit
from approxmm.random import Key

__all__ = ["draw_regions"]

# Probability of no further half-plane, times 2**64, and the least number of pixels; of regions, and of a union's parts.
_STOP_REGION, _LEAST_REGION = np.uint64(round(0.195 * 2**64)), 19
_STOP_PART, _LEAST_PART = np.uint64(round(0.07 * 2**64)), 10
_FEWEST_PARTS, _MOST_PARTS = 2, 4

_NORMAL_BITS, _PLACE_BITS = 30, 24
_NORMAL_MASK, _PLACE_MASK = np.uint64(2**_NORMAL_BITS - 1), np.uint64(2**_PLACE_BITS - 1)
_HALF_WORD, _TOP = np.uint64(32), np.uint64(63)


def draw_regions(seed: int, part: int, start: int, stop: int) -> RawSplit:
    """Return examples `start` to `stop` of an endless sequence of convex and other regions.

    Every half-plane has a boundary through a uniform point of the image with a
    uniform direction. A convex region (label 1) is the intersection of K of them,
    P(K = k) = 0.195 · 0.805^k for k = 0, 1, …; it is drawn again, K included, if
    it has less than 19 pixels. A region that is not convex (label 0) is the union
    of 2, 3 or 4 such intersections, with 0.07 in the place of 0.195 and at least
    10 pixels each, drawn again if it is convex in the sense of
    `approxmm.data.convexity.is_convex`. Both labels have probability 1/2. Pixels
    of the region are 255, all others 0.

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
    Half-planes have whole coefficients and pixels are tested in whole numbers,
    so that every label is exact and every machine draws the same. The numbers
    and the steps are those that the authors of the set published (H. Larochelle
    et al., ICML 2007, and the set's page). They leave open whether K may be 0 (a
    whole image): that it may is taken from their statement that both classes
    have the same mean number of white pixels, which holds so (450 in each) and
    not otherwise (273 and 472). Not claimed: that their half-planes and their
    test of convexity follow the same law, that the task is as hard (a support
    vector machine errs in about 12 % of cases here, and in 19 % of theirs), and
    that the examples are theirs.
    """
    return draw_in_blocks(_draw, seed, CONVEX, part, (start, stop), SIDE * SIDE)


def _draw(key: Key, first: int, pixels: np.ndarray, labels: np.ndarray) -> None:
    _draw_examples(key, first, pixels.reshape(-1, SIDE, SIDE), labels)


@compiled
def _draw_examples(key: Key, first: int, images: np.ndarray, labels: np.ndarray) -> None:
    """Draw into black `images`, shape (n, rows, columns)."""
    words, used = np.empty(4, np.uint64), np.empty(2, np.int64)
    spans = np.empty((images.shape[1], 2), np.int64)
    for i in range(labels.size):
        own = Key(key.seed, key.stream, key.step, key.layer, first + i)
        used[0], used[1] = 4, 0
        labels[i] = int(next_word(own, words, used) >> _TOP)
        while not _try_region(own, words, used, labels[i] == 1, images[i], spans):
            _whole(images.shape[2], spans)
            _paint(images[i], spans, 0)


@compiled
def _try_region(
    key: Key, words: np.ndarray, used: np.ndarray, convex: bool, image: np.ndarray, spans: np.ndarray
) -> bool:
    """Draw a candidate into a black `image`; return whether it is convex or not as wanted. `spans` is scratch space."""
    parts, stop, least = 1, _STOP_REGION, _LEAST_REGION
    if not convex:
        parts = _FEWEST_PARTS + below(next_word(key, words, used), _MOST_PARTS - _FEWEST_PARTS + 1)
        stop, least = _STOP_PART, _LEAST_PART
    for _ in range(parts):
        _intersection(key, words, used, stop, least, image.shape[1], spans)
        _paint(image, spans, 255)
    return is_convex(image) == convex


@compiled
def _intersection(
    key: Key, words: np.ndarray, used: np.ndarray, stop: np.uint64, least: int, columns: int, spans: np.ndarray
) -> None:
    """Write the spans of an intersection of half-planes that has at least `least` pixels.

    `spans`, shape (rows, 2), holds the first column of each row and the one after the last.
    """
    size = 0
    while size < least:
        _whole(columns, spans)
        size = spans.shape[0] * columns
        while size >= least and next_word(key, words, used) >= stop:
            size = _cut(key, words, used, columns, spans)


@compiled
def _cut(key: Key, words: np.ndarray, used: np.ndarray, columns: int, spans: np.ndarray) -> int:
    """Shorten the spans to what a random half-plane contains; return the number of pixels left.

    A normal (a, b) of odd numbers, uniform in the disk of radius 2**30, has a uniform direction. Lengths are in units
    of 2**-25 pixels, so that |a · Δx + b · Δy| < 2**61.
    """
    radius = 1 << _NORMAL_BITS
    a = b = np.int64(radius)
    while a * a + b * b > radius * radius:
        word = next_word(key, words, used)
        a = 2 * np.int64(word & _NORMAL_MASK) + 1 - radius
        b = 2 * np.int64((word >> _HALF_WORD) & _NORMAL_MASK) + 1 - radius
    word = next_word(key, words, used)
    pixel = 1 << (_PLACE_BITS + 1)
    x = pixel // 2 - columns * (2 * np.int64(word & _PLACE_MASK) + 1)
    y = pixel // 2 - spans.shape[0] * (2 * np.int64((word >> _HALF_WORD) & _PLACE_MASK) + 1)
    size = 0
    for row in range(spans.shape[0]):
        level = b * (row * pixel + y) + a * x  # column c is inside where level + c · a · pixel ≥ 0
        if a > 0:
            spans[row, 0] = max(spans[row, 0], -(level // (a * pixel)))
        else:
            spans[row, 1] = min(spans[row, 1], level // (-a * pixel) + 1)
        size += max(0, spans[row, 1] - spans[row, 0])
    return size


@compiled
def _whole(columns: int, spans: np.ndarray) -> None:
    for row in range(spans.shape[0]):
        spans[row, 0], spans[row, 1] = 0, columns


@compiled
def _paint(image: np.ndarray, spans: np.ndarray, value: int) -> None:
    for row in range(image.shape[0]):
        for column in range(spans[row, 0], spans[row, 1]):
            image[row, column] = value
