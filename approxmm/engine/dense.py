"""The three products of a layer at small batches, on chosen rows of the weights, as loops over register tiles.

Each function works on a range, so that threads can share a product; every element is summed in the same order
whatever the ranges are.
"""

from __future__ import annotations

import numpy as np

from approxmm._tiles import add_outer_tile, dot_tile, multiply_tile
from approxmm.compile import compiled

__all__ = ["add_outer", "dot_rows", "multiply"]

_BLOCK = 64  # rows of the weights that stay in the first-level cache while a batch passes
_MULTIPLY_10, _MULTIPLY_5, _MULTIPLY_1 = (multiply_tile(rows, 2, False) for rows in (10, 5, 1))
_MULTIPLY_FIRST = multiply_tile(10, 2, False, ahead=True)
_MULTIPLY_REST_10, _MULTIPLY_REST_5, _MULTIPLY_REST_1 = (multiply_tile(rows, 1, True) for rows in (10, 5, 1))
_DOT_5_4, _DOT_1_4, _DOT_5_1, _DOT_1_1 = (dot_tile(rows, items) for rows, items in ((5, 4), (1, 4), (5, 1), (1, 1)))
_DOT_FIRST = dot_tile(5, 4, ahead=True)
_OUTER_8, _OUTER_1 = (add_outer_tile(items, 2, False) for items in (8, 1))
_OUTER_REST_8, _OUTER_REST_1 = (add_outer_tile(items, 1, True) for items in (8, 1))


@compiled
def _multiply_panel(
    A: np.ndarray, W: np.ndarray, chosen: np.ndarray, first: int, count: int, column: int, Z: np.ndarray
) -> None:
    row, batch = 0, Z.shape[0]
    if batch >= 10:
        _MULTIPLY_FIRST(Z, A, W, chosen, row, first, count, column, 0)
        row = 10
    while row + 10 <= batch:
        _MULTIPLY_10(Z, A, W, chosen, row, first, count, column, 0)
        row += 10
    if row + 5 <= batch:
        _MULTIPLY_5(Z, A, W, chosen, row, first, count, column, 0)
        row += 5
    while row < batch:
        _MULTIPLY_1(Z, A, W, chosen, row, first, count, column, 0)
        row += 1


@compiled
def _multiply_rest(
    A: np.ndarray, W: np.ndarray, chosen: np.ndarray, first: int, count: int, column: int, last: int, Z: np.ndarray
) -> None:
    row, batch = 0, Z.shape[0]
    while row + 10 <= batch:
        _MULTIPLY_REST_10(Z, A, W, chosen, row, first, count, column, last)
        row += 10
    if row + 5 <= batch:
        _MULTIPLY_REST_5(Z, A, W, chosen, row, first, count, column, last)
        row += 5
    while row < batch:
        _MULTIPLY_REST_1(Z, A, W, chosen, row, first, count, column, last)
        row += 1


@compiled
def multiply(A: np.ndarray, W: np.ndarray, chosen: np.ndarray, Z: np.ndarray, start: int, stop: int) -> None:
    """Add A W[chosen] to the columns start … stop − 1 of Z.

    Parameters
    ----------
    A : (B, c) float array
    W : (n, m) float array
    chosen : (c,) int64
        Rows of W, in the order of A's columns.
    Z : (B, m) float array
        Added to; may have further columns; all arrays are C-contiguous and of one type.
    start, stop : int
        Columns of W and Z; sums do not depend on how the columns are divided.
    """
    lanes = 64 // Z.itemsize
    for first in range(0, chosen.size, _BLOCK):
        count = min(_BLOCK, chosen.size - first)
        column = start
        while column + 2 * lanes <= stop:
            _multiply_panel(A, W, chosen, first, count, column, Z)
            column += 2 * lanes
        while column < stop:
            _multiply_rest(A, W, chosen, first, count, column, min(lanes, stop - column), Z)
            column += lanes


@compiled
def dot_rows(D: np.ndarray, W: np.ndarray, chosen: np.ndarray, O: np.ndarray, start: int, stop: int) -> None:  # noqa: E741
    """Write D W[chosen]ᵀ to the columns start … stop − 1 of O (B, c).

    Parameters
    ----------
    D : (B, m) float array
    W : (n, m) float array
    chosen : (c,) int64
    O : (B, c) float array
        Written.
    start, stop : int
        Positions in `chosen`.
    """
    batch, width = D.shape
    fives, fours = batch - batch % 5, start + (stop - start) // 4 * 4
    if fives > 0:
        for item in range(start, fours, 4):
            _DOT_FIRST(O, D, W, chosen, 0, item, stop, 0, width)
        for item in range(fours, stop):
            _DOT_5_1(O, D, W, chosen, 0, item, stop, 0, width)
    for row in range(5, fives, 5):  # five rows of D stay in the first-level cache
        for item in range(start, fours, 4):
            _DOT_5_4(O, D, W, chosen, row, item, stop, 0, width)
        for item in range(fours, stop):
            _DOT_5_1(O, D, W, chosen, row, item, stop, 0, width)
    for row in range(fives, batch):
        for item in range(start, fours, 4):
            _DOT_1_4(O, D, W, chosen, row, item, stop, 0, width)
        for item in range(fours, stop):
            _DOT_1_1(O, D, W, chosen, row, item, stop, 0, width)


@compiled
def add_outer(
    A: np.ndarray,
    D: np.ndarray,
    chosen: np.ndarray,
    T: np.ndarray,
    decay: float,
    start: int,
    stop: int,
    first: int,
) -> None:
    """Set T[chosen] to decay · T[chosen] + AᵀD, for the items start … stop − 1.

    Parameters
    ----------
    A : (B, c) float array
    D : (B, m) float array
    chosen : int64 array
        Rows of T.
    T : (n, m) float array
        Changed in place.
    decay : float
        Of T's type.
    start, stop : int
        Columns of A.
    first : int
        Where in `chosen` the row that belongs to column `start` stands.
    """
    lanes, m = 64 // T.itemsize, D.shape[1]
    whole = m // (2 * lanes) * (2 * lanes)
    eights = start + (stop - start) // 8 * 8
    for item in range(start, eights, 8):
        place = first + item - start
        for column in range(0, whole, 2 * lanes):
            _OUTER_8(T, A, D, chosen, place, item, column, 0, decay)
        for column in range(whole, m, lanes):
            _OUTER_REST_8(T, A, D, chosen, place, item, column, min(lanes, m - column), decay)
    for item in range(eights, stop):
        place = first + item - start
        for column in range(0, whole, 2 * lanes):
            _OUTER_1(T, A, D, chosen, place, item, column, 0, decay)
        for column in range(whole, m, lanes):
            _OUTER_REST_1(T, A, D, chosen, place, item, column, min(lanes, m - column), decay)
