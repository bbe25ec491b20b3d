"""Monte Carlo: sampled networks run many times, as matrix products over (trials × inputs) rows.

A trial is one pass of all inputs with fresh draws; figures are averages over trials,
intervals come from the spread between trials. Draws are keyed by
(seed, layer, trial, input), and the work is cut into pieces that do not depend on the
machine: the same seed gives the same bits for any number of threads.

A law that draws when it is built (random hyperplanes) is built anew for every trial, and its build is
shared by the inputs of the trial. A law that observes sees the exact activations of these very inputs
first: with few of them it knows them better than it would know others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from approxmm.errors import InputError
from approxmm.methods.contract import Method, observe, refresh
from approxmm.methods.draws import fill_scales
from approxmm.network import Network
from approxmm.parallel import map_in_order
from approxmm.profile import ErrorProfile, LayerError, Metrics, metrics_from_moments
from approxmm.propagation.plan import Plan, describe_plan, make_plan
from approxmm.random import Stream, make_key

__all__ = ["simulate"]

_PIECE_BYTES = 32 * 2**20  # of one array of a piece; a worker holds about five of them
_MAX_TRIALS = 1_000_000
Progress = Callable[[float, float], None]


def simulate(
    network: Network,
    method: Method | Sequence[Method | None],
    inputs: np.ndarray,
    *,
    trials: int = 1000,
    precision: float | None = None,
    seed: int = 0,
    sample_output: bool = False,
    batch: int = 1,
    confidence: float = 0.95,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ErrorProfile:
    """Measure the error of a sampled network, by layer.

    Parameters
    ----------
    network : Network
        Computed in float64.
    method : Method or sequence of Method
        One for all sampled layers, or one (or None: exact) for each layer.
    inputs : (B, n) array
        Held fixed: the expectation is over the sampling and over these inputs.
    trials : int
        Number of trials; with `precision`, the number to start from.
    precision : float, optional
        Double the trials until the last layer's interval is at most ± this fraction of its relative error,
        or until a million trials.
    seed : int
    sample_output : bool
        Whether one method for all includes the last layer.
    batch : int
        How many consecutive inputs share one draw of column–row pairs, as the examples of a minibatch do in training
        (their law then reads the batch's column norms). Output-side methods draw for each example in any case.
    confidence : float
        Level of the intervals (Student's t over trials). None is given where nothing is random.
    workers : int, optional
        Threads; the result does not depend on it.
    progress : callable (done, total), optional
        Called after each piece, in trials.

    Returns
    -------
    ErrorProfile

    Raises
    ------
    InputError
        If an argument is out of range or inputs do not fit.

    Notes
    -----
    Not claimed: intervals for inputs beyond those given. At small budgets and great depth the error's
    distribution is heavy-tailed, and a t interval over few trials then is too short.
    """
    started = time.perf_counter()
    _check(trials, precision, confidence, batch)
    make_key(seed)
    network = network.astype(np.float64)
    plan = make_plan(network, method, sample_output=sample_output)
    run = _Run(network, plan, network.check_inputs(inputs), seed, batch)
    random = any(law is not None and not law.claims.deterministic for law in plan)
    done, total, tally = 0, trials if random else 1, _Tally(network.depth)
    while True:
        for piece in map_in_order(run.piece, run.pieces(done, total), workers):
            tally.add(piece)
            if progress is not None:
                progress(tally.trials, total)
        done = total
        if not random or precision is None or tally.relative_half_width(confidence) <= precision or done >= _MAX_TRIALS:
            break
        total = min(2 * done, _MAX_TRIALS)
    settings = {**describe_plan(plan), "trials": done, "inputs": len(run.inputs), "seed": seed, "batch": batch}
    layers = tally.layers(run.exact_norms, confidence if random else None)
    return ErrorProfile("simulate", layers, time.perf_counter() - started, settings)


@dataclass(frozen=True)
class _Piece:
    """Some trials' sums over inputs: (trials, L, 2, 3) for (pre-activation, output) × (error, estimate, cross)."""

    first: int
    sums: np.ndarray


class _Run:
    """One simulation's fixed data, and the work on one piece of it."""

    def __init__(self, network: Network, plan: Plan, inputs: np.ndarray, seed: int, batch: int) -> None:
        self.network, self.plan, self.inputs, self.seed, self.batch = network, plan, inputs, seed, batch
        self.exact_norms = np.zeros((network.depth, 2))
        for rows in self._blocks(1):
            self.exact_norms += [[np.vdot(y, y) for y in pair] for pair in self._exact(rows)]
        self.states = [
            None if law is None or law.claims.random_build else self._prepare(law, k, 0) for k, law in enumerate(plan)
        ]
        self._observe_exact([k for k, law in enumerate(plan) if law is not None and law.claims.observes])

    def _prepare(self, law: Method, k: int, trial: int) -> Any:
        key = make_key(self.seed, Stream.BUILD, layer=k + 1, item=trial)
        return law.prepare([self.network.weights[k]], [self.network.bias(k + 1)], key)

    def _state(self, k: int, trial: int) -> Any:
        """Return the state of layer k: a new one for each trial if the law draws when it is built."""
        law = self.plan[k]
        return self._prepare(law, k, trial) if law is not None and law.claims.random_build else self.states[k]

    def _observe_exact(self, observing: list[int]) -> None:
        """Show the exact activations to the layers whose laws observe, once, before any draw."""
        for rows in self._blocks(1) if observing else ():
            outs = [self.inputs[rows], *(out for _, out in self._exact(rows))]
            for k in observing:
                observe(self.states[k], 0, np.ascontiguousarray(outs[k]), self.network.bias(k + 1))
        for k in observing:
            W = self.network.weights[k]
            refresh(self.states[k], 0, W, np.arange(W.shape[1]))

    def pieces(self, first: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield ranges of trials whose arrays stay near the piece size."""
        row_bytes = 8 * max(self.network.widths)
        step = max(1, _PIECE_BYTES // (row_bytes * len(self.inputs)))
        for start in range(first, stop, step):
            yield start, min(start + step, stop)

    def piece(self, trials: tuple[int, int]) -> _Piece:
        """Run a range of trials; inputs are taken in blocks where one trial of all is too large."""
        count = trials[1] - trials[0]
        sums = np.zeros((count, self.network.depth, 2, 3))
        for rows in self._blocks(count):
            self._add_block(trials, rows, sums)
        return _Piece(trials[0], sums)

    def _blocks(self, count: int) -> Iterator[slice]:
        """Yield blocks of inputs of which `count` copies stay near the piece size; a minibatch is never cut."""
        size = len(self.inputs)
        block = max(1, _PIECE_BYTES // (8 * max(self.network.widths) * count))
        block = -(-block // self.batch) * self.batch
        for start in range(0, size, block):
            yield slice(start, min(start + block, size))

    def _exact(self, rows: slice) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each layer's exact (z, a) for a block: computed again for each piece, for all layers would not fit."""
        a = self.inputs[rows]
        for k, W in enumerate(self.network.weights, start=1):
            z = a @ W + self.network.bias(k)
            a = self.network.activate(k, z)
            yield z, a

    def _add_block(self, trials: tuple[int, int], rows: slice, sums: np.ndarray) -> None:
        count = trials[1] - trials[0]
        a = np.tile(self.inputs[rows], (count, 1))
        layers = zip(self.network.weights, self.plan, self._exact(rows), strict=True)
        for k, (W, law, (exact_pre, exact_out)) in enumerate(layers):
            incoming = a
            if law is not None and law.claims.side == "inner":
                a = a * self._scales(k, incoming, trials, rows)
            z = a @ W + self.network.bias(k + 1)
            _add_sums(z, exact_pre, sums[:, k, 0])
            a = self.network.activate(k + 1, z)
            if law is not None and law.claims.side == "output":
                a = a * self._scales(k, incoming if law.claims.reads == "input" else z, trials, rows)
            _add_sums(a, exact_out, sums[:, k, 1])

    def _scales(self, k: int, read: np.ndarray, trials: tuple[int, int], rows: slice) -> np.ndarray:
        """Draw the scales of layer k for a block, rows ordered by (trial, input)."""
        law = self.plan[k]
        assert law is not None
        W, size = self.network.weights[k], rows.stop - rows.start
        out = np.empty((len(read), law.side_length(W)))
        group = self.batch if law.claims.side == "inner" else 1
        draws = -(-len(self.inputs) // group)
        for t in range(trials[0], trials[1]):
            part = slice((t - trials[0]) * size, (t - trials[0] + 1) * size)
            key = make_key(self.seed, Stream.SELECT, layer=k + 1, item=t * draws + rows.start // group)
            fill_scales(self._state(k, t), 0, read[part], group, key, out[part])
        return out


def _add_sums(value: np.ndarray, exact: np.ndarray, sums: np.ndarray) -> None:
    """Add ‖ŷ − y‖², ‖ŷ‖², ⟨ŷ, y⟩, summed over the inputs of each trial, to `sums` (trials, 3)."""
    value = value.reshape(len(sums), *exact.shape)
    difference = value - exact
    sums[:, 0] += np.einsum("tij,tij->t", difference, difference)
    sums[:, 1] += np.einsum("tij,tij->t", value, value)
    sums[:, 2] += np.einsum("tij,ij->t", value, exact)


class _Tally:
    """Running mean and squared deviations over trials (Chan's parallel update, in a fixed order)."""

    def __init__(self, depth: int) -> None:
        self.trials = 0
        self.mean = np.zeros((depth, 2, 3))
        self.deviation = np.zeros((depth, 2, 3))

    def add(self, piece: _Piece) -> None:
        """Merge the trials of a piece."""
        count = len(piece.sums)
        mean = piece.sums.mean(axis=0)
        deviation = ((piece.sums - mean) ** 2).sum(axis=0)
        delta, total = mean - self.mean, self.trials + count
        self.mean += delta * (count / total)
        self.deviation += deviation + delta**2 * (self.trials * count / total)
        self.trials = total

    def half_width(self, confidence: float) -> np.ndarray:
        """Return the half-widths of the intervals of the means, (L, 2, 3)."""
        if self.trials < 2:
            return np.full_like(self.mean, np.inf)
        quantile = stats.t.ppf(0.5 + confidence / 2, self.trials - 1)
        width: np.ndarray = quantile * np.sqrt(self.deviation / (self.trials - 1) / self.trials)
        return width

    def relative_half_width(self, confidence: float) -> float:
        """Return the last layer's half-width as a fraction of its error."""
        error = self.mean[-1, 1, 0]
        return float(self.half_width(confidence)[-1, 1, 0] / error) if error > 0 else 0.0

    def layers(self, exact_norms: np.ndarray, confidence: float | None) -> tuple[LayerError, ...]:
        """Return the figures of every layer; intervals only if a level is given."""
        widths = None if confidence is None else self.half_width(confidence)
        result = []
        for k in range(len(self.mean)):
            pair = [
                _figures(exact_norms[k, i], self.mean[k, i], None if widths is None else widths[k, i, 0])
                for i in (0, 1)
            ]
            result.append(LayerError(k + 1, output=pair[1], pre_activation=pair[0]))
        return tuple(result)


def _figures(exact: float, means: np.ndarray, half_width: float | None) -> Metrics:
    error, estimate, cross = (float(value) for value in means)
    interval = None
    if half_width is not None and exact > 0:
        interval = (max(0.0, (error - half_width) / exact), (error + half_width) / exact)
    return metrics_from_moments(float(exact), estimate, cross, error, interval)


def _check(trials: int, precision: float | None, confidence: float, batch: int) -> None:
    if not isinstance(batch, (int, np.integer)) or batch < 1:
        raise InputError(f"batch={batch} must be a whole number of at least 1")
    if not isinstance(trials, (int, np.integer)) or not 1 <= trials <= _MAX_TRIALS:
        raise InputError(f"trials={trials} must be a whole number in [1, {_MAX_TRIALS}]")
    if precision is not None and not (math.isfinite(precision) and 0 < precision < 1):
        raise InputError(f"precision={precision} must lie in (0, 1): 0.01 means ± 1 % of the error")
    if not 0 < confidence < 1:
        raise InputError(f"confidence={confidence} must lie in (0, 1)")
