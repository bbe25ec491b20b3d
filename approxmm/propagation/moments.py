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

from approxmm.activations import Linear
from approxmm.errors import InputError, NotAvailableError
from approxmm.methods.contract import Method
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.network import Network
from approxmm.profile import ErrorProfile, LayerError, Metrics, metrics_from_moments
from approxmm.propagation.plan import describe_plan, make_plan

__all__ = ["ErrorForm", "error_form", "exact_moments"]


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
    _require_linear(network)
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


@dataclass(frozen=True, eq=False)
class ErrorForm:
    """The expected squared error at the output of a sampled linear network, as a quadratic form of the input.

    Attributes
    ----------
    error : (n + 1, n + 1) float64 array
        In homogeneous coordinates [a, 1]: E‖â_L − a_L‖² = [a, 1] error [a, 1]ᵀ.
    exact : (n + 1, n + 1) float64 array
        ‖a_L‖² likewise.
    """

    error: np.ndarray
    exact: np.ndarray

    def squared_errors(self, inputs: np.ndarray) -> np.ndarray:
        """Return E‖â_L − a_L‖² for each row of `inputs` (B, n), float64 (B,)."""
        return _quadratic(self.error, inputs)

    def relative_errors(self, inputs: np.ndarray) -> np.ndarray:
        """Return each input's E‖â_L − a_L‖² / ‖a_L‖², float64 (B,); infinite or NaN where a_L = 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            relative: np.ndarray = self.squared_errors(inputs) / _quadratic(self.exact, inputs)
        return relative


def error_form(network: Network, method: Method | Sequence[Method | None], *, sample_output: bool = False) -> ErrorForm:
    """Return the output error for all inputs at once, by one pass from the last layer to the first.

    With Q, X, P the forms of E‖â_L‖², E⟨â_L, a_L⟩ and ‖a_L‖², a product pulls each back by W · Wᵀ and a
    scale of mean m = 1 + β and covariance Σ multiplies Q by m mᵀ + Σ and X by m 1ᵀ. What is carried instead of P
    is the error's own form R = Q − X − Xᵀ + P, whose recursion R ← R + Q ∘ Σ + β1ᵀ ∘ (Q − X) + 1βᵀ ∘ (Q − Xᵀ) + ββᵀ ∘ Q
    adds small terms instead of subtracting large ones.

    Parameters and errors are as for `exact_moments`; every law must be blind to the data.
    """
    _require_linear(network)
    network = network.astype(np.float64)
    plan = make_plan(network, method, sample_output=sample_output)
    size = network.widths[-1] + 1
    identity = np.eye(size)
    identity[-1, -1] = 0.0  # the constant coordinate is not part of the result
    Q, X, R, P = identity.copy(), identity.copy(), np.zeros((size, size)), identity
    for k in range(network.depth, 0, -1):
        W, law = network.weights[k - 1], plan[k - 1]
        if law is not None and law.claims.side == "output":
            Q, X, R = _pull_scales(_blind_law(law, W, W.shape[1], k), Q, X, R)
        H = _homogeneous(W, network.bias(k))
        Q, X, R, P = (H @ form @ H.T for form in (Q, X, R, P))
        if law is not None and law.claims.side == "inner":
            Q, X, R = _pull_scales(_blind_law(law, W, W.shape[0], k), Q, X, R)
    return ErrorForm(R, P)


def _blind_law(method: Method, weights: np.ndarray, size: int, layer: int) -> ScaleMoments:
    """Return the law of a data-blind method in homogeneous coordinates (the constant has scale 1)."""
    if method.claims.reads != "nothing":
        raise NotAvailableError(
            f"method={method.name!r} at layer {layer}: its law depends on the activations, so no form in the input "
            "exists; use the simulation, or probabilities that are blind to the data (uniform or weights)"
        )
    law = method.scale_moments(np.ones(size), weights)
    return ScaleMoments(
        mean=np.append(law.mean, 1.0),
        diagonal=np.append(law.diagonal, 0.0),
        common=law.common,
        support=np.append(law.support, 0.0),
        dense=None if law.dense is None else np.pad(law.dense, (0, 1)),
    )


def _pull_scales(
    law: ScaleMoments, Q: np.ndarray, X: np.ndarray, R: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    m, beta = law.mean[:, None], law.mean[:, None] - 1.0
    sigma_q = law.covariance_hadamard(Q)
    R = R + sigma_q + beta * (Q - X) + beta.T * (Q - X.T) + beta * beta.T * Q
    return sigma_q + Q * m * m.T, m * X, R


def _homogeneous(weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    n, m = weights.shape
    H = np.zeros((n + 1, m + 1))
    H[:n, :m], H[n, :m], H[n, m] = weights, bias, 1.0
    return H


def _quadratic(form: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    a = np.column_stack([np.atleast_2d(inputs).astype(np.float64), np.ones(len(np.atleast_2d(inputs)))])
    if a.shape[1] != form.shape[0]:
        raise InputError(f"inputs have {a.shape[1] - 1} features but the form takes {form.shape[0] - 1}")
    values: np.ndarray = np.einsum("bi,bi->b", a @ form, a)
    return values


def _require_linear(network: Network) -> None:
    if not all(isinstance(phi, Linear) for phi in network.phis):
        raise NotAvailableError(
            f"activation={network.activation!r}: exact moments exist for linear networks only; "
            "use the simulation (--engine simulate) or --activation linear"
        )
