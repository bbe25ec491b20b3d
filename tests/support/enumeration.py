"""Brute force over every outcome of every layer of a tiny network: the slow, obvious twin of the exact moments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from approxmm.methods.bernoulli import Bernoulli
from approxmm.methods.dropout import Dropout
from approxmm.methods.scale_moments import ScaleMoments


def law_outcomes(method, x, weights):
    """Yield (probability, scales) as floats; the law itself is enumerated in rational arithmetic."""
    importance = method.importance(np.asarray(x, dtype=np.float64), weights)
    for probability, scales in method.outcomes_of([Fraction(float(w)) for w in importance]):
        yield float(probability), np.array([float(s) for s in scales])


def sampled_layers(network, plan, x):
    """Yield for each layer the list of (probability, ẑ, â) over all outcomes of it and of all layers before it."""
    states = [(1.0, np.asarray(x, dtype=np.float64))]
    for k, (W, law) in enumerate(zip(network.weights, plan, strict=True), start=1):
        layer = []
        for p, a in states:
            inner = law is not None and law.claims.side == "inner"
            for q, scales in law_outcomes(law, a, W) if inner else [(1.0, 1.0)]:
                z = (a * scales) @ W + network.bias(k)
                out = network.activate(k, z)
                output = law is not None and law.claims.side == "output"
                for r, mask in (
                    law_outcomes(law, a if law.claims.reads == "input" else z, W) if output else [(1.0, 1.0)]
                ):
                    layer.append((p * q * r, z, out * mask))
        states = [(p, a) for p, _, a in layer]
        yield layer


def enumerated_moments(network, plan, inputs):
    """Return (L, 2, 3): for (pre-activation, output), the means of ‖ŷ − y‖², ‖ŷ‖², ⟨ŷ, y⟩ over sampling and inputs."""
    result = np.zeros((network.depth, 2, 3))
    for x in np.atleast_2d(inputs):
        exact = list(zip(*network.layers(x[None]), strict=True))
        for k, layer in enumerate(sampled_layers(network, plan, x)):
            np.testing.assert_allclose(sum(p for p, _, _ in layer), 1.0, rtol=1e-12)
            for p, *pair in layer:
                for i, (value, y) in enumerate(zip(pair, exact[k], strict=True)):
                    difference = value - y[0]
                    result[k, i] += p * np.array([difference @ difference, value @ value, value @ y[0]])
    return result / len(np.atleast_2d(inputs))


def profile_moments(profile, network, inputs):
    """Return the same (L, 2, 3) from a profile's figures and the exact norms."""
    pre, out = network.layers(inputs)
    result = np.zeros((network.depth, 2, 3))
    for k, layer in enumerate(profile.layers):
        for i, (figures, y) in enumerate(((layer.pre_activation, pre[k]), (layer.output, out[k]))):
            exact = (y**2).sum() / len(y)
            estimate = figures.norm_ratio * exact
            result[k, i] = figures.relative_error * exact, estimate, figures.cosine * np.sqrt(exact * estimate)
    return result


@dataclass(frozen=True)
class UnscaledDropout(Dropout):
    """Dropout without rescaling: blind to the data and biased, on the output side."""

    @property
    def claims(self):
        """As dropout's, but biased."""
        return replace(super().claims, unbiased=False)

    def moments_of(self, importance):
        """Mean p, variance p(1 − p)."""
        one, keep = importance * 0 + 1, self._exact_keep(importance)
        keep = keep if one.dtype == object else float(keep)
        return ScaleMoments(mean=one * keep, diagonal=one * (keep * (1 - keep)), common=0, support=one)

    def outcomes_of(self, importance):
        """Yield masks of ones."""
        for probability, scales in super().outcomes_of(importance):
            yield probability, tuple(Fraction(int(s > 0)) for s in scales)


@dataclass(frozen=True)
class UnscaledInner(UnscaledDropout):
    """The same mask on the inner side, with a common covariance as well: ones or nothing with probability 1/4."""

    @property
    def claims(self):
        """As dropout's, but of the other side."""
        return replace(super().claims, side="inner")

    def moments_of(self, importance):
        """Mean 3p/4; E ξ_i² = 3p/4, E ξ_iξ_j = 3p²/4."""
        one, p = importance * 0 + 1, self._exact_keep(importance)
        mean, common = Fraction(3, 4) * p, Fraction(3, 16) * p * p
        own = Fraction(3, 4) * p - mean * mean - common
        if one.dtype != object:
            mean, common, own = float(mean), float(common), float(own)
        return ScaleMoments(mean=one * mean, diagonal=one * own, common=common, support=one)

    def outcomes_of(self, importance):
        """Yield masks of ones, and the empty one with an extra quarter."""
        for probability, scales in super().outcomes_of(importance):
            extra = Fraction(1, 4) if not any(scales) else 0
            yield probability * Fraction(3, 4) + extra, scales


@dataclass(frozen=True)
class MaskByInput(Bernoulli):
    """Nodes kept with probabilities by |aW|: an output-side law that reads the layer's input."""

    @property
    def claims(self):
        """As Bernoulli's, but of the other side."""
        return replace(super().claims, side="output", reads="input")

    def importance(self, x, weights):
        """Return |x W|, (m,)."""
        return abs(x @ weights)
