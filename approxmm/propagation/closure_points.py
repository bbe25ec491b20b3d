"""Points that stand for a normal distribution: what a law of random activations is evaluated at.

Every coordinate takes Q quantiles that are 1/Q apart, from a start of its own (systematic sampling with random starts):
averages over the points of a function of one coordinate are nearly exact, and those of functions of many coordinates
concentrate as they do for independent draws. The starts are keyed, so that the points are a function of the input's
number and the layer's.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import ndtri

from approxmm.random import Stream, generator, make_key

__all__ = ["normal_points"]

_QUANTILES = 4096


def normal_points(points: int, inputs: range, size: int, layer: int) -> np.ndarray:
    """Return points of N(0, I), float64 (points, len(inputs), size).

    Parameters
    ----------
    points : int
        A power of two, at most 4096.
    inputs : range
        Numbers of the inputs; each has points of its own, whatever others are asked for.
    size, layer : int
    """
    start = np.stack([_starts(size, layer, item) for item in inputs])
    step = _QUANTILES // points
    return np.stack([_quantiles()[(start + q * step) % _QUANTILES] for q in range(points)])


def _starts(size: int, layer: int, item: int) -> np.ndarray:
    key = make_key(0, Stream.PROBE, layer=layer, item=item)
    return generator(key).integers(0, _QUANTILES, size, dtype=np.int32)


@cache
def _quantiles() -> np.ndarray:
    """Return the quantiles of N(0, 1) at the middles of equal strata, with variance exactly 1."""
    table: np.ndarray = ndtri((np.arange(_QUANTILES) + 0.5) / _QUANTILES)
    table /= np.sqrt(np.mean(table * table))
    return table
