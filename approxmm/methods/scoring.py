"""What compiled loops ask of a method that selects a layer's nodes by scores, for a batch at once.

The nodes' scores for one example are its coordinates times the method's factors, plus what it begins with. Methods that
select otherwise register nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.compile import compiled
from approxmm.dispatch import generic
from approxmm.methods.operations import SparseVector

__all__ = ["begin_scores", "score_factors", "select_scored"]


@generic
def score_factors(state: Any, layer: int, like: np.ndarray) -> np.ndarray:  # type: ignore[empty-body]
    """Return V of a selection by scores ``begun + coordinates · V``, a view (c, m) of the dtype of `like` (compiled).

    Then the scores of several examples are one product of matrices, between `begin_scores` and `select_scored`; and
    ``W[:, nodes] += c · x``, for V, is ``V[:, nodes] += c · size · coordinates``, which whoever scored may do in place
    of `follow`. No rows where selections are not made so: the other two are not called.
    """


@score_factors.register(object)
@compiled
def _no_factors(state: Any, layer: int, like: np.ndarray) -> np.ndarray:
    return np.empty((0, 0), like.dtype)


@generic
def begin_scores(  # type: ignore[empty-body]
    state: Any, layer: int, x: SparseVector, coordinates: np.ndarray, scores: np.ndarray
) -> float:
    """Write the coordinates of x / size (c,), and its scores without their product with V, (m,) (compiled).

    Returns the size, a number that keeps scores in range.
    """


@begin_scores.register(object)
@compiled
def _begin_nothing(state: Any, layer: int, x: SparseVector, coordinates: np.ndarray, scores: np.ndarray) -> float:
    return 1.0


@generic
def select_scored(state: Any, layer: int, scores: np.ndarray, index: np.ndarray, scale: np.ndarray) -> int:  # type: ignore[empty-body]
    """Do what `select` does, given all scores (compiled)."""


@select_scored.register(object)
@compiled
def _select_nothing(state: Any, layer: int, scores: np.ndarray, index: np.ndarray, scale: np.ndarray) -> int:
    return 0
