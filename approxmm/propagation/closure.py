"""Moment closure: the error of a sampled network with nonlinear activations, by propagation of mean and covariance.

For each input by itself, mean and covariance of the sampled activations go through the layers:

* the sampled product is exact (`closure_scales`): z = (a ∘ ξ) W + b has the covariance Wᵀ Cov(ξ ∘ a) W;
* for the activation, z is taken as normal, and φ(z) gets its exact moments (`gaussian`): this is the closure;
* a law that reads random activations is averaged over points of that normal distribution (`closure_points`), so that
  sampling probabilities, inclusion of nodes and retrieval by hash tables follow the noise.

Then E‖ŷ − y‖² = tr V + ‖μ − y‖² against the exact activations y. ``covariance="full"`` keeps all covariances,
O(n³) a layer and input; ``"diagonal"`` treats the activations of a layer as uncorrelated, and takes all inputs
through a layer as two or three matrix products.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from approxmm.errors import InputError
from approxmm.methods.contract import Method
from approxmm.network import Network
from approxmm.parallel import map_in_order
from approxmm.profile import ErrorProfile, LayerError, Metrics, metrics_from_moments
from approxmm.propagation.closure_layer import Flow, Layer, point_count
from approxmm.propagation.closure_moments import ClosureMoments, Diagonal, Full
from approxmm.propagation.plan import Plan, describe_plan, make_plan

__all__ = ["closure"]

_KINDS: dict[str, type[Diagonal] | type[Full]] = {"diagonal": Diagonal, "full": Full}
_BLOCK_BYTES = 8 * 2**20  # of one array of a block; a worker holds about ten of them
Progress = Callable[[float, float], None]


def closure(
    network: Network,
    method: Method | Sequence[Method | None],
    inputs: np.ndarray,
    *,
    sample_output: bool = False,
    batch: int = 1,
    covariance: str = "diagonal",
    workers: int | None = None,
    progress: Progress | None = None,
) -> ErrorProfile:
    """Predict the error of a sampled network by moment closure, by layer.

    Parameters
    ----------
    network : Network
        Any activations; computed in float64.
    method : Method or sequence of Method
        One for all sampled layers, or one (or None: exact) for each layer.
    inputs : (B, n) array
        The expectation is over the sampling and over these inputs.
    sample_output : bool
        Whether one method for all includes the last layer.
    batch : int
        How many consecutive inputs share one draw of column–row pairs, as for `simulate`.
    covariance : {"diagonal", "full"}
        Whether activations of one layer count as uncorrelated.
    workers : int, optional
        Threads; the result does not depend on it.
    progress : callable (done, total), optional
        Called after each block, in inputs.

    Returns
    -------
    ErrorProfile
        No intervals. `extra` of a layer holds what its normality hangs on, averaged over inputs: ``noise_terms``,
        how many terms of its sums carry their noise, (Σ v)²/Σ v² of their variances; and with ``"full"``
        ``noise_directions``, (tr V)²/tr V² of the pre-activation. From the first layer on in which a moment exceeds
        float64, figures are NaN.

    Raises
    ------
    InputError
        If an argument is out of range or inputs do not fit.
    NotAvailableError
        If a law has no closed form.

    Notes
    -----
    Exact (to rounding) with ``"full"`` for linear networks and laws that are blind to the data, and at the first
    sampled layer for all laws. Elsewhere an approximation, whose error is not bounded: pre-activations are sums of many
    sampled terms but not normal, the fewer terms are sampled the less. Not claimed: which layer of a network it
    fails at; hold it against `simulate`.
    """
    started = time.perf_counter()
    _check(batch, covariance)
    network = network.astype(np.float64)
    plan = make_plan(network, method, sample_output=sample_output)
    walk = _Walk(network, plan, network.check_inputs(inputs), batch, _KINDS[covariance])
    total = np.zeros((network.depth, 2, 5))
    for rows, sums in map_in_order(walk.block, walk.blocks(), workers):
        total += sums
        if progress is not None:
            progress(rows.stop, len(walk.inputs))
    layers = tuple(_layer(k, sums, len(walk.inputs)) for k, sums in enumerate(total, start=1))
    settings = {**describe_plan(plan), "covariance": covariance, "inputs": len(walk.inputs), "batch": batch}
    return ErrorProfile("closure", layers, time.perf_counter() - started, settings)


@dataclass(frozen=True, eq=False)
class _Walk:
    """Takes blocks of inputs through the layers."""

    network: Network
    plan: Plan
    inputs: np.ndarray
    batch: int
    kind: type[Diagonal] | type[Full]

    def blocks(self) -> Iterator[range]:
        """Yield ranges of inputs whose arrays stay near the block size; a minibatch is never cut."""
        width = max(self.network.widths)
        copies = max((point_count(law, width) for law in self.plan if law is not None), default=1)
        row = 8 * width * (copies if self.kind is Diagonal else width)
        size = -(-max(1, _BLOCK_BYTES // row) // self.batch) * self.batch
        for start in range(0, len(self.inputs), size):
            yield range(start, min(start + size, len(self.inputs)))

    def block(self, rows: range) -> tuple[range, np.ndarray]:
        """Return the block, and five sums over its inputs for each layer's pre-activation and output, (L, 2, 5)."""
        exact = self.inputs[rows.start : rows.stop]
        known = self.kind.of(exact)
        flow: Flow[ClosureMoments] = Flow(known, partial(_repeat, exact), np.eye(len(exact)))
        sums = np.full((self.network.depth, 2, 5), np.nan)
        with np.errstate(over="ignore", invalid="ignore"):
            for k, W in enumerate(self.network.weights, start=1):
                layer: Layer[ClosureMoments] = Layer(
                    k, self.plan[k - 1], W, self.network.bias(k), self.network.phi(k), rows, self.batch
                )
                product = layer.product(flow)
                exact = exact @ W + layer.bias
                sums[k - 1, 0] = [*_sums(product.moments, exact), product.moments.directions()]
                if not np.isfinite(sums[k - 1, 0, :4]).all():
                    break
                flow = layer.output(flow, product)
                exact = self.network.activate(k, exact)
                sums[k - 1, 1] = [*_sums(flow.moments, exact), product.terms]
        return rows, sums


