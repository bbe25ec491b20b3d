"""Direct simulation of many random stacks: one network and one sampling trial a time, forward and backward.

Short and slow on purpose: real weight matrices, real draws, nothing of the mean field. One draw of weights serves all
activations and methods, whose examples are the rows of one product.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from approxmm.activations import apply, apply_slope, get_activation
from approxmm.methods.contract import Method
from approxmm.methods.draws import fill_scales
from approxmm.propagation import mean_field
from approxmm.propagation.ensemble import Ensemble
from approxmm.random import Stream, generator, make_key

KINDS = ("pre_activation", "output", "delta", "weight_gradient")


class Stack(NamedTuple):
    """An activation and σ_w², σ_b²."""

    activation: str
    weight_variance: float
    bias_variance: float

    def ensemble(self, width, depth):
        return Ensemble((width,) * (depth + 1), self.activation, self.weight_variance, self.bias_variance)


def simulate_stacks(
    stacks: list[Stack],
    methods: list[Method],
    width: int,
    depth: int,
    networks: range,
    *,
    seed: int = 0,
    dtype: Any = np.float32,
) -> np.ndarray:
    """Return sums of squares (networks, depth, stacks, methods, kinds, 3): of the error, the estimate, the exact value.

    Products are computed in `dtype`, sums in float64.
    """
    out = [_one_network(stacks, methods, width, depth, seed, t, dtype) for t in networks]
    return np.array(out)


def _one_network(stacks, methods, width, depth, seed, t, dtype):
    run = _Run(stacks, methods, width, seed, t, dtype)
    for layer in range(1, depth + 1):
        run.forward(layer, last=layer == depth)
    return run.figures(depth)


class _Run:
    def __init__(self, stacks, methods, width, seed, t, dtype):
        self.stacks, self.methods, self.width, self.seed, self.t, self.dtype = stacks, methods, width, seed, t, dtype
        self.phis = [get_activation(stack.activation) for stack in stacks]
        x = generator(make_key(seed, Stream.INPUTS, item=t)).standard_normal(width)
        # Row 0 of each stack is exact, row 1 + i is sampled by method i.
        self.a = np.broadcast_to(x, (len(stacks), 1 + len(methods), width)).astype(dtype)
        self.weights, self.slopes, self.scales, self.scaled, self.sums = [], [], [], [], []

    def forward(self, layer, *, last):
        rng = generator(make_key(self.seed, Stream.WEIGHTS, layer=layer, item=self.t))
        W = rng.standard_normal((self.width, self.width), dtype=np.float32).astype(self.dtype)
        W /= np.sqrt(self.width)
        b = rng.standard_normal(self.width, dtype=np.float32).astype(self.dtype)
        inner, masks = np.ones_like(self.a), np.ones_like(self.a)
        for i, law in enumerate(self.methods, start=1):
            if law.claims.side == "inner":
                inner[:, i] = self._draw(law, layer, self.a[:, i], W, b)
        incoming = self.a
        scaled = self.a * inner
        z = (scaled.reshape(-1, self.width) @ W).reshape(self.a.shape)
        a, slopes = np.empty_like(z), np.ones_like(z)
        for s, (stack, phi) in enumerate(zip(self.stacks, self.phis, strict=True)):
            z[s] = np.sqrt(stack.weight_variance) * z[s] + np.sqrt(stack.bias_variance) * b
            a[s] = z[s] if last else apply(phi, z[s])
            if not last:
                slopes[s] = apply_slope(phi, z[s])
        for i, law in enumerate(self.methods, start=1):
            if law.claims.side == "output":
                masks[:, i] = self._draw(law, layer, (incoming if law.claims.reads == "input" else z)[:, i], W, b)
        self.a = a * masks
        self.sums.append([_squares(z), _squares(self.a)])
        self.weights.append(W)
        self.scales.append(inner)
        self.scaled.append(scaled)
        self.slopes.append(slopes * masks)

    def _draw(self, law, layer, read, W, b):
        # Laws may look at the weights up to a common factor, which is σ_w.
        state = law.prepare(
            [W.astype(np.float64)], [b.astype(np.float64)], make_key(self.seed, Stream.BUILD, layer=layer, item=self.t)
        )
        read = np.ascontiguousarray(read, dtype=np.float64)
        drawn = np.empty((len(read), law.side_length(W)))
        key = make_key(self.seed, Stream.SELECT, layer=layer, item=self.t * len(read))
        fill_scales(state, 0, read, 1, key, drawn)
        return drawn.astype(self.dtype)

    def figures(self, depth):
        g = generator(make_key(self.seed, Stream.PROBE, item=self.t)).standard_normal(self.width).astype(self.dtype)
        delta = np.broadcast_to(g, self.a.shape)
        result = np.empty((depth, len(self.stacks), len(self.methods), len(KINDS), 3))
        for k in range(depth - 1, -1, -1):
            delta = delta * self.slopes[k]
            norms = _squares(delta)
            inputs = _squares(self.scaled[k])
            weight = np.stack(
                [
                    inputs[..., 1] * norms[..., 1]
                    - 2 * _cross(inputs) * _cross(norms)
                    + inputs[..., 2] * norms[..., 2],
                    inputs[..., 1] * norms[..., 1],
                    inputs[..., 2] * norms[..., 2],
                ],
                axis=-1,
            )
            result[k] = np.stack([*self.sums[k], norms, weight], axis=2)
            delta = (delta.reshape(-1, self.width) @ self.weights[k].T).reshape(self.a.shape) * self.scales[k]
            delta = delta * np.sqrt([s.weight_variance for s in self.stacks]).astype(self.dtype)[:, None, None]
        return result


def _squares(y):
    """Return ‖ŷ − y‖², ‖ŷ‖², ‖y‖² for (stacks, 1 + methods, n), as (stacks, methods, 3)."""
    y = y.astype(np.float64)
    exact, estimate = y[:, :1], y[:, 1:]
    exact_norms = np.broadcast_to((exact**2).sum(-1), estimate.shape[:2])
    return np.stack([((estimate - exact) ** 2).sum(-1), (estimate**2).sum(-1), exact_norms], axis=-1)


def _cross(sums):
    return 0.5 * (sums[..., 1] + sums[..., 2] - sums[..., 0])


def outside(sums: np.ndarray, stacks: list[Stack], methods: list[Method], width: int, profiles=None, *, z=6.5):
    """Return what lies outside interval plus stated correction: (activation, method, layer, kind, theory, measured).

    The figure is the ratio of means over networks; its interval is ± z standard errors (of the linearised ratio), for
    which z = 6.5 has a two-sided chance below 1e-10 in a normal distribution: over a study's thousands of comparisons
    below 1e-6. Gradients have no correction; there 10·depth/width of the figure is allowed for. Figures that are
    infinite in theory, or for which it claims nothing, are left out.
    """
    depth, found = sums.shape[1], []
    for s, stack in enumerate(stacks):
        for m, method in enumerate(methods):
            profile = (profiles or {}).get((s, m)) or mean_field(
                stack.ensemble(width, depth), method, sample_output=True
            )
            for k, layer in enumerate(profile.layers):
                for kind, name in enumerate(KINDS):
                    theory = getattr(layer, name).relative_error
                    error, _, exact = sums[:, k, s, m, kind].T
                    measured = error.mean() / exact.mean()
                    spread = (error - measured * exact).std(ddof=1) / np.sqrt(len(sums)) / exact.mean()
                    allowed = layer.extra[{"pre_activation": "finite_width_pre"}.get(name, "finite_width")]
                    if kind >= 2:  # a gradient has met every layer behind it
                        known = np.isfinite(profile.layers[-1].extra["finite_width"])
                        allowed = 10 * depth / width * (1 + theory) if known else np.inf
                    if not (np.isfinite(theory) and np.isfinite(allowed)):
                        continue
                    if abs(theory - measured) > z * spread + abs(allowed) + 1e-6:
                        found.append((stack.activation, method.describe(), k + 1, name, theory, measured, spread))
    return found
