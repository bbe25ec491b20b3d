"""How much memory a run may take, and how many examples are evaluated together for that."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from approxmm.engine.layout import Layout

__all__ = ["batch_bytes", "rows_within"]

_SHARE = 1.25  # of what parameters, optimiser and batch need: what threads add comes on top, up to 1.3
_MOST, _LEAST = 64, 5  # examples; five are a register tile
_ALWAYS = 1 << 17  # bytes that a workspace may have in any case, for networks so small that nobody counts them


def batch_bytes(layout: Layout, batch: int, itemsize: int) -> int:
    """Return what a batch needs: its inputs, and pre-activation, output and error of every unit."""
    return batch * (int(layout.widths[0]) + 3 * int(layout.unit_at[-1])) * itemsize


def rows_within(needed: int, held: int, least: int, workspace: Callable[[int], tuple[np.ndarray, ...]]) -> int:
    """Return the number of examples that a workspace should hold.

    Parameters
    ----------
    needed : int
        Bytes of parameters, optimiser and batch.
    held : int
        Bytes of all that is held besides the workspace.
    least : int
        Examples that a step or a sampled pass takes together.
    workspace : callable
        Its arrays, for so many examples; its size grows by the same number of bytes with each.
    """
    # Zeros that are not written to take no memory.
    one, two = (sum(array.nbytes for array in workspace(rows)) for rows in (1, 2))
    room = max(_SHARE * needed - held, _ALWAYS) - one
    rows = 1 + int(max(room, 0.0) // (two - one))
    return max(least, min(_MOST, rows // _LEAST * _LEAST or _LEAST))
