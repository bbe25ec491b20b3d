"""Mean field: the error of a sampled wide random network in closed form, forward and backward, at any depth.

With independent weights of variance σ_w²/n, pre-activations of the exact and the sampled network are, in the limit of
wide layers, jointly Gaussian over the nodes; three numbers (q, q̂, κ = E z ẑ) describe a layer, and one layer maps them
as in `approxmm.propagation.meanfield_layer` (Poole et al. 2016 and Schoenholz et al. 2017 for exact networks). All
four figures are ratios of expectations over weights, biases, sampling and inputs, as everywhere in the package.

Gradients. For a cotangent of the result that is Gaussian and independent of everything before it, the same in both networks,

    δ̂_L = μ_L ∘ g,   δ̂_k = μ_k ∘ φ′(ẑ_k) ∘ ξ_{k+1} ∘ (W_{k+1} δ̂_{k+1}),   ∂W_k = (ξ_k ∘ â_{k−1})ᵀ δ̂_k

(scales count as constants), and the maps are those of the forward pass with φ′ in the place of φ, under the usual
assumption that the weights of the backward pass are independent of those of the forward pass. That assumption is
exact in the limit for such cotangents (Yang 2020, arXiv:2006.14548); at width n it costs O(1/n).
A loss whose gradient follows the sampled result adds an error of its own. The expected error of gradients is infinite
for norm-optimal probabilities of the *forward* draw (see `approxmm.propagation.meanfield_law.diverges`); a
simulation's means then grow with the number of trials.

Not claimed: anything about trained weights. For a `Network` the ensemble of the same measured variances is meant.
Relative errors below about 1e-12 are rounding.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import numpy as np

from approxmm.errors import InputError
from approxmm.methods.contract import Method
from approxmm.network import Network
from approxmm.profile import ErrorProfile, LayerError, Metrics, metrics_from_logs
from approxmm.propagation.ensemble import Ensemble
from approxmm.propagation.meanfield_layer import Pair, Passed, Site, State, input_pair, product
from approxmm.propagation.plan import Plan, describe_plan, make_plan

__all__ = ["MeanField", "mean_field"]

_MOST_INPUTS = 16


def mean_field(
    network: Ensemble | Network,
    method: Method | Sequence[Method | None],
    inputs: np.ndarray | None = None,
    *,
    sample_output: bool = False,
    gradients: bool = True,
    exact_forward: bool = False,
) -> ErrorProfile:
    """Return the error of a sampled wide random network, by layer.

    Parameters
    ----------
    network : Ensemble or Network
        Of a network only widths, activations and each layer's measured variances enter.
    method : Method or sequence of Method
        One for all sampled layers, or one (or None: exact) for each; any law with marginal moments.
    inputs : (B, n) array, optional
        Standard Gaussian by default. Of more than 16 inputs, 16 are taken that are evenly spaced by norm.
    sample_output : bool
        Whether one method for all includes the last layer.
    gradients : bool
        Whether to fill in `delta` and `weight_gradient` (that of one example).
    exact_forward : bool
        The forward pass is exact, and the scales act on gradients only.

    Returns
    -------
    ErrorProfile
        Without intervals. Logarithms stay finite at any depth.

    Raises
    ------
    InputError
        If inputs do not fit.
    NotAvailableError
        If a law has no closed form, or none in mean field.
    """
    started = time.perf_counter()
    field = MeanField(network, method, sample_output=sample_output, exact_forward=exact_forward)
    rows = [None] if inputs is None else _representative(_checked(inputs, field.ensemble.widths[0]))
    runs = [list(field.layers(row, gradients=gradients)) for row in rows]
    layers = tuple(_layer_error(k, layer) for k, layer in enumerate(zip(*runs, strict=True), start=1))
    settings = {**describe_plan(field.plan), **field.ensemble.describe()}
    settings["inputs"] = "Gaussian" if inputs is None else len(rows)
    return ErrorProfile("meanfield", layers, time.perf_counter() - started, settings)


class MeanField:
    """The maps of a sampled wide random network, layer by layer.

    Parameters
    ----------
    network, method, sample_output, exact_forward
        As for `mean_field`.

    Attributes
    ----------
    ensemble : Ensemble
    plan : tuple of Method or None
    """

    def __init__(
        self,
        network: Ensemble | Network,
        method: Method | Sequence[Method | None],
        *,
        sample_output: bool = False,
        exact_forward: bool = False,
    ) -> None:
        self.ensemble = network if isinstance(network, Ensemble) else Ensemble.of(network)
        self.plan: Plan = make_plan(self.ensemble, method, sample_output=sample_output)
        self.exact_forward = exact_forward
        self._sites: dict[tuple[object, ...], Site] = {}

    def site(self, layer: int) -> Site:
        """Return the nodes of `layer` (counted from 1; 0: Gaussian inputs); layers that are alike share one."""
        stack = self.ensemble
        phi, size = (Ensemble((1, 1)).phi(1), stack.widths[0]) if layer == 0 else (stack.phi(layer), stack.widths[layer])
        fan_in = stack.widths[layer - 1] if layer > 0 else size
        bias = stack.variances[layer - 1][1] if layer > 0 else 0.0
        mask = _on(self.plan[layer - 1], "output") if layer > 0 else None
        scale = _on(self.plan[layer], "inner") if layer < stack.depth else None
        key = (type(phi), phi, size, fan_in, bias, mask, scale)
        if key not in self._sites:
            self._sites[key] = Site(phi, size, fan_in, bias, mask, scale, exact_forward=self.exact_forward)
        return self._sites[key]

    def start(self, x: np.ndarray | None) -> Pair:
        """Return the pair of the first product's inputs, after its scales."""
        if x is None:
            return self.site(0).pass_on(State(0.0, 0.0, 1.0), gradients=False).scaled
        law = None if self.exact_forward else _on(self.plan[0], "inner")
        return input_pair(x, law)

    def forward(self, x: np.ndarray | None, *, gradients: bool) -> Iterator[tuple[Pair, State, Passed]]:
        """Yield each layer's incoming pair, its state, and what its site makes of it.

        States that come back exactly (fixed points) are looked up.
        """
        incoming, known = self.start(x), {}
        for layer, (of_weights, of_biases) in enumerate(self.ensemble.variances, start=1):
            state, site = product(incoming, of_weights, of_biases), self.site(layer)
            if (site, state) not in known:
                known = {} if len(known) > 8 else known
                known[site, state] = site.pass_on(state, gradients=gradients)
            passed = known[site, state]
            yield incoming, state, passed
            incoming = passed.scaled

    def layers(self, x: np.ndarray | None, *, gradients: bool) -> Iterator[tuple[Pair, ...]]:
        """Yield each layer's pairs: pre-activation, output and, if asked for, delta and weight gradient."""
        steps = list(self.forward(x, gradients=gradients))
        deltas: list[Pair] = []
        delta = Pair(0.0, 0.0, 1.0)
        for k in range(len(steps), 0, -1) if gradients else ():
            if k < len(steps):  # back through the product: σ_w² of the next layer, for both
                gain = _log(self.ensemble.variances[k][0])
                delta = delta.times(Pair(gain, gain, 1.0))
            delta = delta.times(steps[k - 1][2].slopes)
            deltas.append(delta)
        deltas.reverse()
        for k, (incoming, state, passed) in enumerate(steps):
            pairs = (Pair(*state), passed.output)
            yield (*pairs, deltas[k], incoming.times(deltas[k])) if gradients else pairs


