"""Angles between vectors, accurate also near 0 and π, after the MIPS transform.

Convention for the zero vector: it makes π/2 with every nonzero vector and 0
with itself. With sign(0) hashed to bit 0 this is what makes the collision laws
of `approxmm.hashing.laws` exact for zero queries and zero items too: a fair
coin collides with a constant bit half of the time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from approxmm.hashing._checks import Floats, check_integer, check_matrix, check_vector
from approxmm.hashing.pooling import pool_rows
from approxmm.hashing.transforms import Transform, transform_items, transform_query

__all__ = ["mips_angles", "pairwise_angles", "query_angles"]

# Above this |cosine| the arccosine loses digits and the difference form takes over.
_STEEP = 0.9
_CHUNK = 4096


def query_angles(rows: npt.ArrayLike, query: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Angles between one vector and every row, in radians.

    Parameters
    ----------
    rows : array (n, d)
    query : array (d,)

    Returns
    -------
    float64 array (n,)
        In [0, π], with relative accuracy of some rounding errors also for tiny angles
        (2·atan2(‖u − v‖, ‖u + v‖) of the unit vectors; Kahan). Cost O(nd).
    """
    matrix = check_matrix("rows", rows)
    vector = check_vector("query", query, matrix.shape[1])
    units, alive = _unit_rows(matrix)
    unit, awake = _unit_rows(vector[None, :])
    angles = _stable(units, np.broadcast_to(unit, units.shape))
    return np.where(alive & awake, angles, np.where(alive | awake, np.pi / 2, 0.0))


def pairwise_angles(rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Angles between all pairs of rows, in radians.

    Parameters
    ----------
    rows : array (n, d)

    Returns
    -------
    float64 array (n, n)
        Symmetric, zero diagonal. Cost O(n²d) in one matrix product; pairs that
        are nearly parallel or opposite are recomputed from differences.
    """
    units, alive = _unit_rows(check_matrix("rows", rows))
    cosine = np.clip(units @ units.T, -1.0, 1.0)
    angles = np.arccos(cosine)
    first, second = np.nonzero(np.triu(np.abs(cosine) > _STEEP, 1))
    for start in range(0, first.size, _CHUNK):
        i, j = first[start : start + _CHUNK], second[start : start + _CHUNK]
        angles[i, j] = _stable(units[i], units[j])
    angles = np.triu(angles, 1)
    angles += angles.T
    angles[~alive, :] = np.where(alive, np.pi / 2, 0.0)
    angles[:, ~alive] = np.where(alive, np.pi / 2, 0.0)[:, None]
    np.fill_diagonal(angles, 0.0)
    return angles


def mips_angles(
    items: npt.ArrayLike, query: npt.ArrayLike, transform: Transform, *, pool: int = 1, scale: float | None = None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Angles that decide which items an index retrieves: after pooling and transform.

    Parameters
    ----------
    items : array (n, d)
    query : array (d,)
    transform : Transform
    pool : int
        Group size of the input pooling (1: none), as the index has it.
    scale : float, optional
        The index's stored scale; by default fitted to these items.

    Returns
    -------
    theta : float64 array (n,)
        Angle of Q(q) with each P(w_j).
    theta_pairs : float64 array (n, n)
        Angle of P(w_i) with P(w_j).
    """
    group = check_integer("pool", pool, 1, None, "1 means no pooling")
    rows = check_matrix("items", items).astype(np.float64)
    vector = check_vector("query", query, rows.shape[1]).astype(np.float64)
    data = transform_items(pool_rows(rows, group), transform, scale)
    return query_angles(data, transform_query(pool_rows(vector[None, :], group)[0], transform)), pairwise_angles(data)


def _unit_rows(matrix: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    rows = matrix.astype(np.float64)
    # Scaled by the largest entry first, so that squares neither overflow nor underflow.
    peak = np.max(np.abs(rows), axis=1, keepdims=True)
    alive = peak[:, 0] > 0.0
    rows = np.divide(rows, peak, out=np.zeros_like(rows), where=peak > 0.0)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norms, out=rows, where=norms > 0.0), alive


def _stable(u: npt.NDArray[np.float64], v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    angle: npt.NDArray[np.float64] = 2.0 * np.arctan2(np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1))
    return angle
