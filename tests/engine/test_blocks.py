"""Products by blocks of columns, against NumPy: few columns, many, none, and those after the last whole block."""

from __future__ import annotations

import numpy as np
import pytest

from approxmm.engine.sparse.blocks import add_blocks, dot_blocks, sum_blocks

HEIGHT = 11
LINES = np.array([0, 2, 3, 5, 6, 9, 10])
RNG = np.random.default_rng(4)
# Width and columns: in the tail alone, in the first and last whole block, most of a line, a line shorter than a block.
SHAPES: list[tuple[int, list[int]]] = [
    (43, [42]),
    (43, [0, 1, 33, 40]),
    (40, [39]),
    (43, [17]),
    (43, [*range(1, 43, 4)]),
    (43, []),
    (3, [2]),
    (64, [8]),
]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 1e-14)])
def test_products_by_blocks_are_those_of_the_whole_matrix(dtype: type, tolerance: float) -> None:
    for width, listed in SHAPES:
        columns = np.array(listed, dtype=np.int64)
        W = RNG.standard_normal((HEIGHT, width)).astype(dtype)
        v, u = RNG.standard_normal(columns.size).astype(dtype), RNG.standard_normal(LINES.size).astype(dtype)
        whole, scratch = np.zeros(width, dtype), np.empty(width, dtype)
        whole[columns] = v
        forward, back = np.empty(LINES.size, dtype), np.empty(columns.size, dtype)
        read = dot_blocks(W, LINES, columns, v, whole, forward)
        np.testing.assert_allclose(forward, W[LINES] @ whole, rtol=0, atol=tolerance)
        assert read == sum_blocks(W, LINES, u, columns, scratch, back)
        np.testing.assert_allclose(back, u @ W[np.ix_(LINES, columns)], rtol=0, atol=tolerance)
        expected = W.copy()
        expected[LINES] += np.outer(u, whole)
        assert read == add_blocks(W, LINES, u, columns, v, whole, forward)
        np.testing.assert_allclose(W, expected, rtol=0, atol=tolerance)
        assert columns.size <= read <= width
        untouched = np.setdiff1d(np.arange(HEIGHT), LINES)
        np.testing.assert_array_equal(W[untouched], expected[untouched])


def test_read_are_the_blocks_and_the_tail() -> None:
    W = np.zeros((4, 43), np.float32)
    whole, out = np.zeros(43, np.float32), np.empty(4, np.float32)
    for listed, expected in (([17], 8 + 3), ([17, 18, 23], 8 + 3), ([17, 24], 16 + 3), ([7, 42], 8 + 3)):
        columns = np.array(listed)
        assert dot_blocks(W, np.arange(4), columns, np.ones(columns.size, np.float32), whole, out) == expected
