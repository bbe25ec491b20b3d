"""Recall of the true active set, layer by layer, on trained networks: hash tables, subspace screening, chance."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.data import load_data
from approxmm.data.dataset import Dataset
from approxmm.engine import train
from approxmm.hashing import expected_recall, expected_size
from approxmm.methods import Budget, Method, get_method, observe, refresh
from approxmm.methods._lsh import HashMethod, query_theta
from approxmm.methods.draws import fill_scales
from approxmm.network import Network
from approxmm.random import Stream, make_key

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["recall_of_active_sets"]

Record = dict[str, Any]


@dataclass(frozen=True)
class _Layer:
    """A layer of a trained network, its inputs, pre-activations, and inputs of other examples for screening."""

    depth: int
    number: int
    weights: np.ndarray
    bias: np.ndarray
    inputs: np.ndarray
    scores: np.ndarray
    observed: np.ndarray


def recall_of_active_sets(
    data: str = "digits",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    depths: Sequence[int] = (1, 3, 5),
    width: int = 200,
    epochs: int = 5,
    budgets: Sequence[float] = (0.05, 0.1),
    hashes: Sequence[tuple[int, int]] = ((6, 5), (9, 50)),
    transform: str = "simple_lsh",
    ranks: Sequence[int] = (8, 16, 32),
    examples: int = 40,
    observed: int = 512,
    builds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure how many of the truly largest pre-activations each index finds.

    ReLU networks are trained with exact products; the true active set of a layer are the nodes of largest z, as many as
    the budget says.

    Parameters
    ----------
    data, data_dir
        As for `load_data`.
    depths : sequence of int
        Hidden layers of the networks.
    width, epochs : int
        Of training.
    budgets : sequence of float
        Fractions of the nodes that make up the true active set, and that ``alsh`` and ``subspace_screen`` may select.
    hashes : sequence of (K, L)
    transform : str
        Of the hash tables.
    ranks : sequence of int
        Of subspace screening.
    examples : int
        Validation examples on which recall is measured.
    observed : int
        Training examples from which subspace screening takes its basis: none of those it is measured on.
    builds : int
        Draws of hyperplanes that recall is averaged over.
    seed : int
        Of training and hyperplanes.

    Returns
    -------
    DataFrame
        One row for each depth, layer, budget and setting. Columns: depth, layer, budget, method (``alsh_union``: all
        that the tables hold; ``alsh``: the most frequent nodes, filled at random up to the budget;
        ``subspace_screen``), bits, tables, rank, recall (mean over examples and builds), active (mean share of the
        nodes), expected and expected_active (the closed form's expectation over hyperplanes, for the union), chance
        (recall of a random set of the same mean size).
    """
    import pandas as pd

    settings = [*_hash_settings(hashes, transform), *(("subspace_screen", {"rank": rank}) for rank in ranks)]
    loaded, rows = load_data(data, data_dir=data_dir), []
    for depth in depths:
        network = train(
            loaded, get_method("exact"), depth=depth, width=width, epochs=epochs, seed=seed, keep="last"
        ).network
        for layer in _layers(network.astype(np.float64), loaded, depth, examples, observed):
            for budget in budgets:
                for name, options in settings:
                    rows.append(_record(layer, budget, name, options, builds, observed, seed))
    return pd.DataFrame(rows)


def _hash_settings(hashes: Sequence[tuple[int, int]], transform: str) -> Iterator[tuple[str, Record]]:
    for bits, tables in hashes:
        shape = {"bits": bits, "tables": tables, "transform": transform}
        yield "alsh_union", {**shape, "cap": False, "fill": False}
        yield "alsh", {**shape, "ranking": "frequency"}


def _layers(network: Network, data: Dataset, depth: int, examples: int, observed: int) -> Iterator[_Layer]:
    x = data.validation.x[:examples].astype(np.float64)
    others = data.train.x[:observed].astype(np.float64)
    pre, out = network.layers(x)
    seen = network.layers(others)[1]
    for k in range(depth):
        yield _Layer(
            depth=depth,
            number=k + 1,
            weights=network.weights[k],
            bias=network.bias(k + 1),
            inputs=x if k == 0 else out[k - 1],
            scores=pre[k],
            observed=others if k == 0 else seen[k - 1],
        )


def _record(layer: _Layer, budget: float, name: str, options: Record, builds: int, observed: int, seed: int) -> Record:
    if name == "subspace_screen":
        options, builds = {**options, "buffer": observed}, 1
    method = get_method(name.removesuffix("_union"), budget, **options)
    k = Budget(budget).count(layer.scores.shape[1])
    recall, active = _measured(method, layer, k, builds, seed)
    row: Record = {"depth": layer.depth, "layer": layer.number, "budget": budget, "method": name}
    row |= {key: options.get(key) for key in ("bits", "tables", "rank")}
    row |= {"recall": recall, "active": active, "expected": np.nan, "expected_active": np.nan, "chance": active}
    if name == "alsh_union" and isinstance(method, HashMethod):
        row["expected"], row["expected_active"] = _expected(method, layer, k)
    return row


def _measured(method: Method, layer: _Layer, k: int, builds: int, seed: int) -> tuple[float, float]:
    """Return mean recall of the k largest scores and mean share of active nodes."""
    top = np.argsort(-layer.scores, axis=1, kind="stable")[:, :k]
    masks, recall, active = np.empty_like(layer.scores), 0.0, 0.0
    for build in range(builds):
        key = make_key(seed, Stream.BUILD, layer=layer.number, item=build)
        state = method.prepare([layer.weights], [layer.bias], key)
        observe(state, 0, np.ascontiguousarray(layer.observed), layer.bias)
        if method.claims.observes:
            refresh(state, 0, layer.weights, np.arange(layer.weights.shape[1]))
        draw = make_key(seed, Stream.SELECT, step=build, layer=layer.number)
        fill_scales(state, 0, np.ascontiguousarray(layer.inputs), 1, draw, masks)
        recall += float(np.take_along_axis(masks, top, axis=1).mean()) / builds
        active += float(masks.mean()) / builds
    return recall, active


def _expected(method: HashMethod, layer: _Layer, k: int) -> tuple[float, float]:
    """Return the closed form's recall and share of active nodes, averaged over the inputs."""
    angles = [query_theta(method, x, layer.weights) for x in layer.inputs]
    shape = method.bits, method.tables
    recalls = [expected_recall(theta, z, k, *shape) for theta, z in zip(angles, layer.scores, strict=True)]
    sizes = [expected_size(theta, *shape) / theta.size for theta in angles]
    return float(np.mean(recalls)), float(np.mean(sizes))
