"""The losses: mean over a batch, with their gradient, dispatched on the loss's class."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from approxmm.compile import compiled
from approxmm.dispatch import generic

__all__ = ["LOSS_LIMIT", "CrossEntropy", "Loss", "SquaredError", "evaluate", "target_memory", "target_rows"]

# Nats. A classifier that is this wrong has left the range where training means anything, although in float32 its dead
# units may keep the loss finite for ever.
LOSS_LIMIT = 1e9


class CrossEntropy(NamedTuple):
    """Softmax cross-entropy in nats; targets are class numbers. A loss beyond `limit` ends the training."""

    limit: float = LOSS_LIMIT


class SquaredError(NamedTuple):
    """Half the squared distance to the target, summed over outputs; targets are vectors.

    A loss beyond `limit` ends the training: it has the square of the targets' unit, so it should follow their size.
    """

    limit: float = LOSS_LIMIT


Loss = CrossEntropy | SquaredError


def target_rows(loss: Loss, targets: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return targets as a C-contiguous matrix of `dtype`, one row an example: (N, 1) classes or (N, C) vectors.

    Class numbers are exact in it (below 2^24 in single precision). One type for all losses is one compilation of all
    that works with a batch.
    """
    return np.ascontiguousarray(np.asarray(targets).reshape(len(targets), -1), dtype=dtype)


def target_memory(loss: Loss, batch: int, outputs: int, dtype: np.dtype) -> np.ndarray:
    """Return a new array of the form of `target_rows` for a batch of a network with so many outputs."""
    return np.zeros((batch, 1 if isinstance(loss, CrossEntropy) else outputs), dtype=dtype)


@generic
def evaluate(loss: Any, scores: np.ndarray, targets: np.ndarray, delta: np.ndarray) -> float:  # type: ignore[empty-body]
    """Return the mean loss of a batch and write its gradient (compiled).

    Parameters
    ----------
    loss : NamedTuple
    scores : (B, C) float array
        The network's outputs.
    targets : (B, t) array
        From `target_rows`.
    delta : (B, C) float array
        ∂(mean loss)/∂scores, written.
    """


@evaluate.register(CrossEntropy)
@compiled
def cross_entropy(loss: CrossEntropy, scores: np.ndarray, targets: np.ndarray, delta: np.ndarray) -> float:
    """Evaluate the softmax cross-entropy."""
    batch, classes = scores.shape
    sum_of_losses = 0.0
    for r in range(batch):
        top = scores[r].max()
        total = 0.0
        for j in range(classes):
            total += np.exp(scores[r, j] - top)
        label = int(targets[r, 0])
        sum_of_losses += np.log(total) + top - scores[r, label]
        for j in range(classes):
            delta[r, j] = np.exp(scores[r, j] - top) / total / batch
        delta[r, label] -= 1.0 / batch
    mean: float = sum_of_losses / batch
    return mean


@evaluate.register(SquaredError)
@compiled
def squared_error(loss: SquaredError, scores: np.ndarray, targets: np.ndarray, delta: np.ndarray) -> float:
    """Evaluate half the squared error."""
    batch, outputs = scores.shape
    total = 0.0
    for r in range(batch):
        for j in range(outputs):
            error = scores[r, j] - targets[r, j]
            total += 0.5 * error * error
            delta[r, j] = error / batch
    mean: float = total / batch
    return mean
