"""Principal-subspace screening: cheap scores for choosing a layer's active nodes.

An orthonormal basis U (n × r) of recent inputs' principal subspace and the
projected weights V = UᵀW (r × m) give scores s = (aU)V + b for r(n + m)
multiplications instead of nm (both products are `approxmm.hashing.add_rows`, for inputs given by their non-zeros). By
Cauchy–Schwarz the score of node j is off by at
most ‖(I − UUᵀ)a‖·‖W_j‖. Weights stand in the network's order here, one node per
column.

Not claimed: any bound on the recall of the true top nodes, which depends on the
gaps between their pre-activations. Source of the randomised factorisation:
Halko, Martinsson & Tropp 2011.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from approxmm.errors import InputError
from approxmm.hashing._checks import Floats, check_indices, check_integer, check_matrix, check_vector

__all__ = [
    "principal_basis",
    "project_weights",
    "refresh_columns",
    "screening_bound",
    "step_columns",
    "subspace_bytes",
]


def principal_basis(inputs: npt.ArrayLike, rank: int, *, rng: np.random.Generator | None = None) -> Floats:
    """Orthonormal basis of the directions that carry most of the inputs' energy (not centred).

    Parameters
    ----------
    inputs : float array (B, n)
        A buffer of recent inputs.
    rank : int
        r, at most min(B, n).
    rng : numpy.random.Generator, optional
        Given: randomised range finder with 10 more dimensions and 2 power iterations, O(B n (r + 10)). Absent: exact
        singular value decomposition, O(B n min(B, n)).

    Returns
    -------
    float array (n, r), C order, the inputs' dtype
        Columns by falling energy, each with its largest entry positive, so that the result is a
        function of the inputs (and of rng's state) alone, up to the rounding of the linear-algebra library at hand.
        Directions beyond the buffer's own rank are arbitrary.

    Raises
    ------
    InputError
        For inputs that are not a finite matrix, or rank outside [1, min(B, n)].
    """
    buffer = check_matrix("inputs", inputs)
    r = check_integer("rank", rank, 1, min(buffer.shape), "buffer more inputs or take a smaller rank")
    work = buffer.astype(np.float64)
    right = np.linalg.svd(work, full_matrices=False)[2][:r] if rng is None else _randomised(work, r, rng)
    peak = right[np.arange(r), np.argmax(np.abs(right), axis=1)]
    basis: Floats = np.ascontiguousarray((right * np.where(peak < 0.0, -1.0, 1.0)[:, None]).T.astype(buffer.dtype))
    return basis


def _randomised(buffer: npt.NDArray[np.float64], rank: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    width = min(rank + 10, *buffer.shape)
    basis = np.linalg.qr(buffer.T @ rng.standard_normal((buffer.shape[0], width)))[0]
    for _ in range(2):
        # Orthonormalised at each half step: powers of the matrix would lose the smaller directions to rounding.
        basis = np.linalg.qr(buffer.T @ np.linalg.qr(buffer @ basis)[0])[0]
    right: npt.NDArray[np.float64] = np.linalg.svd(buffer @ basis, full_matrices=False)[2][:rank] @ basis.T
    return right


def project_weights(basis: npt.ArrayLike, weights: npt.ArrayLike) -> Floats:
    """Return V = UᵀW (r, m) for a basis (n, r) and weights (n, m), by one product of cost rnm."""
    frame = check_matrix("basis", basis)
    matrix = check_matrix("weights", weights)
    if matrix.shape[0] != frame.shape[0]:
        raise InputError(
            f"weights has {matrix.shape[0]} rows: must have the basis's {frame.shape[0]}; pass weights as (n_in, n_out)"
        )
    return np.ascontiguousarray(frame.T @ matrix)


def refresh_columns(projected: Floats, basis: Floats, weights: Floats, changed: npt.ArrayLike) -> None:
    """Recompute `projected[:, changed]` = Uᵀ W[:, changed] in place: r·n multiplications a node, no drift."""
    which = check_indices("changed", changed, projected.shape[1])
    projected[:, which] = basis.T @ weights[:, which]


def step_columns(projected: Floats, coordinate: Floats, changed: npt.ArrayLike, coefficients: npt.ArrayLike) -> None:
    """Follow the step W_j ← W_j + c_j a of plain gradient descent in place: r multiplications a node.

    Parameters
    ----------
    projected : float array (r, m)
        V, to which Uᵀ ΔW is added.
    coordinate : float array (r,)
        aU, known from scoring the input.
    changed : int array (c,)
        The nodes that move, each once.
    coefficients : float array (c,)
        c_j. Rounding adds up over steps; `refresh_columns` removes it.
    """
    which = check_indices("changed", changed, projected.shape[1])
    projected[:, which] += np.outer(coordinate, check_vector("coefficients", coefficients, which.size))


def screening_bound(basis: npt.ArrayLike, inputs: npt.ArrayLike, weights: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Bound on |s_j − z_j| for every input and node: ‖(I − UUᵀ)a‖·‖W_j‖.

    Parameters
    ----------
    basis : float array (n, r)
        Orthonormal columns.
    inputs : float array (B, n)
    weights : float array (n, m)

    Returns
    -------
    float64 array (B, m)
        For exact arithmetic; rounding of the scores themselves comes on top, of the order of n·eps·‖a‖‖W_j‖.
        The residual is formed as a vector, since a difference of energies would cancel.
    """
    frame = check_matrix("basis", basis).astype(np.float64)
    batch = check_matrix("inputs", inputs, frame.shape[0]).astype(np.float64)
    matrix = check_matrix("weights", weights).astype(np.float64)
    if matrix.shape[0] != frame.shape[0]:
        raise InputError(
            f"weights has {matrix.shape[0]} rows: must have the basis's {frame.shape[0]}; pass weights as (n_in, n_out)"
        )
    outside = batch - (batch @ frame) @ frame.T
    bound: npt.NDArray[np.float64] = np.outer(np.linalg.norm(outside, axis=1), np.linalg.norm(matrix, axis=0))
    return bound


def subspace_bytes(n: int, m: int, rank: int, itemsize: int = 4) -> int:
    """Memory of basis and projected weights in bytes: itemsize·r·(n + m)."""
    return itemsize * rank * (n + m)
