"""Exact moments and simulation against the matrix products that they are made of, and against each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from approxmm.bench.timing import Comparison, compare
from approxmm.data import load_data
from approxmm.methods import get_method
from approxmm.network import Network
from approxmm.parallel import available_workers
from approxmm.propagation import closure, error_form, simulate
from approxmm.random import Stream, generator, make_key

__all__ = ["propagation_benchmarks"]

_WIDTH, _LAYERS = 1000, 64
_IMAGES = 10_000
_LONG = 5  # timings of what takes seconds, at most
_DIGITS_WIDTHS = (64, 200, 200, 200, 200, 10)


def propagation_benchmarks(pairs: int = 15) -> Iterator[Comparison]:
    """Yield the comparisons of the error propagation, float64 throughout, with all processors on both sides.

    Parameters
    ----------
    pairs : int
        How often each pair is timed; at most 5 times where one run takes seconds.
    """
    for run in (_adjoint, _all_digits, _simulation, _closure):
        yield from run(pairs)


def _adjoint(pairs: int) -> Iterator[Comparison]:
    """Against two products a layer, the least that Q ← W Q Wᵀ would take without regard to symmetry."""
    network = Network.random([_WIDTH] * (_LAYERS + 1), activation="linear", init="lecun")
    first, second = np.empty((2, _WIDTH, _WIDTH))
    cases: list[tuple[str, dict[str, Any]]] = [
        ("dropout", {}),
        ("with_replacement", {"probabilities": "uniform"}),
    ]

    def products() -> None:
        for W in network.weights:
            np.matmul(W, network.weights[0], out=first)
            np.matmul(W, first, out=second)

    for name, options in cases:
        method = get_method(name, 0.5, **options)
        yield compare(
            f"adjoint: {name} 50%, {_LAYERS} layers of {_WIDTH}",
            partial(error_form, network, method, sample_output=True),
            f"{2 * _LAYERS} products {_WIDTH} × {_WIDTH} · {_WIDTH} × {_WIDTH}, same BLAS",
            products,
            threads=available_workers(),
            target=0.667,
            pairs=min(pairs, _LONG),
        )


def _all_digits(pairs: int) -> Iterator[Comparison]:
    """Every digit's relative error: exactly, against simulation of each to ± 1 %.

    One simulation takes all digits at once, which is the fastest way; only as many trials as can be timed are run. How
    many a digit needs follows from the interval of longer runs of some digits, as 1/√trials: their median counts.
    """
    digits = load_data("digits")
    x = np.concatenate([digits.train.x, digits.validation.x, digits.test.x]).astype(np.float64)
    network = Network.random(_DIGITS_WIDTHS, activation="linear", init="lecun")
    method, timed = get_method("dropout", 0.5), 10
    needed = int(np.median([_trials_for(network, method, x[i : i + 1]) for i in range(0, len(x), len(x) // 9)]))
    result = compare(
        f"adjoint: all {len(x)} digits, {' – '.join(map(str, _DIGITS_WIDTHS))}, dropout 50%",
        lambda: error_form(network, method).relative_errors(x),
        f"simulation of each digit to ± 1 %: {needed} trials by the rate of {timed}",
        partial(simulate, network, method, x, trials=timed),
        threads=available_workers(),
        target=1000.0,
        pairs=pairs,
    )
    factor = needed / timed
    yield replace(
        result,
        ratio=result.ratio * factor,
        ratio_low=result.ratio_low * factor,
        ratio_high=result.ratio_high * factor,
        baseline_seconds=result.baseline_seconds * factor,
    )


def _trials_for(network: Network, method: Any, x: np.ndarray, trials: int = 2000, precision: float = 0.01) -> float:
    """Return how many trials bring the 95 % interval of the last layer's error to ± `precision`."""
    figures = simulate(network, method, x, trials=trials, seed=1).layers[-1].output
    assert figures.ci95 is not None
    half = (figures.ci95[1] - figures.ci95[0]) / 2 / figures.relative_error
    return trials * (half / precision) ** 2


def _simulation(pairs: int) -> Iterator[Comparison]:
    """Against one product of all rows (trials × inputs) a layer: draws, scales and sums are what comes on top."""
    depth, inputs, trials = 8, 20, 400
    network = Network.random([_WIDTH] * (depth + 1), activation="relu")
    x = generator(make_key(1, Stream.INPUTS)).standard_normal((inputs, _WIDTH))
    rows = generator(make_key(2, Stream.INPUTS)).standard_normal((inputs * trials, _WIDTH))
    out = np.empty_like(rows)

    def products() -> None:
        for W in network.weights:
            np.matmul(rows, W, out=out)

    for name in ("dropout", "bernoulli", "with_replacement"):
        method = get_method(name, 0.1)
        yield compare(
            f"simulation: {name} 10%, {depth} layers of {_WIDTH}, {inputs} inputs × {trials} trials",
            partial(simulate, network, method, x, trials=trials, sample_output=True),
            f"{depth} products {inputs * trials} × {_WIDTH} · {_WIDTH} × {_WIDTH}, same BLAS",
            products,
            threads=available_workers(),
            target=0.7,
            pairs=min(pairs, _LONG),
        )


def _closure(pairs: int) -> Iterator[Comparison]:
    """Variances through a ReLU network for many inputs, against the two products a layer that they take at least."""
    network = Network.random([784, *[_WIDTH] * 8], activation="relu")
    x = np.abs(generator(make_key(3, Stream.INPUTS)).standard_normal((_IMAGES, 784)))
    rows = generator(make_key(4, Stream.INPUTS)).standard_normal((_IMAGES, max(_WIDTH, 784)))
    out = np.empty((_IMAGES, _WIDTH))
    method = get_method("dropout", 0.5)

    def products() -> None:
        for W in network.weights:
            for _ in range(2):
                np.matmul(rows[:, : len(W)], W, out=out)

    yield compare(
        f"closure, diagonal: dropout 50%, {_IMAGES} inputs of 784 through 8 layers of {_WIDTH}",
        partial(closure, network, method, x, sample_output=True),
        f"16 products {_IMAGES} × {_WIDTH} · {_WIDTH} × {_WIDTH}, same BLAS",
        products,
        threads=available_workers(),
        pairs=min(pairs, 3),
    )
