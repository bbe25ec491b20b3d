"""Normalisation of a layer's outputs: what a network does to a layer between its activation and the next product."""

from __future__ import annotations

import numpy as np

from approxmm.errors import InputError

__all__ = ["NORMALISATIONS", "RMS_EPSILON", "check_normalisation", "rms_normalised"]

NORMALISATIONS = ("none", "rms")

# Squares are averaged in float64 for either float type, so one ε serves both: it changes nothing in a layer whose root
# mean square is above 1e-3 (in float64; 1e-4 in float32), and keeps a layer of zeros what it is.
RMS_EPSILON = 1e-12


def rms_normalised(a: np.ndarray) -> np.ndarray:
    """Return ``a / sqrt(mean_j a_j² + 1e-12)`` for each row of `a` (B, n), in a's dtype.

    The mean is over the whole row, zeros included; a row of zeros stays one.
    """
    squares = np.square(a, dtype=np.float64).mean(axis=1, keepdims=True)
    return np.asarray(a * (1.0 / np.sqrt(squares + RMS_EPSILON)).astype(a.dtype))


def check_normalisation(name: str) -> str:
    """Return `name`, or raise InputError if there is no such normalisation."""
    if name not in NORMALISATIONS:
        raise InputError(f"normalise={name!r} is unknown; choose one of {', '.join(NORMALISATIONS)}")
    return name
