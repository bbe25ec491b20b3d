"""Initial weights of random networks: named laws of a layer's (n_in, n_out) matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from approxmm.errors import InputError

__all__ = ["INITIALISERS", "Initialiser", "get_initialiser"]


class Initialiser(NamedTuple):
    """A law of centred weights.

    Attributes
    ----------
    deviation : callable (fan_in, fan_out) -> float
        Standard deviation of one weight.
    draw : callable (generator, (fan_in, fan_out)) -> (fan_in, fan_out) float64 array
        Weights of the law, scaled to standard deviation 1.
    independent : bool
        Whether the weights of a layer are independent of each other, as the mean field assumes.
    """

    deviation: Callable[[int, int], float]
    draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
    independent: bool = True

    def weights(self, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        """Return a layer's weights, float64 of `shape` (fan_in, fan_out)."""
        return self.deviation(*shape) * self.draw(rng, shape)


def _he(fan_in: int, fan_out: int) -> float:
    return float(np.sqrt(2.0 / fan_in))


def _glorot(fan_in: int, fan_out: int) -> float:
    return float(np.sqrt(2.0 / (fan_in + fan_out)))


def _lecun(fan_in: int, fan_out: int) -> float:
    return float(np.sqrt(1.0 / fan_in))


def _orthogonal(fan_in: int, fan_out: int) -> float:
    return float(np.sqrt(1.0 / max(fan_in, fan_out)))


def _normal(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.standard_normal(shape)


def _uniform(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.uniform(-math.sqrt(3.0), math.sqrt(3.0), shape)


def _semi_orthogonal(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return a uniformly distributed matrix with orthogonal rows or columns, whichever are fewer."""
    long, short = max(shape), min(shape)
    Q, R = np.linalg.qr(rng.standard_normal((long, short)))
    # The signs of R's diagonal are arbitrary; made positive, Q is uniformly distributed (Mezzadri 2007).
    Q = math.sqrt(long) * Q * np.where(np.diagonal(R) < 0.0, -1.0, 1.0)
    return np.ascontiguousarray(Q if shape[0] == long else Q.T)


INITIALISERS: dict[str, Initialiser] = {
    "he": Initialiser(_he, _normal),
    "glorot": Initialiser(_glorot, _normal),
    "lecun": Initialiser(_lecun, _normal),
    "he_uniform": Initialiser(_he, _uniform),
    "glorot_uniform": Initialiser(_glorot, _uniform),
    "lecun_uniform": Initialiser(_lecun, _uniform),
    "orthogonal": Initialiser(_orthogonal, _semi_orthogonal, independent=False),
}


def get_initialiser(name: str) -> Initialiser:
    """Return the initialiser called `name`.

    ``he``, ``glorot`` and ``lecun`` are normal with variance 2/n_in, 2/(n_in + n_out) and 1/n_in (He et al. 2015,
    Glorot & Bengio 2010, LeCun et al. 1998); with ``_uniform`` they are uniform with the same variance. ``orthogonal``
    is uniformly distributed among the matrices with orthonormal rows or columns, whichever are fewer (Saxe et al.
    2014).

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in INITIALISERS:
        raise InputError(f"init={name!r} is unknown; choose one of {', '.join(INITIALISERS)}")
    return INITIALISERS[name]
