"""Accuracy and confusion of a session's network on labelled examples, by exact or by sampled products."""

from __future__ import annotations

import numpy as np

from approxmm.engine.session import Session

__all__ = ["accuracy", "confusion_counts"]


def accuracy(session: Session, x: np.ndarray, y: np.ndarray, sampled: bool = False) -> float:
    """Return the fraction of rows whose class is predicted right."""
    return session.accuracy(x, y, sampled)


def confusion_counts(session: Session, x: np.ndarray, y: np.ndarray, classes: int, sampled: bool = False) -> np.ndarray:
    """Return how often each true class (row) was predicted as each class (column), (C, C) int64."""
    predicted = session.predict(x, sampled)
    return np.bincount(y * classes + predicted, minlength=classes * classes).reshape(classes, classes)
