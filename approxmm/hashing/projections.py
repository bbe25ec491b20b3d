"""Random hyperplanes as flat arrays: dense Gaussian, or sparse ±1.

K·L hyperplanes are kept together; plane `l*K + b` gives bit b of table l. Every
draw happens here, in NumPy, from the caller's generator.

Sources: Goemans & Williamson 1995, Charikar 2002 (signed projections);
Achlioptas 2003, Li, Hastie & Church 2006 (sparse planes).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from approxmm.errors import InputError
from approxmm.hashing._checks import Floats, check_integer
from approxmm.hashing.pooling import pooled_length
from approxmm.hashing.transforms import Transform

__all__ = ["MAX_BITS", "Projections", "draw_dense", "draw_sparse", "projections_bytes"]

MAX_BITS = 62


class Projections(NamedTuple):
    """Hyperplanes for K bits in each of L tables over d coordinates (g groups after pooling).

    Attributes
    ----------
    bits, tables : int
        K and L.
    dimension, pool : int
        d, and the size of the coordinate groups that are averaged before hashing (1: none).
    by_plane : float array (K·L, g)
        Dense planes, plane-major: what hashing whole items reads. Shape (0, g) for sparse planes.
    by_coordinate : float array (g, width)
        The same numbers, coordinate-major: what hashing a query reads. Rows are padded by zeros to a multiple of 32
        (K·L ≤ width), which fills the vector registers. Shape (0, width) for sparse planes.
    starts : int64 array (g + 1,)
        Sparse planes: coordinate c has entries `starts[c]:starts[c+1]` of the next array. Shape (1,) for dense planes.
    plane : int32 array (non-zeros,)
        The plane p of each entry: p if the entry is +1, its complement −1 − p if it is −1.
    extra_planes : float array (extras, K·L)
        The planes' entries at the coordinates that the MIPS transform adds, coordinate-major.
    query_shift : float array (K·L,)
        Projections of the unit query's added coordinates.
    """

    bits: int
    tables: int
    dimension: int
    pool: int
    by_plane: Floats
    by_coordinate: Floats
    starts: npt.NDArray[np.int64]
    plane: npt.NDArray[np.int32]
    extra_planes: Floats
    query_shift: Floats


def draw_dense(
    rng: np.random.Generator,
    dimension: int,
    bits: int,
    tables: int,
    transform: Transform,
    *,
    pool: int = 1,
    dtype: npt.DTypeLike = np.float32,
) -> Projections:
    """Draw Gaussian hyperplanes, independent over bits and tables.

    Parameters
    ----------
    rng : numpy.random.Generator
        Consumed for (groups + extras)·K·L normal numbers.
    dimension : int
        d, the items' length before pooling.
    bits, tables : int
        1 ≤ K ≤ 62 and L ≥ 1.
    transform : Transform
        Decides how many coordinates are added.
    pool : int
        Size of the groups that are averaged before hashing; 1 means none.
    dtype : float32 or float64
        Of the planes; take the items' dtype.

    Returns
    -------
    Projections
        About 2·groups·K·L numbers: both layouts are stored.

    Raises
    ------
    InputError
        For K > 62, or any size below 1.
    """
    groups, planes = _check_sizes(dimension, bits, tables, pool)
    by_plane = rng.standard_normal((planes, groups)).astype(dtype)
    extra = rng.standard_normal((transform.extras, planes)).astype(dtype)
    by_coordinate = np.zeros((groups, padded_width(planes)), by_plane.dtype)
    by_coordinate[:, :planes] = by_plane.T
    starts, plane = np.zeros(1, np.int64), np.empty(0, np.int32)
    shift = _shift(transform, extra)
    return Projections(bits, tables, dimension, pool, by_plane, by_coordinate, starts, plane, extra, shift)


def draw_sparse(
    rng: np.random.Generator,
    dimension: int,
    bits: int,
    tables: int,
    transform: Transform,
    *,
    density: float | None = None,
    pool: int = 1,
    dtype: npt.DTypeLike = np.float32,
) -> Projections:
    """Draw hyperplanes with entries −1, 0, +1, stored as lists of positions and signs.

    Parameters
    ----------
    rng : numpy.random.Generator
    dimension, bits, tables : int
        As for `draw_dense`.
    transform : Transform
    density : float, optional
        Probability of a non-zero entry, 0 < density ≤ 1: 1/3 is Achlioptas' choice, 1/√groups ("very sparse") the
        default. A plane that would be empty gets one entry at a random coordinate.
    pool : int
    dtype : float32 or float64
        Of the accumulated projections.

    Returns
    -------
    Projections
        About 4·density·groups·K·L bytes.

    Raises
    ------
    InputError
        As for `draw_dense`, or for a density outside (0, 1].
    """
    groups, planes = _check_sizes(dimension, bits, tables, pool)
    share = 1.0 / np.sqrt(groups) if density is None else float(density)
    if not 0.0 < share <= 1.0:
        raise InputError(f"density = {density!r}: must be above 0 and at most 1; 1/3 is the usual choice")
    present = rng.random((groups, planes)) < share
    lonely = rng.integers(groups, size=planes)
    empty = np.flatnonzero(~present.any(axis=0))
    present[lonely[empty], empty] = True
    coordinate, plane = np.nonzero(present)
    positive = rng.integers(2, size=plane.size) == 1
    entries = np.where(positive, plane, ~plane).astype(np.int32)
    starts = np.searchsorted(coordinate, np.arange(groups + 1)).astype(np.int64)
    # The added coordinates are few and matter much, so all planes see them, at the variance of the other coordinates.
    extra = ((2 * rng.integers(2, size=(transform.extras, planes)) - 1) * np.sqrt(share)).astype(dtype)
    none, nothing = np.empty((0, groups), dtype), np.empty((0, padded_width(planes)), dtype)
    shift = _shift(transform, extra)
    return Projections(bits, tables, dimension, pool, none, nothing, starts, entries, extra, shift)


def padded_width(planes: int) -> int:
    """Return the number of planes, rounded up to a multiple of 32."""
    return -(-planes // 32) * 32


def projections_bytes(projections: Projections) -> int:
    """Memory of the hyperplanes in bytes."""
    return sum(field.nbytes for field in projections if isinstance(field, np.ndarray))


def _check_sizes(dimension: int, bits: int, tables: int, pool: int) -> tuple[int, int]:
    check_integer("dimension", dimension, 1, None, "pass the items' length")
    check_integer("bits", bits, 1, MAX_BITS, "a code is packed into 62 bits; use more tables instead")
    check_integer("tables", tables, 1, None, "at least one table is needed")
    check_integer("pool", pool, 1, dimension, "1 means no pooling")
    return pooled_length(dimension, pool), bits * tables


def _shift(transform: Transform, extra: Floats) -> Floats:
    shift: Floats = (transform.query_value * extra.sum(axis=0)).astype(extra.dtype)
    return shift
