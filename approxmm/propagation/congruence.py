"""W S Wᵀ for symmetric S with a quarter of the work saved, in pieces that do not depend on the machine.

Only blocks on and below the diagonal of the second product are computed, the rest is copied: 1.56 products of matrices of
this size instead of 2. The diagonal is halved and halved again, so that most of the work lies in a few large blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

__all__ = ["PieceMap", "congruence"]

_SMALL = 256  # sides up to this are one piece: more would cost more to hand out than to compute
_LEAF = 128
PieceMap = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


def congruence(
    W: np.ndarray, S: np.ndarray | None, factors: Sequence[np.ndarray], run: PieceMap
) -> tuple[np.ndarray | None, list[np.ndarray]]:
    """Return W S Wᵀ for symmetric S, and W F for each factor F.

    Parameters
    ----------
    W : (n, m) float64 array
    S : (m, m) float64 array, symmetric, or None
    factors : sequence of (m, r) float64 arrays
    run : callable
        Maps a function over pieces of work, see `approxmm.parallel.ordered_map`.
    """
    right = [*factors, *([] if S is None else [S])]
    products = [np.empty((len(W), F.shape[1])) for F in right]
    pieces = [(F, out, rows) for F, out in zip(right, products, strict=True) for rows in _panels(len(W))]
    # In this thread alone where there is little to do.
    run = run if len(W) > _SMALL else map
    _finish(run(lambda piece: np.matmul(W[piece[2]], piece[0], out=piece[1][piece[2]]), pieces))
    if S is None:
        return None, products
    half, out = products.pop(), np.empty((len(W), len(W)))

    def block(piece: tuple[slice, slice]) -> None:
        rows, columns = piece
        np.matmul(half[rows], W[columns].T, out=out[rows, columns])
        if rows != columns:
            out[columns, rows] = out[rows, columns].T

    _finish(run(block, lower_blocks(len(W))))
    return out, products


def lower_blocks(n: int) -> list[tuple[slice, slice]]:
    """Return blocks (rows, columns) that cover the diagonal and all below it once, the largest first."""
    blocks, spans = [], [(0, n)]
    for start, stop in spans:  # grows while it is read
        if n <= _SMALL or stop - start <= _LEAF:
            blocks.append((slice(start, stop), slice(start, stop)))
            continue
        middle = (start + stop) // 2
        blocks.append((slice(middle, stop), slice(start, middle)))
        spans += [(start, middle), (middle, stop)]
    return blocks


def _panels(n: int) -> list[slice]:
    """Return ranges of rows: four where there is enough to share."""
    cuts = [0, n] if n <= _SMALL else [n * i // 4 for i in range(5)]
    return [slice(start, stop) for start, stop in zip(cuts, cuts[1:], strict=False)]


def _finish(results: Iterator[Any]) -> None:
    for _ in results:
        pass
