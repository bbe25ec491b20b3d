"""Closed-form laws of the set that signed-random-projection tables retrieve.

Randomness: the hyperplanes (Gaussian, independent over bits and tables). The
retrieved set is the union of the query's L buckets. Two vectors at angle θ
agree in one bit with probability 1 − θ/π (Goemans & Williamson 1995; Charikar
2002); three vectors agree with probability 1 − (θ_i + θ_j + θ_ij)/(2π), since a
random plane separates them along exactly two of the triangle's three sides.
Angles are those after the MIPS transform: `approxmm.hashing.angles.mips_angles`.

Not claimed: anything about capped, randomly filled, frequency-ranked or
multi-probed sets (simulate those), and sparse ±1 planes, for which the angle law
holds only in the limit of many non-zeros.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from approxmm.errors import InputError
from approxmm.hashing._checks import check_integer

__all__ = [
    "WeightedMask",
    "bit_agreement",
    "expected_recall",
    "expected_size",
    "mask_covariance",
    "pair_retrieval",
    "retrieval",
    "weighted_mask",
]

_Array = npt.NDArray[np.float64]


class WeightedMask(NamedTuple):
    """Moments of the Horvitz–Thompson weighted mask.

    Attributes
    ----------
    weights : float64 array (n,)
        1/P_j, and 0 for unreachable items.
    mean : float64 array (n,)
        1 where reachable, 0 elsewhere.
    covariance : float64 array (n, n)
        (S_ij − P_i P_j)/(P_i P_j), and 0 in unreachable rows and columns.
    reachable : bool array (n,)
        Whether P_j is large enough for a finite weight with finite variance.
    """

    weights: _Array
    mean: _Array
    covariance: _Array
    reachable: npt.NDArray[np.bool_]


def bit_agreement(theta: npt.ArrayLike) -> _Array:
    """Probability 1 − θ/π that one signed projection agrees, for angles in [0, π] of any shape."""
    angles = np.asarray(theta, dtype=np.float64)
    if not (np.isfinite(angles).all() and (angles >= 0.0).all() and (angles <= np.pi * (1 + 1e-15)).all()):
        raise InputError("theta has entries outside [0, pi]: must be angles in radians; see mips_angles")
    return np.maximum(1.0 - angles / np.pi, 0.0)


def retrieval(theta: npt.ArrayLike, bits: int, tables: int) -> _Array:
    """Probability P_j = 1 − (1 − (1 − θ_j/π)^K)^L that the union of L buckets contains item j.

    Parameters
    ----------
    theta : array, any shape
        Angles of the query with the items, after the MIPS transform.
    bits, tables : int
        K ≥ 1 and L ≥ 1.

    Returns
    -------
    float64 array, same shape
        With full relative accuracy down to probabilities of 1e-300 and next to 1.

    Raises
    ------
    InputError
        For angles outside [0, π], K < 1 or L < 1.
    """
    K, L = _check_shape(bits, tables)
    probability: _Array = -np.expm1(L * _log_miss(_log_agreement(theta), K))
    return probability


def pair_retrieval(theta: npt.ArrayLike, theta_pairs: npt.ArrayLike, bits: int, tables: int) -> _Array:
    """Probability S_ij that items i and j are both retrieved.

    S_ij = 1 − (1−s_i)^L − (1−s_j)^L + (1 − s_i − s_j + s_ij)^L with s = (1−θ/π)^K and
    s_ij = (1 − (θ_i+θ_j+θ_ij)/(2π))^K; computed as P_i P_j + covariance, which does not cancel.

    Parameters
    ----------
    theta : array (n,)
    theta_pairs : array (n, n)
    bits, tables : int

    Returns
    -------
    float64 array (n, n)
        Its diagonal is P_j.
    """
    probability = retrieval(theta, bits, tables)
    both: _Array = np.outer(probability, probability) + mask_covariance(theta, theta_pairs, bits, tables)
    return both


def mask_covariance(theta: npt.ArrayLike, theta_pairs: npt.ArrayLike, bits: int, tables: int) -> _Array:
    """Covariance S_ij − P_i P_j of the retrieval mask (its mean is `retrieval`).

    Parameters
    ----------
    theta : array (n,)
    theta_pairs : array (n, n)
        Symmetric, zero diagonal.
    bits, tables : int

    Returns
    -------
    float64 array (n, n)
        Equal to B^L − A^L with A = (1−s_i)(1−s_j) and B = A + s_ij − s_i s_j, formed by
        log1p/expm1 so that small covariances keep their digits.

    Raises
    ------
    InputError
        If the shapes do not match, or as for `retrieval`.
    """
    angles, pairs = _check_angles(theta, theta_pairs)
    K, L = _check_shape(bits, tables)
    agree = bit_agreement(angles)
    log_miss = _log_miss(_log_agreement(angles), K)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        excess = _excess_agreement(angles, pairs, agree, K)
        log_a = log_miss[:, None] + log_miss[None, :]
        ratio = np.maximum(excess * np.exp(-log_a), -1.0)
        covariance = np.exp(L * log_a) * np.expm1(L * np.log1p(ratio))
        # Where A vanishes or the ratio overflows, B^L − A^L itself is accurate.
        direct = np.maximum(np.exp(log_a) + excess, 0.0) ** L - np.exp(L * log_a)
    stable = (ratio < 0.5) & np.isfinite(covariance)
    result: _Array = np.where(stable, covariance, direct)
    return result


def weighted_mask(theta: npt.ArrayLike, theta_pairs: npt.ArrayLike, bits: int, tables: int) -> WeightedMask:
    """Moments of the mask weighted by 1/P_j, which is unbiased on every reachable item.

    Items with P_j below 1e-150 (θ_j at or next to π) count as unreachable: the
    product of two such probabilities is not a normal number, and no run would
    ever retrieve them. Their weight, mean and covariance are 0: the product they
    belong to loses them, and `reachable` says so.
    """
    probability = retrieval(theta, bits, tables)
    covariance = mask_covariance(theta, theta_pairs, bits, tables)
    reachable = probability >= 1e-150
    weights = np.divide(1.0, probability, out=np.zeros_like(probability), where=reachable)
    return WeightedMask(
        weights, reachable.astype(np.float64), covariance * weights[:, None] * weights[None, :], reachable
    )


def expected_size(theta: npt.ArrayLike, bits: int, tables: int) -> float:
    """Return the expected number of retrieved items, Σ_j P_j."""
    return float(np.sum(retrieval(theta, bits, tables)))


def expected_recall(theta: npt.ArrayLike, scores: npt.ArrayLike, k: int, bits: int, tables: int) -> float:
    """Return the expected share of the k items of largest score that are retrieved.

    Parameters
    ----------
    theta : array (n,)
        Angles after the MIPS transform.
    scores : array (n,)
        The true inner products, by which the top k are chosen (ties: lower index first).
    k : int
        1 ≤ k ≤ n.
    bits, tables : int

    Returns
    -------
    float
        Compare with the chance level `expected_size / n`.
    """
    values = np.asarray(scores, dtype=np.float64)
    probability = retrieval(theta, bits, tables)
    if values.shape != probability.shape or values.ndim != 1:
        raise InputError(f"scores has shape {values.shape}: must be {probability.shape}; pass one score per angle")
    top = check_integer("k", k, 1, values.size, "choose how many top items to look for")
    return float(np.mean(probability[np.argsort(-values, kind="stable")[:top]]))


def _check_shape(bits: int, tables: int) -> tuple[int, int]:
    K = check_integer("bits", bits, 1, 62, "a code is packed into 62 bits")
    return K, check_integer("tables", tables, 1, None, "at least one table is searched")


def _check_angles(theta: npt.ArrayLike, theta_pairs: npt.ArrayLike) -> tuple[_Array, _Array]:
    angles, pairs = np.asarray(theta, dtype=np.float64), np.asarray(theta_pairs, dtype=np.float64)
    if angles.ndim != 1 or pairs.shape != (angles.size, angles.size):
        raise InputError(
            f"theta_pairs has shape {pairs.shape}: must be (n, n) for theta of shape {angles.shape}; see mips_angles"
        )
    bit_agreement(pairs)
    return angles, pairs


def _log_agreement(theta: npt.ArrayLike) -> _Array:
    """Return log(1 − θ/π), accurate for small θ too, where 1 − θ/π itself has lost θ's digits."""
    bit_agreement(theta)
    with np.errstate(divide="ignore"):
        log: _Array = np.log1p(np.maximum(-np.asarray(theta, dtype=np.float64) / np.pi, -1.0))
    return log


def _log_miss(log_agree: _Array, bits: int) -> _Array:
    """Return log(1 − agree^K), accurate for agree near 0 and near 1."""
    with np.errstate(divide="ignore"):
        x = bits * log_agree
        miss: _Array = np.where(x > -np.log(2.0), np.log(-np.expm1(x)), np.log1p(-np.exp(x)))
    return miss


def _excess_agreement(theta: _Array, pairs: _Array, agree: _Array, bits: int) -> _Array:
    """Return s_ij − s_i s_j without cancellation: p_ij − p_i p_j is formed from the angles themselves."""
    half_sum = (theta[:, None] + theta[None, :]) / (2 * np.pi)
    product = agree[:, None] * agree[None, :]
    gain = half_sum - pairs / (2 * np.pi) - np.outer(theta, theta) / np.pi**2
    ratio = np.maximum(gain / product, -1.0)
    excess = product**bits * np.expm1(bits * np.log1p(ratio))
    joint = np.maximum(1.0 - half_sum - pairs / (2 * np.pi), 0.0)
    safe: _Array = np.where(np.isfinite(excess), excess, joint**bits - product**bits)
    return safe
