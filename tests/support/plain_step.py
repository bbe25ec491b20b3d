"""A training step in plain NumPy by its definition, with the scales that a session's last pass drew."""

from __future__ import annotations

import numpy as np
from scipy import special

from approxmm.engine.layout import bias_of, units_of, weights_of
from approxmm.engine.workspace import EXACT

PRODUCTS = ("forward", "input_gradient", "weight_gradient")
PHI = {
    "linear": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "shifted_relu": lambda z: np.maximum(z - 0.5, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "gelu": lambda z: z * special.ndtr(z),
    "erf": special.erf,
}
SLOPE = {
    "relu": lambda z: (z > 0).astype(float),
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "linear": np.ones_like,
}
EPSILON = 1e-12


def drawn(session, batch):
    """Return {product: [scales of each layer]}: (n,) on the inner side, (B, m) on the output side, 1.0 where exact."""
    sampling, work = session.sampling(), session.work
    result = {}
    for product in PRODUCTS:
        draw = getattr(sampling, product)
        result[product] = scales = [1.0] * session.depth
        for k in range(sampling.layers if draw != EXACT else 0):
            if sampling.inner:
                scales[k] = np.zeros(session.layout.widths[k])
                place = draw * session.depth + k
                count = work.active_count[place]
                scales[k][work.active_index[place, :count]] = work.active_scale[place, :count]
            else:
                scales[k] = units_of(work.mask[draw], session.layout, k, batch).copy()
    return result


def sides(session, product, scales):
    """Return the scales of a product's layers as (inner, output) factors."""
    inner = session.sampling().inner
    return [(s, 1.0) if inner else (1.0, s) for s in scales[product]]


def forward(session, x, scales, params=None):
    """Return inputs of the products, pre-activations, outputs before normalisation, and the result."""
    params = session.params if params is None else params
    a, inputs, pre, raw = x, [], [], []
    for k, (inner, outer) in enumerate(sides(session, "forward", scales)):
        inputs.append(a)
        z = (a * inner) @ weights_of(params, session.layout, k) + bias_of(params, session.layout, k)
        pre.append(z)
        last = k == session.depth - 1
        a = z if last else PHI[session.activation_name](z) * outer
        raw.append(a)
        if not last and session.normalise == "rms":
            a = a / np.sqrt((a**2).mean(axis=1, keepdims=True) + EPSILON)
    return inputs, pre, raw, a


def loss_of(result, y):
    """Return the mean cross-entropy."""
    top = result.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(result - top).sum(axis=1)) + top[:, 0]
    return float((log_sum - result[np.arange(len(y)), y]).mean())


def gradient(session, x, y, scales):
    """Return the gradient by the definition of the modes (see `Recipe`), flat."""
    inputs, pre, raw, result = forward(session, x, scales)
    shifted = np.exp(result - result.max(axis=1, keepdims=True))
    delta = shifted / shifted.sum(axis=1, keepdims=True)
    delta[np.arange(len(y)), y] -= 1
    delta /= len(y)
    of_inputs, of_weights = (sides(session, product, scales) for product in PRODUCTS[1:])
    once = session.sampling().forward == EXACT  # a masked input is masked already after a sampled forward pass
    flat = np.empty_like(session.params)
    for k in range(session.depth - 1, -1, -1):
        a = inputs[k] * of_weights[k][0] * (of_weights[k - 1][1] if once and k > 0 else 1.0)
        weights_of(flat, session.layout, k)[:] = a.T @ (delta * of_weights[k][1])
        bias_of(flat, session.layout, k)[:] = (delta * of_weights[k][1]).sum(axis=0)
        if k == 0:
            return flat
        g = (delta * of_inputs[k][1]) @ weights_of(session.params, session.layout, k).T * of_inputs[k][0]
        if session.normalise == "rms":
            r = raw[k - 1]
            rms = np.sqrt((r**2).mean(axis=1, keepdims=True) + EPSILON)
            g = g / rms - r * (g * r).mean(axis=1, keepdims=True) / rms**3
            g[~r.any(axis=1)] = 0.0
        delta = g * SLOPE[session.activation_name](pre[k - 1])
    return flat
