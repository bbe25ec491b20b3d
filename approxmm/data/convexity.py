"""Whether a set of pixels is convex, decided in whole numbers."""

from __future__ import annotations

import numpy as np

from approxmm.compile import compiled

__all__ = ["is_convex"]


@compiled
def is_convex(image: np.ndarray) -> bool:
    """Return whether the set of pixels that are not 0 is digitally convex.

    That is: no other pixel's centre lies in the convex hull of the set's
    centres. An empty set is convex; a convex set need not be connected (two
    pixels a knight's move apart are convex).

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Integers.

    Notes
    -----
    At height y the hull reaches from the least to the largest point of height y
    on a segment between the first (the last) pixels of two rows y₁ ≤ y ≤ y₂. A
    set is convex if and only if no whole number lies there beyond the row's own
    pixels, or in between them.
    """
    rows, columns = image.shape
    left, right, count = np.empty(rows, np.int64), np.empty(rows, np.int64), np.zeros(rows, np.int64)
    for y in range(rows):
        for x in range(columns):
            if image[y, x] != 0:
                if count[y] == 0:
                    left[y] = x
                right[y] = x
                count[y] += 1
        if count[y] > 0 and right[y] - left[y] + 1 != count[y]:
            return False
    return _rows_fill_hull(left, right, count)


@compiled
def _rows_fill_hull(left: np.ndarray, right: np.ndarray, count: np.ndarray) -> bool:
    for y in range(count.size):
        first, last = 1 << 30, -1  # of the hull in a row without pixels
        for above in range(y + 1):
            for under in range(y, count.size):
                if count[above] == 0 or count[under] == 0 or above == under:
                    continue
                rise = under - above
                low = left[above] * (under - y) + left[under] * (y - above)
                high = right[above] * (under - y) + right[under] * (y - above)
                if count[y] == 0:
                    first, last = min(first, -(-low // rise)), max(last, high // rise)
                elif low <= (left[y] - 1) * rise or high >= (right[y] + 1) * rise:
                    return False
        if first <= last:
            return False
    return True
