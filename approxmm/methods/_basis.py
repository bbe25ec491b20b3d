"""An orthonormal basis that follows the principal subspace of a buffer of inputs, in compiled code."""

from __future__ import annotations

import numpy as np

from approxmm.compile import compiled, copy_into

__all__ = ["follow_subspace", "orthonormalise"]

_FLOOR = 1e-7


@compiled
def orthonormalise(directions: np.ndarray) -> None:
    """Make the rows of `directions` (r, n), float64, r ≤ n, linearly independent, orthonormal in place.

    Gram–Schmidt with each projection taken out twice, which is as good as Householder's method.
    """
    for k in range(directions.shape[0]):
        row = directions[k]
        for _ in range(2):
            if k > 0:
                row -= np.dot(np.dot(directions[:k], row), directions[:k])
            row /= np.sqrt(np.dot(row, row))


@compiled
def follow_subspace(directions: np.ndarray, rows: np.ndarray, sweeps: int) -> None:
    """Turn `directions` (r, n), orthonormal, float64, towards the principal subspace of `rows` (c, n), in place.

    Products are of the rows' type, what makes them orthonormal is of 64 bits. The rows are divided by their largest
    entry on the way.

    Subspace iteration, warm-started, on the rows' second moment plus a small multiple of the identity: that keeps
    directions independent where the rows span fewer than r. Only the span is meant; single directions are not
    singular vectors. Rows that are all zero, or not finite, leave it as it is. A sweep costs 2rcn + 2r²n
    multiplications.
    """
    peaks = np.zeros(rows.shape[1])
    for r in range(rows.shape[0]):
        for i in range(peaks.size):  # element by element: vectorised, other than the largest of all
            peaks[i] = max(peaks[i], abs(rows[r, i]))
    scale, energy = peaks.max(), 0.0
    if not (scale > 0.0 and np.isfinite(scale)):
        return
    for r in range(rows.shape[0]):
        rows[r] /= scale
        energy += np.dot(rows[r], rows[r])
    if not np.isfinite(energy):
        return
    for _ in range(sweeps):
        turned = np.dot(np.dot(directions.astype(rows.dtype), rows.T), rows).astype(np.float64)
        for k in range(directions.shape[0]):
            turned[k] += _FLOOR * energy * directions[k]
        orthonormalise(turned)
        for k in range(directions.shape[0]):
            copy_into(directions[k], turned[k])
