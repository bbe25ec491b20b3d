"""A network's outputs for many examples, by exact products."""

from __future__ import annotations

import numpy as np

from approxmm.network import Network
from approxmm.parallel import map_in_order, single_threaded_blas

__all__ = ["outputs"]

_ROWS = 1024


def outputs(network: Network, x: np.ndarray, workers: int | None = None) -> np.ndarray:
    """Return the network's results (N, C) for `x` (N, n).

    Blocks of rows are shared by threads, each with one BLAS thread, so that the bits do not depend on their number.
    """
    if len(x) <= _ROWS:
        return network.forward(x)
    blocks = [x[start : start + _ROWS] for start in range(0, len(x), _ROWS)]
    with single_threaded_blas():
        return np.concatenate(list(map_in_order(network.forward, blocks, workers)))
