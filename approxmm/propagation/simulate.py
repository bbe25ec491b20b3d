"""Monte Carlo: sampled networks run many times, as matrix products over (trials × inputs) rows.

A trial is one pass of all inputs with fresh draws; figures are averages over trials,
intervals come from the spread between trials. Draws are keyed by
(seed, layer, trial, input), and the work is cut into chunks that do not depend on the
number of workers: the same seed gives the same bits for any number of threads.

A law that draws when it is built (random hyperplanes) is built anew for every trial, and its build is
shared by the inputs of the trial. A law that observes sees the exact activations of these very inputs
first: with few of them it knows them better than it would know others.

Gradients
---------
The backward pass is that of the network that was sampled: the scales of the forward pass stay as they are, and its
slopes are taken at the sampled pre-activations. Weight gradients are compared summed over the inputs that share a
draw: over minibatches of `batch`, or input by input. A layer's `extra` holds ``gradient_bias`` = ‖E ĝ − g‖²/‖g‖²
with an interval, from products of two independent trials, into which no variance enters; an estimate without bias of
its own, it may be negative by chance. With ``forward="exact"`` each law draws from the exact activations, inner
scales and output masks multiply the exact values in the products of the backward pass only, and the gradient
of an unbiased method is unbiased: the scales in δ̂_k and those of product k's input belong to different layers. (A
law that leaves out items that contribute nothing forward must find them without gradient too: true for ReLU.)

Intervals
---------
They are t intervals over trials, corrected for skewness (`approxmm.propagation.tally`). Not claimed: intervals for
inputs beyond those given. At small budgets and great depth single trials spread over orders of magnitude, and the few
that make up the mean may be missing. 95 % intervals were found to cover 92 to 97 % where their half-width is below a
quarter of the figure; beyond, 85 to 92 % (uniform pairs, 8 layers, 100 trials), and with 10 trials down to 78 %. Take
more trials there, or a precision. Gradients through probabilities in proportion to |a| are such a case: the 1/p of a
unit with a small activation multiplies a gradient that need not be small, and over activations with a density
at 0 the mean of 1/p would diverge, like a logarithm.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from approxmm.errors import InputError
from approxmm.methods.contract import Method
from approxmm.network import Network
from approxmm.profile import ErrorProfile
from approxmm.propagation.memory import DEFAULT_LIMIT, plan_memory
from approxmm.propagation.plan import Plan, describe_plan, make_plan
from approxmm.propagation.simulate_draws import Draws
from approxmm.propagation.simulate_loss import make_loss
from approxmm.propagation.simulate_profile import Tally
from approxmm.propagation.simulate_run import Run
from approxmm.random import make_key

__all__ = ["simulate"]

_MAX_TRIALS = 1_000_000
# Looking at the interval again and again until it is short catches it when it happens to be too short. Intervals at
# 0.8 of the error rate cover 93 to 96 in 100 then (measured: 100 to 25,000 trials, ± 20 % to ± 2 %).
_SPENT = 0.8
Progress = Callable[[float, float], None]
Forward = Literal["sampled", "exact"]


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
    gradient: str | np.ndarray | None = None,
    forward: Forward = "sampled",
    confidence: float = 0.95,
    dtype: Any = np.float64,
    workers: int | None = None,
    memory_limit: int = DEFAULT_LIMIT,
    progress: Progress | None = None,
) -> ErrorProfile:
    """Measure the error of a sampled network and of its gradients, by layer; the module's text has the details.

    Parameters
    ----------
    network : Network
    method : Method or sequence of Method
        One for all sampled layers, or one (or None: exact) for each layer.
    inputs : (B, n) array
        Held fixed: the expectation is over the sampling and over these inputs.
    trials : int
        Number of trials; with `precision`, the number to start from.
    precision : float, optional
        Double the trials until the last output's interval (with an exact forward pass: the first weight gradient's) is
        at most ± this fraction of its relative error, or until a million trials.
    seed : int
    sample_output : bool
        Whether one method for all includes the last layer.
    batch : int
        How many consecutive inputs share one draw of column–row pairs, as the examples of a minibatch do in training
        (their law then reads the batch's column norms). Output-side methods draw for each example in any case.
    gradient : "gaussian", array (B, n_L) or integer array (B,), optional
        Run the backward pass too, from the loss's gradient at the network's result: standard normal (a function of
        the seed) or given, the same for every trial, or that of the softmax cross-entropy with these classes.
    forward : {"sampled", "exact"}
        ``"exact"``: only the products of the backward pass are sampled.
    confidence : float
        Level of the intervals. None is given where nothing is random.
    dtype : float32 or float64
        Of the computation: float32 takes about half the time, and figures carry its rounding.
    workers : int, optional
        Threads; the result does not depend on it.
    memory_limit : int
        Bytes; what cannot be cut to stay below is refused before it is allocated.
    progress : callable (done, total), optional
        Called in trials.

    Raises
    ------
    InputError
        If an argument is out of range, inputs do not fit, or the memory does not suffice.
    """
    started = time.perf_counter()
    _check(trials, precision, confidence, batch)
    _check_kind(dtype, forward, gradient)
    plan = make_plan(network, method, sample_output=sample_output)
    random = any(law is not None and not law.claims.deterministic for law in plan)
    total, most = (trials, trials if precision is None else _MAX_TRIALS) if random else (1, 1)
    memory = {"trials": most, "workers": workers, "limit": memory_limit, "dtype": dtype}
    run = _make_run(network, plan, inputs, make_key(seed).seed, batch, gradient, forward, memory)
    level = confidence if precision is None else 1.0 - _SPENT * (1.0 - confidence)
    tally = _until_precise(run, total, most, precision if random else None, level, progress)
    settings = {**describe_plan(plan), "trials": tally.trials, "inputs": len(run.draws.inputs), "seed": seed}
    settings["batch"] = batch
    if gradient is not None:
        settings |= {"gradient": gradient if isinstance(gradient, str) else "given", "forward": forward}
    return ErrorProfile("simulate", tally.layers(level if random else None), time.perf_counter() - started, settings)


def _make_run(
    network: Network,
    plan: Plan,
    inputs: np.ndarray,
    seed: int,
    batch: int,
    gradient: str | np.ndarray | None,
    forward: Forward,
    memory: dict[str, Any],
) -> Run:
    """Return the run of checked arguments; its memory is planned before anything is allocated."""
    size = len(np.atleast_2d(inputs))
    footprint = plan_memory(network.widths, inputs=size, batch=batch, gradient=gradient is not None, **memory)
    network = network if network.dtype == memory["dtype"] else network.astype(memory["dtype"])
    loss = None if gradient is None else make_loss(gradient, network, size, seed)
    draws = Draws(network, plan, network.check_inputs(inputs), seed, batch)
    return Run(draws, loss, footprint, exact_forward=forward == "exact")


def _until_precise(
    run: Run, total: int, most: int, precision: float | None, level: float, progress: Progress | None
) -> Tally:
    """Run `total` trials, and double them until the interval is short enough, up to `most`."""
    tally = Tally(run.exact_norms())
    while True:
        for sums, products in run.trials(tally.trials, total):
            tally.add(sums, products)
            if progress is not None:
                progress(tally.trials, total)
        if precision is None or total >= most:
            return tally
        if tally.precision(level, exact_forward=run.exact_forward) <= precision:
            return tally
        total = min(2 * total, most)


def _check(trials: int, precision: float | None, confidence: float, batch: int) -> None:
    if not isinstance(batch, (int, np.integer)) or batch < 1:
        raise InputError(f"batch={batch} must be a whole number of at least 1")
    if not isinstance(trials, (int, np.integer)) or not 1 <= trials <= _MAX_TRIALS:
        raise InputError(f"trials={trials} must be a whole number in [1, {_MAX_TRIALS}]")
    if precision is not None and not (math.isfinite(precision) and 0 < precision < 1):
        raise InputError(f"precision={precision} must lie in (0, 1): 0.01 means ± 1 % of the error")
    if not 0 < confidence < 1:
        raise InputError(f"confidence={confidence} must lie in (0, 1)")


def _check_kind(dtype: Any, forward: str, gradient: object) -> None:
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise InputError(f"dtype={np.dtype(dtype)} must be float32 or float64")
    if forward not in ("sampled", "exact"):
        raise InputError(f"forward={forward!r} is unknown; choose sampled or exact")
    if forward == "exact" and gradient is None:
        raise InputError("forward='exact' samples nothing without a backward pass; give gradient='gaussian' as well")
