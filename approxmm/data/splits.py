"""Reproducible splits, keyed by a split seed of their own.

The permutation sorts raw 64-bit words of Philox, whose output is fixed by its
definition, so that a split does not depend on NumPy's version.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from approxmm.errors import DataError, InputError

__all__ = ["check_split_seed", "holdout_split", "permutation", "stratified_split"]

Indices = NDArray[np.int64]


def check_split_seed(split_seed: int) -> int:
    """Return the seed as an int, or raise InputError if it is not an integer in [0, 2**64)."""
    try:
        seed = operator.index(split_seed)
    except TypeError:
        seed = -1
    if isinstance(split_seed, bool) or not 0 <= seed < 2**64:
        raise InputError(f"split_seed is {split_seed!r} and must be an integer from 0 to 2**64 - 1; the default is 0")
    return seed


def permutation(count: int, seed: int, stream: int = 0) -> Indices:
    """Return a permutation of 0, …, count - 1, fixed by (seed, stream) for ever."""
    key = np.array([seed, stream], dtype=np.uint64)
    words = np.random.Philox(key=key).random_raw(count)
    return np.argsort(words, kind="stable").astype(np.int64, copy=False)


def stratified_split(y: NDArray[Any], split_seed: int = 0) -> tuple[Indices, Indices, Indices]:
    """Split 70 / 10 / 20 within every class.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Class of each example.
    split_seed : int
        Key of the permutation.

    Returns
    -------
    train, validation, test : ndarray of int64
        Disjoint, together 0, …, n - 1, each ascending. Of a class of c
        examples, floor(c/10 + 1/2) validate and floor(c/5 + 1/2) test.
    """
    parts: tuple[list[Indices], list[Indices], list[Indices]] = ([], [], [])
    for stream, label in enumerate(np.unique(y)):
        members = np.flatnonzero(y == label)
        members = members[permutation(members.size, split_seed, stream)]
        validation, test = (members.size + 5) // 10, (2 * members.size + 5) // 10
        pieces = np.split(members, [validation, validation + test])
        for part, piece in zip(parts, pieces, strict=True):
            part.append(piece)
    held, tested, train = (np.sort(np.concatenate(part)) for part in parts)
    return train, held, tested


def holdout_split(count: int, split_seed: int = 0) -> tuple[Indices, Indices]:
    """Set one twelfth aside (5,000 of 60,000), uniformly at random.

    Parameters
    ----------
    count : int
        Number of examples.
    split_seed : int
        Key of the permutation.

    Returns
    -------
    train, validation : ndarray of int64
        Disjoint, together 0, …, count - 1, each ascending; the validation part
        has max(1, floor(count / 12)) examples.

    Raises
    ------
    DataError
        If there are fewer than two examples.
    """
    if count < 2:
        raise DataError(f"a training set of {count} example(s) cannot be split; give at least 2")
    order = permutation(count, split_seed)
    held = max(1, count // 12)
    return np.sort(order[held:]), np.sort(order[:held])
