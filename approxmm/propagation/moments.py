"""Exact second moments of sampled linear networks.

Draws are independent between layers. Given an input b, the sampled activation has
the mean μ_b and the covariance V_b; with V the average of V_b over the inputs,

    inner scales (mean m, covariance Σ):   V ← (V + μᵀμ/B) ∘ Σ + V ∘ m mᵀ,   μ_b ← m ∘ μ_b
    product:                               V ← Wᵀ V W,                       μ_b ← μ_b W + b

so that E‖â − a‖² = tr V + mean‖μ_b − a_b‖²: variance plus squared bias, without cancellation. Scales on the
output side obey the first line after the product. All of it is exact for laws that do not depend on the
activations; a law that does is exact as long as nothing random lies before it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from approxmm.errors import NotAvailableError
from approxmm.methods.contract import Method
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.network import Network
from approxmm.parallel import ordered_map
from approxmm.profile import ErrorProfile, LayerError, Metrics
from approxmm.propagation.congruence import PieceMap, Workspace, congruence
from approxmm.propagation.plan import describe_plan, make_plan, require_linear
from approxmm.propagation.scaled import Scaled, metrics_from_scaled

__all__ = ["exact_moments"]


@dataclass(frozen=True, eq=False)
class _Moments:
    """Mean of the sampled activation for each input (B, n), and the average covariance (n, n)."""

    mean: Scaled
    covariance: Scaled

    def scale(self, method: Method, weights: np.ndarray, layer: int, read: Scaled) -> _Moments:
        """Return the moments after multiplication by the method's scales, whose law reads the rows of `read`."""
        if method.claims.reads == "nothing":
            return self._scaled_alike(method.scale_moments(np.ones(self.mean.values.shape[1]), weights))
        if not self.covariance.is_zero:
            raise NotAvailableError(
                f"method={method.name!r} at layer {layer}: its law depends on activations that are random there, "
                "so no exact moments exist; use the simulation (--engine simulate) or a law that is blind to the data"
            )
        values, exponent = read.plain()
        if exponent != 0:
            raise NotAvailableError(
                f"method={method.name!r} at layer {layer}: its law depends on activations of about 2^{exponent}, which "
                "float64 does not hold; rescale the network's weights"
            )
        return self._scaled_each([method.scale_moments(x, weights) for x in values])

    def _scaled_alike(self, law: ScaleMoments) -> _Moments:
        """All inputs share one law."""
        mean, count = self.mean.values, len(self.mean.values)
        exponent = max(self.covariance.exponent, 2 * self.mean.exponent)
        covariance = self.covariance.at(exponent)
        second = covariance + Scaled(mean.T @ mean / count, 2 * self.mean.exponent).at(exponent)
        covariance = law.covariance_hadamard(second) + covariance * np.outer(law.mean, law.mean)
        return _Moments(Scaled(law.mean * mean, self.mean.exponent).balanced(), Scaled(covariance, exponent).balanced())

    def _scaled_each(self, laws: Sequence[ScaleMoments]) -> _Moments:
        """Each input has a law of its own, and no covariance yet."""
        pairs = list(zip(laws, self.mean.values, strict=True))
        covariance = np.asarray(sum(law.covariance_hadamard(np.outer(mu, mu)) for law, mu in pairs)) / len(pairs)
        mean = np.stack([law.mean * mu for law, mu in pairs])
        return _Moments(
            Scaled(mean, self.mean.exponent).balanced(), Scaled(covariance, 2 * self.mean.exponent).balanced()
        )

    def through(self, weights: Scaled, bias: np.ndarray, run: PieceMap, workspace: Workspace) -> _Moments:
        """Return the moments after the product and the bias; the covariance's array goes to the workspace."""
        before = None if self.covariance.is_zero else self.covariance.values
        after, _ = congruence(weights.values.T, before, [], run, workspace)
        after = np.zeros((weights.values.shape[1],) * 2) if after is None else after
        covariance = Scaled(after, self.covariance.exponent + 2 * weights.exponent).balanced()
        workspace.give(self.covariance.values)
        return _Moments(_affine(self.mean, weights, bias), covariance)

    def metrics(self, exact: Scaled) -> Metrics:
        """Return the four figures against the exact activations (B, n)."""
        variance = Scaled(np.trace(self.covariance.values) * len(exact.values), self.covariance.exponent)
        difference = self.mean + -exact
        return metrics_from_scaled(
            exact=exact.inner(exact),
            estimate=variance + self.mean.inner(self.mean),
            cross=self.mean.inner(exact),
            error=variance + difference.inner(difference),
        )


def _affine(a: Scaled, weights: Scaled, bias: np.ndarray) -> Scaled:
    product = Scaled(a.values @ weights.values, a.exponent + weights.exponent)
    return (product.balanced() + Scaled(np.broadcast_to(bias, product.values.shape)).balanced()).balanced()


def exact_moments(
    network: Network,
    method: Method | Sequence[Method | None],
    inputs: np.ndarray,
    *,
    sample_output: bool = False,
    workers: int | None = None,
) -> ErrorProfile:
    """Return the exact error of a sampled linear network, by layer.

    Parameters
    ----------
    network : Network
        With linear activation; any widths, with or without biases.
    method : Method or sequence of Method
        One for all layers, or one (or None: exact) for each.
    inputs : (B, n) array
        The expectation is over the sampling and over these inputs.
    sample_output : bool
        Whether one method for all includes the last layer's product.
    workers : int, optional
        Threads; the result does not depend on it.

    Returns
    -------
    ErrorProfile
        Exact up to rounding; no intervals. Logarithms of the figures are finite at any depth.

    Raises
    ------
    InputError
        If inputs do not fit.
    NotAvailableError
        If the activation is not linear, or a law depends on random activations.
    """
    started = time.perf_counter()
    require_linear(network)
    network = network.astype(np.float64)
    plan = make_plan(network, method, sample_output=sample_output)
    x = network.check_inputs(inputs)
    exact, workspace = Scaled(x).balanced(), Workspace()
    moments, layers = _Moments(exact, Scaled(np.zeros((x.shape[1],) * 2)).balanced()), []
    with ordered_map(workers) as run:
        for k, (W, law) in enumerate(zip(network.weights, plan, strict=True), start=1):
            if law is not None and law.claims.side == "inner":
                moments = moments.scale(law, W, k, moments.mean)
            incoming, weights = moments.mean, Scaled(W).balanced()
            moments = moments.through(weights, network.bias(k), run, workspace)
            exact = _affine(exact, weights, network.bias(k))
            before_mask = moments.metrics(exact)
            if law is not None and law.claims.side == "output":
                moments = moments.scale(law, W, k, incoming if law.claims.reads == "input" else moments.mean)
            layers.append(LayerError(k, moments.metrics(exact), before_mask))
    settings = {**describe_plan(plan), "inputs": len(x)}
    return ErrorProfile("exact", tuple(layers), time.perf_counter() - started, settings)
