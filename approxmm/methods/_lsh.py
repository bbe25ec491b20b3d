"""What the LSH methods share: their index options, the key of their hyperplanes, and the closed-form law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from approxmm.errors import InputError
from approxmm.hashing import (
    MAX_BITS,
    TRANSFORM_NAMES,
    Transform,
    make_transform,
    pool_rows,
    query_angles,
    retrieval,
    transform_items,
    transform_query,
)
from approxmm.hashing._checks import check_integer, check_open_unit
from approxmm.methods._hashed import HashShape, LayerIndexes, build_indexes
from approxmm.methods.contract import Method, Usage
from approxmm.random import Key, Stream, make_key

__all__ = ["HashMethod", "query_theta"]


@dataclass(frozen=True)
class HashMethod(Method):
    """A method that looks nodes up in hash tables over the columns of the weights.

    Parameters
    ----------
    budget : float, int or Budget
    transform : {"l2_alsh", "sign_alsh", "simple_lsh", "none"}
        How maximum inner products become angles. Signed projections follow the angle in every case; "sign_alsh" and
        "simple_lsh" were derived for them, "l2_alsh" is what the published training code pairs them with.
    bits : int
        K, hyperplanes a table, at most 62.
    tables : int
        L.
    norm_power : int
        m, the number of norm powers of the two ALSH transforms.
    U : float
        Largest norm after the virtual scaling of the weights, 0 < U < 1; the weights themselves stay as they are.
    pool : int
        Inputs and weights are averaged over groups of this many neighbouring coordinates before hashing; 1: not.
    seed : int
        Number of the draw of hyperplanes: the same run with another number has other hyperplanes.
    """

    transform: str = "l2_alsh"
    bits: int = 6
    tables: int = 5
    norm_power: int = 3
    U: float = 0.83
    pool: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.transform not in TRANSFORM_NAMES:
            raise InputError(
                f"transform={self.transform!r} is unknown; choose one of {', '.join(sorted(TRANSFORM_NAMES))}"
            )
        check_integer("bits", self.bits, 1, MAX_BITS, "a code is packed into 62 bits; use more tables instead")
        check_integer("tables", self.tables, 1, None, "at least one table is needed")
        check_integer("norm_power", self.norm_power, 1, None, "the literature uses 2 or 3")
        check_open_unit("U", self.U, "the literature uses 0.83")
        check_integer("pool", self.pool, 1, None, "1 means no pooling")
        make_key(self.seed)

    @property
    def mips(self) -> Transform:
        """The transform with its numbers."""
        return make_transform(self.transform, self.U, self.norm_power)

    @property
    def plane_density(self) -> float:
        """Share of non-zero entries of a hyperplane."""
        return 1.0

    def indexes(self, weights: Sequence[np.ndarray], key: Key | None) -> LayerIndexes:
        """Return the indexes of these weights (n, m), with the hyperplanes of `key` and of the method's seed."""
        base = key or make_key(0, Stream.BUILD, layer=1)
        shape = HashShape(self.bits, self.tables, self.pool, self.plane_density)
        return build_indexes(weights, self.mips, shape, base._replace(step=self.seed))

    def build(self, weights: Sequence[np.ndarray]) -> Any:
        """Return the state with the hyperplanes of the default key."""
        return self.prepare(weights)

    def right_angle_share(self) -> float:
        """Return 1 − (1 − 2^−K)^L: the share retrieved of nodes at right angles to the input, as most nearly are."""
        return float(retrieval(np.pi / 2, self.bits, self.tables))

    def hashing_cost(self, vectors: float, n: int) -> float:
        """Return the multiplications (additions, for sparse planes) of hashing `vectors` vectors of n entries."""
        return vectors * -(-n // self.pool) * self.bits * self.tables * self.plane_density

    def followed_cost(self, usage: Usage) -> float:
        """Return the multiplications of following steps: projections of what is added, and the nodes' new codes."""
        planes = self.bits * self.tables
        projected = (usage.inputs if usage.rank_one else usage.pairs) * self.plane_density
        return float(planes * (projected + usage.active * (usage.rank_one + 1 + self.mips.extras)))


def query_theta(method: HashMethod, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the angles (m,) between the input and the columns of the weights after pooling and transform."""
    data = transform_items(pool_rows(np.ascontiguousarray(weights.T, dtype=np.float64), method.pool), method.mips)
    query = pool_rows(np.ascontiguousarray(x, dtype=np.float64)[None, :], method.pool)[0]
    return query_angles(data, transform_query(query, method.mips))
