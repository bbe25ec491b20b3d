"""Which examples are held out to judge a fit by."""

from __future__ import annotations

import numpy as np

from approxmm.data.splits import permutation
from approxmm.errors import InputError

__all__ = ["hold_out"]


def hold_out(groups: np.ndarray, fraction: float, seed: int, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Split examples so that every group keeps its share, and at least one example to train on.

    Parameters
    ----------
    groups : (N,) int array
        The class of each example; all the same for a plain split.
    fraction : float
        Of a group of c examples, floor(fraction · c + 1/2) are held out, fewer than c.
    seed : int
    least : int
        If so few are held out altogether, this many of the largest group are.

    Returns
    -------
    train, held : int64 arrays
        Indices, each ascending.

    Raises
    ------
    InputError
        If there are too few examples.
    """
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    counts = [min(int(fraction * len(group) + 0.5), len(group) - 1) for group in members]
    if sum(counts) < least:
        largest = int(np.argmax([len(group) for group in members]))
        if len(members[largest]) <= least:
            raise InputError(
                f"validation_fraction={fraction:g} of n_samples={len(groups)} leaves fewer than {least} to judge by; "
                "give more examples, or set early_stopping=False"
            )
        counts = [least if group == largest else 0 for group in range(len(members))]
    held = [
        group[permutation(len(group), seed, stream)][:count]
        for stream, (group, count) in enumerate(zip(members, counts, strict=True))
    ]
    chosen = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(groups)), chosen), chosen
