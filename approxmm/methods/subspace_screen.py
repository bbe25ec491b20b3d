"""Active sets by scores in the principal subspace of a layer's inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from approxmm.compile import compiled, copy_into
from approxmm.hashing import coordinates, score_nodes, select_top
from approxmm.hashing._checks import check_integer
from approxmm.methods._basis import follow_subspace, orthonormalise
from approxmm.methods._packed import Packed, matrix_of, pack, vector_of
from approxmm.methods._query import unit_query
from approxmm.methods._rows import keep_all
from approxmm.methods.contract import Claims, Cost, Method
from approxmm.methods.operations import observe, refresh, select
from approxmm.random import Key, Stream, generator, make_key

__all__ = ["SubspaceScreen"]


class SubspaceScreenState(NamedTuple):
    """What scores need, for all layers.

    Attributes
    ----------
    active : (L,) int64
    arrays : Packed
        Of each layer: the transposed basis Uᵀ (r, n), the projected weights V = UᵀW (r, m), the bias (m,), and the
        latest inputs (c, n), a ring.
    seen : (L, 2) int64
        Inputs observed so far, and when the basis was last renewed.
    renew : int
        Observed inputs between renewals.
    """

    active: np.ndarray
    arrays: Packed
    seen: np.ndarray
    renew: int


_BASIS, _PROJECTED, _BIAS, _RING = range(4)  # parts of `arrays`


@dataclass(frozen=True)
class SubspaceScreen(Method):
    """The nodes with the largest scores s = (aU)UᵀW + b are kept with scale 1, all others are 0. Biased.

    U (n × r) spans the principal subspace of a buffer of recent inputs, renewed now and then; scores cost r(n + m)
    instead of nm. Selection is deterministic given U, with ties to the lower node, and every score is within
    ‖(I − UUᵀ)a‖·‖W_j‖ of the pre-activation. The state observes inputs and biases: in training those of every step,
    in a simulation the exact activations. Before it has seen an input, U spans the weights' own leading directions,
    the best choice for isotropic inputs.

    Not claimed: a law in closed form (it depends on the inputs observed), or any bound on the recall of the true top
    nodes.

    Parameters
    ----------
    rank : int
        r; at most the layer's inputs are used.
    buffer : int
        How many recent inputs are kept.
    renew : int
        The basis is renewed after this many observed inputs; at first whenever their number has doubled.
    """

    name: ClassVar[str] = "subspace_screen"
    title: ClassVar[str] = "active set by principal-subspace scores"
    rank: int = 32
    buffer: int = 256
    renew: int = 2000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("rank", self.rank, 1, None, "16 to 64 directions are usual")
        check_integer("buffer", self.buffer, 1, None, "a few times the rank is a good size")
        check_integer("renew", self.renew, 1, None, "1 renews the basis after every step")

    @property
    def claims(self) -> Claims:
        """Biased, deterministic given what was observed."""
        return Claims(
            side="output",
            unbiased=False,
            reads="input",
            exact_at_full_budget=True,
            deterministic=True,
            products=frozenset({"forward", "input_gradient", "weight_gradient"}),
            budget="fraction or number of active nodes, per example",
            citation="none known for training; range finder of Halko, Martinsson, Tropp, SIAM Review 53 (2011)",
            observes=True,
        )

    def build(self, weights: Sequence[np.ndarray]) -> Any:
        """Return the state without biases."""
        return self.prepare(weights)

    def prepare(
        self, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray] | None = None, key: Key | None = None
    ) -> SubspaceScreenState:
        """Return the state that has seen no input yet; the key only starts the iteration for the weights' subspace."""
        base = key or make_key(0, Stream.BUILD, layer=1)
        real = weights[0].dtype if weights and weights[0].dtype.kind == "f" else np.dtype(np.float64)
        bases = [self._weights_basis(W, base._replace(layer=base.layer + k)) for k, W in enumerate(weights)]
        frames = [basis.astype(real) for basis in bases]
        return SubspaceScreenState(
            active=np.array([self.budget.count(W.shape[1]) for W in weights], dtype=np.int64),
            arrays=pack(
                [
                    frames,
                    [U @ W for U, W in zip(frames, weights, strict=True)],
                    [np.zeros(W.shape[1]) for W in weights] if biases is None else list(biases),
                    [np.zeros((self.buffer, W.shape[0])) for W in weights],
                ],
                real,
            ),
            seen=np.zeros((len(weights), 2), dtype=np.int64),
            renew=self.renew,
        )

    def _weights_basis(self, weights: np.ndarray, key: Key) -> np.ndarray:
        n = weights.shape[0]
        directions = generator(key).standard_normal((min(self.rank, n), n))
        orthonormalise(directions)
        follow_subspace(directions, np.ascontiguousarray(weights.T, dtype=np.float64))
        return directions

    def cost(self, batch: int, n: int, m: int) -> Cost:
        """Return the active nodes' products, the scores, and UᵀW after all weights changed (renewals of U are rare)."""
        rank = min(self.rank, n)
        return Cost(
            product=float(batch * n * self.budget.count(m)),
            selection=float(batch * rank * (n + m)),
            upkeep=float(rank * n * m),
        )


