"""Arrays that threads write to share no cache lines."""

import numpy as np
import pytest

from approxmm.apart import rows_apart, zeros_apart

PAIR = 128


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("size", [1, 3, 16, 33, 1000])
def test_used_parts_of_rows_lie_a_pair_of_lines_apart(size, dtype):
    rows = rows_apart((2, 3, size), dtype).reshape(6, -1)
    assert rows.flags.c_contiguous
    assert not rows.any()
    ends = [rows[r, :size].__array_interface__["data"][0] for r in range(6)]
    gaps = np.diff(ends) - size * np.dtype(dtype).itemsize
    assert (gaps >= PAIR).all()


@pytest.mark.parametrize("size", [1, 5, 100])
def test_a_vector_has_room_on_both_sides(size):
    vector = zeros_apart(size, np.int64)
    whole = vector.base
    assert vector.shape == (size,)
    assert vector.flags.c_contiguous
    before = vector.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    assert before >= PAIR
    assert whole.nbytes - before - vector.nbytes >= PAIR
