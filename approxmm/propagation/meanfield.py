"""Mean field: the error of a sampled wide random network in closed form, forward and backward, at any depth.

With independent weights of variance σ_w²/n, pre-activations of the exact and the sampled network are, in the limit of
wide layers, jointly Gaussian over the nodes; three numbers (q, q̂, κ = E z ẑ) describe a layer, and one layer maps
them as in `approxmm.propagation.meanfield_layer` (Poole et al. 2016 and Schoenholz et al. 2017 for exact networks).
All four figures are ratios of expectations over weights, biases, sampling and inputs, as everywhere in the package.

Gradients. For a cotangent of the result that is Gaussian and independent of everything before it, the same in both
networks,

    δ̂_L = μ_L ∘ g,   δ̂_k = μ_k ∘ φ′(ẑ_k) ∘ ξ_{k+1} ∘ (W_{k+1} δ̂_{k+1}),   ∂W_k = (ξ_k ∘ â_{k−1})ᵀ δ̂_k

(scales count as constants), and the maps are those of the forward pass with φ′ in the place of φ, under the usual
assumption that the weights of the backward pass are independent of those of the forward pass. That assumption is
exact in the limit for such cotangents (Yang 2020, arXiv:2006.14548); at width n it costs O(1/n). A loss whose
gradient follows the sampled result adds an error of its own. The expected error of gradients is infinite for
norm-optimal probabilities of the *forward* draw (see `approxmm.propagation.meanfield_law.diverges`); a simulation's
means then grow with the number of trials.

Not claimed: anything about trained weights. For a `Network` the ensemble of the same measured variances is meant.
Relative errors below about 1e-12 are rounding.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from approxmm.errors import InputError
from approxmm.methods.contract import Method
from approxmm.network import Network
from approxmm.profile import ErrorProfile, LayerError, Metrics, metrics_from_logs
from approxmm.propagation.ensemble import Ensemble
from approxmm.propagation.meanfield_field import MeanField
from approxmm.propagation.meanfield_layer import Pair
from approxmm.propagation.meanfield_width import finite_width
from approxmm.propagation.plan import describe_plan

__all__ = ["mean_field"]

_CORRECTIONS = ("finite_width", "finite_width_cosine", "finite_width_norm_ratio", "finite_width_pre")
_MOST_INPUTS, _DEEPEST_CORRECTED = 16, 64


def mean_field(
    network: Ensemble | Network,
    method: Method | Sequence[Method | None],
    inputs: np.ndarray | None = None,
    *,
    sample_output: bool = False,
    gradients: bool = True,
    exact_forward: bool = False,
    correction: bool | None = None,
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
    correction : bool, optional
        Whether to add what finite width changes, to leading order in 1/n, as `LayerError.extra`: ``finite_width``
        (of the output's relative error), ``finite_width_cosine``, ``finite_width_norm_ratio`` and ``finite_width_pre``
        (of the pre-activation's relative error). They are differences *to be added* to the figures; infinite where
        fluctuations at this width are as large as the figures. By default for up to 64 layers. With several inputs,
        those of the input of median norm.

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
    rows: list[np.ndarray | None] = (
        [None] if inputs is None else [*_representative(_checked(inputs, field.ensemble.widths[0]))]
    )
    runs = [list(field.layers(row, gradients=gradients)) for row in rows]
    if correction is None:
        correction = field.ensemble.depth <= _DEEPEST_CORRECTED and not exact_forward
    extras = _corrections(field, rows, runs) if correction else [{}] * field.ensemble.depth
    layers = tuple(
        _layer_error(k, layer, extra)
        for k, (layer, extra) in enumerate(zip(zip(*runs, strict=True), extras, strict=True), 1)
    )
    settings = {**describe_plan(field.plan), **field.ensemble.describe()}
    settings["inputs"] = "Gaussian" if inputs is None else len(rows)
    return ErrorProfile("meanfield", layers, time.perf_counter() - started, settings)


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


def _corrections(
    field: MeanField, rows: Sequence[np.ndarray | None], runs: Sequence[Sequence[tuple[Pair, ...]]]
) -> list[dict[str, float]]:
    """Return what finite width adds to each layer's figures, for the input of median norm."""
    norms = [0.0 if row is None else float(row @ row) for row in rows]
    median = int(np.argsort(norms, kind="stable")[len(rows) // 2])
    result = []
    for limit, corrected in zip(runs[median], finite_width(field, rows[median]), strict=True):
        if corrected is None:
            result.append(dict.fromkeys(_CORRECTIONS, math.inf))
            continue
        pre, output = (_averaged([pair]) for pair in corrected)
        before, after = (_averaged([pair]) for pair in limit[:2])
        result.append(
            {
                "finite_width": output.relative_error - after.relative_error,
                "finite_width_cosine": output.cosine - after.cosine,
                "finite_width_norm_ratio": output.norm_ratio - after.norm_ratio,
                "finite_width_pre": pre.relative_error - before.relative_error,
            }
        )
    return result


def _layer_error(layer: int, runs: Sequence[tuple[Pair, ...]], extra: dict[str, float]) -> LayerError:
    figures = [_averaged([run[i] for run in runs]) for i in range(len(runs[0]))]
    delta, weight_gradient = figures[2:] if len(figures) == 4 else (None, None)
    return LayerError(layer, figures[1], figures[0], extra, delta=delta, weight_gradient=weight_gradient)


def _averaged(pairs: Sequence[Pair]) -> Metrics:
    """Return the figures of ratios of averages over inputs."""
    if len(pairs) == 1:
        pair = pairs[0]
        return metrics_from_logs(pair.log_exact, pair.log_estimate, pair.cosine, pair.log_error)
    exact, estimate, error = (
        _log_mean([getattr(pair, name) for pair in pairs]) for name in ("log_exact", "log_estimate", "log_error")
    )
    middle = 0.5 * (exact + estimate)
    if math.isinf(middle):
        return metrics_from_logs(exact, estimate, 0.0, error)
    cosines = [p.cosine * math.exp(0.5 * (p.log_exact + p.log_estimate) - middle) for p in pairs]
    return metrics_from_logs(exact, estimate, sum(cosines) / len(cosines), error)


def _log_mean(logs: Sequence[float]) -> float:
    return float(np.logaddexp.reduce(logs)) - math.log(len(logs))
