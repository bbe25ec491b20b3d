"""The exact error of each product by itself, and what it would compound to.

Given the exact activation that enters a layer, every law's moments are known, also
of those that depend on the data: so the relative error e_k that one sampled product adds is exact on
any network. That the errors then compound as Π(1 + e_k) − 1 is a prediction.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from approxmm.methods.contract import Method
from approxmm.network import Network
from approxmm.profile import ErrorProfile, LayerError, Metrics
from approxmm.propagation.law import compound_errors
from approxmm.propagation.plan import describe_plan, make_plan

__all__ = ["one_step_errors", "predict_compounding"]


def one_step_errors(
    network: Network,
    method: Method | Sequence[Method | None],
    inputs: np.ndarray,
    *,
    sample_output: bool = False,
    batch: int = 1,
) -> np.ndarray:
    """Return the exact relative squared error that each layer's sampling adds to exact activations.

    Parameters
    ----------
    network : Network
    method : Method or sequence of Method
    inputs : (B, n) array
    sample_output : bool
        Whether one method for all includes the last layer.
    batch : int
        How many consecutive inputs share one draw of column–row pairs.

    Returns
    -------
    (L,) float64
        Inner side: E‖(a ∘ ξ)W − aW‖²/‖z‖². Output side: E‖μ ∘ a − a‖²/‖a‖² of the layer's output. 0 where a
        layer's exact values are all zero and no error is made, infinite where one is.
    """
    network = network.astype(np.float64)
    plan = make_plan(network, method, sample_output=sample_output)
    x = network.check_inputs(inputs)
    pre, out = network.layers(x)
    errors = np.zeros(network.depth)
    for k, law in enumerate(plan):
        if law is None:
            continue
        incoming = out[k - 1] if k > 0 else x
        if law.claims.side == "inner":
            errors[k] = _relative(_inner_error(law, incoming, network.weights[k], batch), pre[k])
        else:
            read = incoming if law.claims.reads == "input" else pre[k]
            errors[k] = _relative(_output_error(law, read, out[k], network.weights[k]), out[k])
    return errors


def predict_compounding(
    network: Network,
    method: Method | Sequence[Method | None],
    inputs: np.ndarray,
    *,
    sample_output: bool = False,
    batch: int = 1,
) -> ErrorProfile:
    """Return the compounding Π(1 + e_k) − 1 of the exact one-step errors as a profile.

    Not claimed: exactness. It assumes that a layer passes on error and signal with the same gain and that
    the errors of layers add without correlation, which an unbiased method in a linear i.i.d. stack
    fulfils on average. For biased methods the errors correlate, and the prediction is not offered a meaning
    beyond the first layer; compare it with the simulation. Their other three figures do not follow from
    the error and are NaN.
    """
    started = time.perf_counter()
    steps = one_step_errors(network, method, inputs, sample_output=sample_output, batch=batch)
    plan = make_plan(network, method, sample_output=sample_output)
    layers, unbiased, pre = [], True, _predicted(0.0, unbiased=True)
    for k, (error, law) in enumerate(zip(compound_errors(steps), plan, strict=True), start=1):
        unbiased = unbiased and (law is None or law.claims.unbiased)
        figures = _predicted(float(error), unbiased)
        # A mask comes after the pre-activation, which has the error of the layers before it.
        masked = law is not None and law.claims.side == "output"
        layers.append(LayerError(k, figures, pre if masked else figures, extra={"one_step_error": float(steps[k - 1])}))
        pre = figures
    profile = ErrorProfile("prediction", tuple(layers), 0.0, describe_plan(plan))
    return replace(profile, seconds=time.perf_counter() - started)


def _predicted(error: float, unbiased: bool) -> Metrics:
    """Return the figures that follow from the error where E⟨ŷ, y⟩ = ‖y‖², so E‖ŷ‖² = (1 + error)‖y‖²."""
    if not unbiased:
        return Metrics(error, math.nan, math.nan, math.nan)
    to_estimate = 1.0 if math.isinf(error) else error / (1.0 + error)
    return Metrics(error, to_estimate, (1.0 + error) ** -0.5, 1.0 + error)


def _relative(error: float, exact: np.ndarray) -> float:
    norm = float(np.vdot(exact, exact))
    if norm == 0.0:
        return 0.0 if error == 0.0 else math.inf
    return error / norm


def _inner_error(law: Method, incoming: np.ndarray, weights: np.ndarray, batch: int) -> float:
    if law.claims.reads == "nothing":
        batch = len(incoming)  # all draws obey one law, so the sums over inputs become matrix products
    blocks = (incoming[start : start + batch] for start in range(0, len(incoming), batch))
    return sum(_block_error(law, block, weights, single=batch == 1) for block in blocks)


def _block_error(law: Method, block: np.ndarray, weights: np.ndarray, *, single: bool) -> float:
    """Return the summed squared error of inputs that share one law: of the input itself, or of the column norms."""
    moments = law.scale_moments(block[0] if single else np.sqrt((block**2).sum(axis=0)), weights)
    return sum(moments.product_error(block, weights))


def _output_error(law: Method, read: np.ndarray, out: np.ndarray, weights: np.ndarray) -> float:
    """Scales on the output act node by node, so only their second moment about 1 enters."""
    error = 0.0
    for x, a in zip(read, out, strict=True):
        mean, variance = law.marginal_moments(x, weights)
        error += float((a**2) @ (variance + (mean - 1.0) ** 2))
    return error