def _repeat(x: np.ndarray, count: int) -> np.ndarray:
    return np.broadcast_to(x, (count, *x.shape))


def _sums(moments: ClosureMoments, exact: np.ndarray) -> tuple[float, ...]:
    """Return the sums over inputs of ‖y‖², E‖ŷ‖², E⟨ŷ, y⟩ and E‖ŷ − y‖²."""
    mean, variance, difference = moments.mean, float(moments.variance.sum()), moments.mean - exact
    return (
        float(np.vdot(exact, exact)),
        variance + float(np.vdot(mean, mean)),
        float(np.vdot(mean, exact)),
        variance + float(np.vdot(difference, difference)),
    )


def _layer(number: int, sums: np.ndarray, inputs: int) -> LayerError:
    directions, terms = (float(total) / inputs for total in sums[:, 4])
    extra = {"noise_terms": terms} | ({} if math.isnan(directions) else {"noise_directions": directions})
    return LayerError(number, _figures(sums[1]), _figures(sums[0]), extra=extra)


def _figures(sums: np.ndarray) -> Metrics:
    exact, estimate, cross, error = (float(value) for value in sums[:4])
    return metrics_from_moments(exact, estimate, cross, error)


def _check(batch: int, covariance: str) -> None:
    if not isinstance(batch, (int, np.integer)) or batch < 1:
        raise InputError(f"batch={batch} must be a whole number of at least 1")
    if covariance not in _KINDS:
        raise InputError(f"covariance={covariance!r} is unknown; choose one of {', '.join(_KINDS)}")
