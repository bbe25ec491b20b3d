"""The precision that each method is trained in by tests.

One side each in single precision; the other methods in double, for which the tests of gradients and of the simulation
compile them anyway. The slow tests train all of them in single precision.
"""

from __future__ import annotations

import numpy as np

__all__ = ["SINGLE", "precision"]

SINGLE = ("exact", "bernoulli", "dropout")


def precision(method: str) -> type:
    """Return the dtype."""
    return np.float32 if method in SINGLE else np.float64
