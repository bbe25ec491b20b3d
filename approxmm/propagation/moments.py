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
from approxmm.profile import ErrorProfile, LayerError, Metrics, metrics_from_moments
from approxmm.propagation.plan import describe_plan, make_plan, require_linear

__all__ = ["exact_moments"]


@dataclass
class _Moments:
    """Mean of the sampled activation for each input (B, n), and the average covariance (n, n)."""

    mean: np.ndarray
    covariance: np.ndarray

    def scale(self, method: Method, weights: np.ndarray, layer: int, read: np.ndarray) -> _Moments:
        """Return the moments after multiplication by the method's scales, whose law reads the rows of `read`."""
        if method.claims.reads == "nothing":
            law = method.scale_moments(self.mean[0], weights)
            return self._scaled([law] * len(self.mean), shared=law)
        if self.covariance.any():
            raise NotAvailableError(
                f"method={method.name!r} at layer {layer}: its law depends on activations that are random there, "
                "so no exact moments exist; use the simulation (--engine simulate) or a law that is blind to the data"
            )
        return self._scaled([method.scale_moments(x, weights) for x in read], shared=None)

    def _scaled(self, laws: Sequence[ScaleMoments], shared: ScaleMoments | None) -> _Moments:
        mean = np.stack([law.mean * mu for law, mu in zip(laws, self.mean, strict=True)])
        if shared is not None:
            second = self.covariance + self.mean.T @ self.mean / len(self.mean)
            covariance = shared.covariance_hadamard(second) + self.covariance * np.outer(shared.mean, shared.mean)
        else:
            covariance = sum(
                law.covariance_hadamard(np.outer(mu, mu)) for law, mu in zip(laws, self.mean, strict=True)
            ) / len(self.mean)
        return _Moments(mean, covariance)

    def through(self, weights: np.ndarray, bias: np.ndarray) -> _Moments:
        """Return the moments after the product and the bias."""
        return _Moments(self.mean @ weights + bias, weights.T @ self.covariance @ weights)

    def metrics(self, exact: np.ndarray) -> Metrics:
        """Return the four figures against the exact activations (B, n)."""
        variance, count = float(np.trace(self.covariance)), len(exact)
        return metrics_from_moments(
            exact=float(np.vdot(exact, exact)) / count,
            estimate=variance + float(np.vdot(self.mean, self.mean)) / count,
            cross=float(np.vdot(self.mean, exact)) / count,
            error=variance + float(((self.mean - exact) ** 2).sum()) / count,
        )


def exact_moments(
    network: Network,
    method: Method | Sequence[Method | None],
    inputs: np.ndarray,
    *,
    sample_output: bool = False,
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

    Returns
    -------
    ErrorProfile
        Exact up to rounding; no intervals.

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
    moments, exact, layers = _Moments(x, np.zeros((x.shape[1],) * 2)), x, []
    for k, (W, law) in enumerate(zip(network.weights, plan, strict=True), start=1):
        if law is not None and law.claims.side == "inner":
            moments = moments.scale(law, W, k, moments.mean)
        incoming = moments.mean
        moments, exact = moments.through(W, network.bias(k)), exact @ W + network.bias(k)
        before_mask = moments.metrics(exact)
        if law is not None and law.claims.side == "output":
            moments = moments.scale(law, W, k, incoming if law.claims.reads == "input" else moments.mean)
        layers.append(LayerError(k, moments.metrics(exact), before_mask))
    settings = {**describe_plan(plan), "inputs": len(x)}
    return ErrorProfile("exact", tuple(layers), time.perf_counter() - started, settings)
