"""Products with some lines of a matrix and some of its columns, against NumPy: few columns, many, and none."""

from __future__ import annotations

import numpy as np
import pytest

from approxmm.engine.sparse.products import add_block, columns_read, columns_summed, dot_lines, sum_lines

HEIGHT = 11
LINES = np.array([0, 2, 3, 5, 6, 9, 10])
RNG = np.random.default_rng(4)
# Width and columns: the first and the last, as many as are read singly and one more, most of a line, a short line.
SHAPES: list[tuple[int, list[int]]] = [
    (43, [42]),
    (43, [0, 1, 33, 40]),
    (43, [0, 1, 33, 40, 42]),
    (40, [0, 7, 8, 39]),
    (43, [*range(1, 43, 4)]),
    (43, []),
    (3, [2]),
]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 1e-14)])
def test_products_with_listed_lines_and_columns_are_those_of_the_whole_matrix(dtype: type, tolerance: float) -> None:
    for width, listed in SHAPES:
        columns = np.array(listed, dtype=np.int64)
        W = RNG.standard_normal((HEIGHT, width)).astype(dtype)
        v, u = RNG.standard_normal(columns.size).astype(dtype), RNG.standard_normal(LINES.size).astype(dtype)
        whole, scratch = np.zeros(width, dtype), np.empty(width, dtype)
        whole[columns] = v
        forward, back = np.empty(LINES.size, dtype), np.empty(columns.size, dtype)
        dot_lines(W, LINES, columns, v, whole, forward)
        np.testing.assert_allclose(forward, W[LINES] @ whole, rtol=0, atol=tolerance)
        sum_lines(W, LINES, u, columns, scratch, back)
        np.testing.assert_allclose(back, u @ W[np.ix_(LINES, columns)], rtol=0, atol=tolerance)
        expected, alone = W.copy(), W.copy()
        expected[LINES] += np.outer(u, whole)
        add_block(W, LINES, u, columns, v, whole, True, forward)
        np.testing.assert_allclose(W, expected, rtol=0, atol=tolerance)
        untouched = np.setdiff1d(np.arange(HEIGHT), LINES)
        np.testing.assert_array_equal(W[untouched], expected[untouched])
        add_block(alone, LINES, u, columns, v, whole, False, forward)
        np.testing.assert_array_equal(alone, W)


def test_what_is_read_of_a_line_is_counted() -> None:
    """Infinite weights show how far it is read: a result is finite only if none of them was multiplied."""
    width = 43
    for listed in ([], [1, 17, 18, 40], [5, 7, 11, 17, 30], [*range(3, 40)]):
        columns = np.array(listed, dtype=np.int64)
        whole = np.zeros(width)
        whole[columns] = 1.0
        read = 0
        for j in range(width):
            W, forward = np.zeros((1, width)), np.empty(1)
            W[0, j] = np.inf
            dot_lines(W, LINES[:1], columns, np.ones(columns.size), whole, forward)
            read += forward[0] != 0.0
        assert columns_read(columns, width) == read
        assert columns_summed(columns.size, width) == (width if 10 * columns.size > width else columns.size)


def test_elements_that_are_not_wanted_are_not_multiplied() -> None:
    """Infinite weights beside the wanted ones show it: times 0 they would be NaN."""
    width, columns = 43, np.array([1, 17, 18, 40])
    W = np.full((HEIGHT, width), np.inf)
    W[:, columns] = RNG.standard_normal((HEIGHT, columns.size))
    v, u, whole = np.ones(columns.size), np.ones(LINES.size), np.zeros(width)
    whole[columns] = v
    forward, back = np.empty(LINES.size), np.empty(columns.size)
    dot_lines(W, LINES, columns, v, whole, forward)
    sum_lines(W, LINES, u, columns, np.empty(width), back)
    assert np.isfinite(forward).all()
    assert np.isfinite(back).all()