@select.register(SubspaceScreenState)
@compiled
def select_subspace_screen(
    state: SubspaceScreenState, layer: int, x: np.ndarray, key: Key, index: np.ndarray, scale: np.ndarray
) -> int:
    """Select the nodes of largest score. An input that is not finite keeps all nodes, to be seen."""
    flat, at = state.arrays.flat, state.arrays.layout[layer]
    directions, projected = matrix_of(flat, at[_BASIS]), matrix_of(flat, at[_PROJECTED])
    nodes = projected.shape[1]
    query, size = unit_query(x)
    if not math.isfinite(size):
        return keep_all(index, scale, nodes)
    # Scores relative to the input's size, which order the nodes alike, keep their digits where the input is tiny.
    shift = vector_of(flat, at[_BIAS]) / projected.dtype.type(size)
    coordinate, scores = np.empty(directions.shape[0], projected.dtype), np.empty(nodes, projected.dtype)
    coordinates(directions, query, coordinate)
    score_nodes(projected, coordinate, shift, scores)
    chosen = np.empty(nodes, np.int32)
    count = select_top(scores, state.active[layer], np.empty(nodes, projected.dtype), chosen)
    for i in range(count):
        index[i] = chosen[i]
        scale[i] = 1.0
    return count


@observe.register(SubspaceScreenState)
@compiled
def observe_subspace_screen(state: SubspaceScreenState, layer: int, inputs: np.ndarray, bias: np.ndarray) -> None:
    """Put the inputs into the ring and take over the bias."""
    flat, at = state.arrays.flat, state.arrays.layout[layer]
    ring = matrix_of(flat, at[_RING])
    for r in range(inputs.shape[0]):
        copy_into(ring[state.seen[layer, 0] % ring.shape[0]], inputs[r])
        state.seen[layer, 0] += 1
    copy_into(vector_of(flat, at[_BIAS]), bias)


@compiled
def _due(state: SubspaceScreenState, layer: int) -> bool:
    """Return whether the basis is renewed: at the first inputs, when their number has doubled, in the end regularly."""
    seen, last = state.seen[layer, 0], state.seen[layer, 1]
    return bool(seen > last and seen - last >= min(last, state.renew))


@refresh.register(SubspaceScreenState)
@compiled
def refresh_subspace_screen(state: SubspaceScreenState, layer: int, weights: np.ndarray, changed: np.ndarray) -> None:
    """Renew the basis if it is time, and bring the projected weights up to date."""
    flat, at = state.arrays.flat, state.arrays.layout[layer]
    directions, projected = matrix_of(flat, at[_BASIS]), matrix_of(flat, at[_PROJECTED])
    if _due(state, layer):
        ring = matrix_of(flat, at[_RING])
        filled = min(state.seen[layer, 0], ring.shape[0])
        basis = directions.astype(np.float64)
        follow_subspace(basis, ring[:filled].astype(np.float64))
        for k in range(directions.shape[0]):
            copy_into(directions[k], basis[k])
        state.seen[layer, 1] = state.seen[layer, 0]
        np.dot(directions, weights, projected)
    elif changed.size == weights.shape[1]:
        np.dot(directions, weights, projected)
    else:
        for j in changed:
            column = np.dot(directions, weights[:, j].copy())
            for k in range(column.size):
                projected[k, j] = column[k]
