"""Transforms that turn maximum inner product search into a search by angle.

Data (items) and query are extended by a few coordinates so that the angle
between P(w) and Q(q) falls as the inner product <q, w> grows. Everything is
virtual: the items are never scaled or copied, a stored scalar takes the place
of scaling, and a hash adds the extra coordinates' share to the projections of
the raw item. `transform_items` and `transform_query` write the vectors out, for
theory and tests.

Sources: Shrivastava & Li 2014 (L2-ALSH), Shrivastava & Li 2015 (Sign-ALSH),
Neyshabur & Srebro 2015 (Simple-LSH).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from approxmm.compile import compiled
from approxmm.errors import InputError
from approxmm.hashing._checks import Floats, check_integer, check_matrix, check_open_unit, check_vector

__all__ = [
    "TRANSFORM_NAMES",
    "Transform",
    "fit_scale",
    "item_extra",
    "make_transform",
    "transform_items",
    "transform_query",
]


class Transform(NamedTuple):
    """A MIPS transform as numbers that a compiled kernel can use.

    Extra coordinate i (from 0) of an item whose scaled squared norm is r is
    `offset + slope * r**(2**i)`, or the square root of that if `root`; every
    extra coordinate of a unit query is `query_value`.

    Attributes
    ----------
    extras : int
        Number of coordinates added.
    offset, slope : float
        The affine map of the powers of r.
    root : bool
        Whether the square root is taken.
    query_value : float
        The query's extra coordinates.
    limit : float
        U: the largest norm after scaling.
    """

    extras: int
    offset: float
    slope: float
    root: bool
    query_value: float
    limit: float


# name -> (extra coordinates, None meaning m; offset; slope; root; query value)
_FAMILIES: dict[str, tuple[int | None, float, float, bool, float]] = {
    "none": (0, 0.0, 0.0, False, 0.0),
    "l2_alsh": (None, 0.0, 1.0, False, 0.5),
    "sign_alsh": (None, 0.5, -1.0, False, 0.0),
    "simple_lsh": (1, 1.0, -1.0, True, 0.0),
}
TRANSFORM_NAMES = tuple(_FAMILIES)


def make_transform(name: str, U: float = 0.83, m: int = 3) -> Transform:
    """Build the transform of this name.

    Parameters
    ----------
    name : {"none", "l2_alsh", "sign_alsh", "simple_lsh"}
        The family. "l2_alsh" with signed projections is the pairing of the
        published training code; "sign_alsh" and "simple_lsh" are the ones
        derived for signed projections.
    U : float
        The largest item norm after scaling, 0 < U < 1.
    m : int
        Number of norm powers of the two ALSH families, at least 1 (the others ignore it).

    Returns
    -------
    Transform

    Raises
    ------
    InputError
        For an unknown name, U outside (0, 1) or m < 1.
    """
    if name not in _FAMILIES:
        raise InputError(f"name = {name!r}: must be one of {', '.join(_FAMILIES)}; choose one of these transforms")
    limit = check_open_unit("U", U, "the literature uses 0.83")
    powers = check_integer("m", m, 1, None, "the literature uses 2 or 3")
    extras, offset, slope, root, query_value = _FAMILIES[name]
    return Transform(powers if extras is None else extras, offset, slope, root, query_value, limit)


@compiled
def item_extra(transform: Transform, squared_norm: float, i: int) -> float:
    """Return extra coordinate `i` of an item with this *scaled* squared norm.

    A norm above 1 (an item that outgrew the stored scale) counts as 1, so that
    the root stays real; rescale the index when that happens.
    """
    power = min(squared_norm, 1.0)
    for _ in range(i):
        power = power * power
    value = transform.offset + transform.slope * power
    return np.sqrt(value) if transform.root else value


def fit_scale(transform: Transform, squared_norms: npt.NDArray[np.float64]) -> float:
    """Return U / max‖w‖, the scalar by which items are virtually scaled; 1 if all items are zero or there are none."""
    largest = float(np.max(squared_norms, initial=0.0))
    return transform.limit / float(np.sqrt(largest)) if largest > 0.0 else 1.0


def transform_items(items: npt.ArrayLike, transform: Transform, scale: float | None = None) -> npt.NDArray[np.float64]:
    """Write out P(w) for every item.

    Parameters
    ----------
    items : array (n, d)
        One item per row (for a network's n_in × n_out weights pass `W.T`). Not modified.
    transform : Transform
    scale : float, optional
        The stored scale; by default fitted to these items.

    Returns
    -------
    float64 array (n, d + extras)
        A zero item stays zero under "none" and "l2_alsh"; under "sign_alsh" and "simple_lsh" its extra coordinates
        are not zero.
    """
    rows = check_matrix("items", items).astype(np.float64)
    squared = np.einsum("ij,ij->i", rows, rows)
    factor = fit_scale(transform, squared) if scale is None else scale
    extra = np.empty((rows.shape[0], transform.extras))
    power = np.minimum(squared * factor * factor, 1.0)
    for i in range(transform.extras):
        value = transform.offset + transform.slope * power
        extra[:, i] = np.sqrt(value) if transform.root else value
        power = power * power
    return np.hstack([rows * factor, extra])


def transform_query(query: npt.ArrayLike, transform: Transform) -> npt.NDArray[np.float64]:
    """Write out Q(q / ‖q‖).

    Parameters
    ----------
    query : array (d,)
        Not modified.
    transform : Transform

    Returns
    -------
    float64 array (d + extras,)
        A zero query gives the zero vector, extra coordinates included: it has no direction, every inner product
        with it is 0, and its hash is the constant code 0 (see `approxmm.hashing.angles` for its law).
    """
    vector: Floats = check_vector("query", query, np.asarray(query).size).astype(np.float64)
    norm = float(np.linalg.norm(vector))
    if norm == 0.0:
        return np.zeros(vector.size + transform.extras)
    return np.concatenate([vector / norm, np.full(transform.extras, transform.query_value)])
