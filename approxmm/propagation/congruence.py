"""W S Wᵀ for symmetric S with a quarter of the work saved, in pieces that do not depend on the machine.

Of the second product each panel of rows is computed up to its last diagonal entry and the rest copied: 1.56 products of
matrices of this size instead of 2. (Smaller blocks would save more multiplications and lose it to the packing of
operands; SYR2K and SYMM of BLAS gain nothing.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["PieceMap", "Workspace", "congruence", "row_panels"]

_SMALL = 256  # sides up to this are one piece: more would cost more to hand out than to compute
_PANELS = 8  # of a triangle; more where they would be taller than half a tile
_TILE = 512
PieceMap = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


class Workspace:
    """Arrays that are no longer needed, for others of the same shape: fresh memory would cost 5 % of the products."""

    def __init__(self) -> None:
        self._free: defaultdict[tuple[int, int], list[np.ndarray]] = defaultdict(list)

    def take(self, rows: int, columns: int) -> np.ndarray:
        """Return an array with undefined contents."""
        free = self._free[rows, columns]
        return free.pop() if free else np.empty((rows, columns))

    def give(self, array: np.ndarray) -> None:
        """Take an array back that nobody reads any more."""
        rows, columns = array.shape
        if len(self._free[rows, columns]) < 2:
            self._free[rows, columns].append(array)


def congruence(
    W: np.ndarray, S: np.ndarray | None, factors: Sequence[np.ndarray], run: PieceMap, workspace: Workspace
) -> tuple[np.ndarray | None, list[np.ndarray]]:
    """Return W S Wᵀ for symmetric S, and W F for each factor F.

    Parameters
    ----------
    W : (n, m) float64 array
    S : (m, m) float64 array, symmetric, or None
    factors : sequence of (m, r) float64 arrays
    run : callable
        Maps a function over pieces of work, see `approxmm.parallel.ordered_map`.
    workspace : Workspace
        Where results come from.
    """
    n = len(W)
    right = [*factors, *([] if S is None else [S])]
    products = [workspace.take(n, F.shape[1]) for F in right]
    tiles = row_panels(n, -(-n // _TILE))
    pieces = [(F, out, rows) for F, out in zip(right, products, strict=True) for rows in tiles]
    run = run if n > _SMALL else map  # in this thread alone where there is little to do
    _finish(run(lambda piece: np.matmul(W[piece[2]], piece[0], out=piece[1][piece[2]]), pieces))
    if S is None:
        return None, products
    half, out = products.pop(), workspace.take(n, n)

    def triangle(rows: slice) -> None:
        np.matmul(half[rows], W[: rows.stop].T, out=out[rows, : rows.stop])
        out[: rows.start, rows] = out[rows, : rows.start].T

    panels = row_panels(n, 1 if n <= _SMALL else max(_PANELS, 2 * n // _TILE))
    _finish(run(triangle, reversed(panels)))  # the largest first
    workspace.give(half)
    return out, products


def row_panels(n: int, count: int) -> list[slice]:
    """Return `count` consecutive ranges that share n rows evenly."""
    cuts = [n * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(cuts)]


def _finish(results: Iterator[Any]) -> None:
    for _ in results:
        pass