def _log(number: float) -> float:
    return math.log(number) if number > 0.0 else -math.inf


def _on(law: Method | None, side: str) -> Method | None:
    return law if law is not None and law.claims.side == side else None


def _checked(inputs: np.ndarray, size: int) -> np.ndarray:
    x = np.atleast_2d(np.asarray(inputs, dtype=np.float64))
    if x.ndim != 2 or x.shape[1] != size or len(x) == 0:
        raise InputError(f"inputs have the shape {x.shape}; the ensemble takes (B, {size})")
    if not np.isfinite(x).all():
        raise InputError("inputs hold values that are not finite; clean or drop them first")
    return x


def _representative(x: np.ndarray) -> list[np.ndarray]:
    """Return at most 16 of the inputs, evenly spaced by norm: beyond the first layer only the norm matters."""
    if len(x) <= _MOST_INPUTS:
        return list(x)
    order = np.argsort(np.einsum("ij,ij->i", x, x), kind="stable")
    chosen = ((np.arange(_MOST_INPUTS) + 0.5) * len(x) / _MOST_INPUTS).astype(np.int64)
    return list(x[order[chosen]])


def _layer_error(layer: int, runs: Sequence[tuple[Pair, ...]]) -> LayerError:
    figures = [_averaged([run[i] for run in runs]) for i in range(len(runs[0]))]
    delta, weight_gradient = figures[2:] if len(figures) == 4 else (None, None)
    return LayerError(layer, figures[1], figures[0], delta=delta, weight_gradient=weight_gradient)


def _averaged(pairs: Sequence[Pair]) -> Metrics:
    """Return the figures of ratios of averages over inputs."""
    if len(pairs) == 1:
        pair = pairs[0]
        return metrics_from_logs(pair.log_exact, pair.log_estimate, pair.cosine, pair.log_error)
    exact, estimate, error = (
        _log_mean([getattr(pair, name) for pair in pairs]) for name in ("log_exact", "log_estimate", "log_error")
    )
    middle = 0.5 * (exact + estimate)
    cosines = [p.cosine * math.exp(min(0.0, 0.5 * (p.log_exact + p.log_estimate) - middle) ) for p in pairs]
    return metrics_from_logs(exact, estimate, sum(cosines) / len(cosines), error)


def _log_mean(logs: Sequence[float]) -> float:
    return float(np.logaddexp.reduce(logs)) - math.log(len(logs))
