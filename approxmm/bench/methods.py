"""Selection, index upkeep and sampled products against the exact product by BLAS."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from approxmm.bench.timing import Comparison, compare
from approxmm.compile import compiled
from approxmm.hashing import build_index, draw_dense, make_transform
from approxmm.methods import get_method, select
from approxmm.methods.draws import column_norms
from approxmm.parallel import available_workers, single_threaded_blas
from approxmm.products import matmul
from approxmm.random import Key, Stream, generator, make_key

__all__ = ["method_benchmarks"]

_SIZE, _BATCH, _REPEATS = 1000, 20, 50


def method_benchmarks(pairs: int = 15) -> Iterator[Comparison]:
    """Yield the comparisons of the sampling methods, float32 throughout.

    Parameters
    ----------
    pairs : int
        How often each pair is timed.
    """
    for run in (_selections, _table_build, _products):
        yield from run(pairs)


def _gaussian(seed: int, *shape: int) -> np.ndarray:
    return generator(make_key(seed, Stream.INPUTS)).standard_normal(shape).astype(np.float32)


def _selections(pairs: int) -> Iterator[Comparison]:
    """Draw what is active, `_REPEATS` products a call so that the call itself costs nothing, against computing all."""
    W = _gaussian(1, _SIZE, _SIZE)
    cases: list[tuple[str, float, dict[str, int], int, float | None]] = [
        ("alsh", 0.05, {"bits": 6, "tables": 5}, 1, 10.0),
        ("subspace_screen", 0.05, {}, 1, None),
        ("bernoulli", 0.1, {}, _BATCH, None),
        ("with_replacement", 0.1, {}, _BATCH, None),
    ]
    with single_threaded_blas():
        for name, budget, options, batch, target in cases:
            method = get_method(name, budget, **options)
            x = np.maximum(_gaussian(2, _REPEATS * batch, _SIZE), 0)
            state, key = method.prepare([W]), make_key(0, Stream.SELECT)
            index, scale = np.empty(_SIZE, dtype=np.int64), np.empty(_SIZE, dtype=np.float32)
            settings = "".join(f", {option} = {number}" for option, number in options.items())
            yield compare(
                f"select: {name} {budget:.0%}{settings}, {_REPEATS} × batch {batch}",
                partial(_draws, state, x, batch, key, index, scale),
                f"{_REPEATS} × ({batch} × {_SIZE} · {_SIZE} × {_SIZE})",
                partial(_dense, x, batch, W),
                threads=1,
                target=target,
                pairs=pairs,
            )


@compiled
def _draws(state: Any, x: np.ndarray, batch: int, key: Key, index: np.ndarray, scale: np.ndarray) -> int:
    """Select for every batch of rows, column norms included; return how many items were active in all."""
    norms, active = np.empty(x.shape[1], dtype=x.dtype), 0
    for g in range(x.shape[0] // batch):
        item = Key(key.seed, key.stream, key.step, key.layer, key.item + g)
        if batch > 1:
            column_norms(x[g * batch : (g + 1) * batch], norms)
        active += select(state, 0, norms if batch > 1 else x[g], item, index, scale)
    return active


def _dense(x: np.ndarray, batch: int, W: np.ndarray) -> list[np.ndarray]:
    return [x[i : i + batch] @ W for i in range(0, len(x), batch)]


def _table_build(pairs: int) -> Iterator[Comparison]:
    """Build all tables from the weights, hashing included, against one exact product with a batch of the same size."""
    items, x = np.ascontiguousarray(_gaussian(1, _SIZE, _SIZE).T), _gaussian(2, _BATCH, _SIZE)
    transform = make_transform("sign_alsh")
    planes = draw_dense(generator(make_key(0, Stream.BUILD)), _SIZE, 6, 5, transform)
    threads = min(2, available_workers())
    with single_threaded_blas():
        yield compare(
            "build: 5 tables of 6 bits, 1000 × 1000 weights",
            lambda: build_index(items, planes, transform, threads=threads),
            f"{_BATCH} × {_SIZE} · {_SIZE} × {_SIZE}, one thread",
            lambda: x @ items,
            threads=threads,
            pairs=pairs,
        )


def _products(pairs: int) -> Iterator[Comparison]:
    A, B = _gaussian(3, 2000, 2000), _gaussian(4, 2000, 2000)
    for name in ("bernoulli", "with_replacement"):
        yield compare(
            f"matmul: {name} 10%, 2000 × 2000 · 2000 × 2000",
            partial(matmul, A, B, method=name, budget=0.1),
            "A @ B by the same BLAS",
            partial(np.matmul, A, B),
            threads=available_workers(),
            target=4.0,
            pairs=pairs,
            seconds=0.2,
        )
