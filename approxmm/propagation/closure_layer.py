"""One layer of the moment closure: sampled product, activation, mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from approxmm.activations import Activation, Linear, apply
from approxmm.methods.contract import Method
from approxmm.methods.draws import fill_scales
from approxmm.propagation.closure_batch import alike_after_mask, alike_after_product, correlate
from approxmm.propagation.closure_moments import ClosureMoments, Diagonal
from approxmm.propagation.closure_points import normal_points
from approxmm.propagation.closure_scales import Averages, blind_averages, evaluate_laws, point_averages
from approxmm.random import Stream, make_key

__all__ = ["Flow", "Layer", "point_count"]

# An unbiased law only adds variance, and averages over items and inputs take the noise of few points out of it; the
# slopes of a biased one need more.
_EVALUATIONS, _FEWEST, _MOST = 4096, 4, 64
Points = Callable[[int], np.ndarray]
_M = TypeVar("_M", bound=ClosureMoments)


def point_count(law: Method, size: int) -> int:
    """Return how many points of `size` activations the law is averaged over: a power of two."""
    if law.claims.reads == "nothing":
        return 1
    if not law.claims.unbiased:
        return _MOST
    wanted = -(-_EVALUATIONS // size)
    return min(_MOST, max(_FEWEST, 1 << (wanted - 1).bit_length()))


@dataclass(frozen=True, eq=False)
class Flow(Generic[_M]):
    """What goes from layer to layer.

    Attributes
    ----------
    moments : moments of (B, n) activations
    points : callable
        Gives points (Q, B, n) of these activations.
    alike : (B, B) array
        Correlation of the inputs' noise, averaged over nodes; used where inputs share draws.
    """

    moments: _M
    points: Points
    alike: np.ndarray


@dataclass(frozen=True, eq=False)
class Product(Generic[_M]):
    """A layer's pre-activation.

    Attributes
    ----------
    moments : moments of (B, m) pre-activations
    alike : (B, B) array
        As in `Flow`.
    terms : float
        How many terms carry the noise of a sum, (Σ v)²/Σ v² of their variances v, summed over the inputs.
    """

    moments: _M
    alike: np.ndarray
    terms: float


@dataclass(frozen=True, eq=False)
class Layer(Generic[_M]):
    """A layer and how it is sampled, for a block of inputs.

    Attributes
    ----------
    number : int
        From 1.
    law : Method, optional
    weights, bias, phi
    inputs : range
        Numbers of the block's inputs.
    batch : int
        Consecutive inputs that share one draw on the inner side.
    """

    number: int
    law: Method | None
    weights: np.ndarray
    bias: np.ndarray
    phi: Activation
    inputs: range
    batch: int

    @property
    def _side(self) -> str:
        return "none" if self.law is None else self.law.claims.side

    def product(self, flow: Flow[_M]) -> Product[_M]:
        """Return the pre-activation."""
        incoming = flow.moments
        if self.law is None or self._side != "inner":
            z = incoming.through(self.weights, self.bias)
            return Product(z, flow.alike, self._terms(incoming.variance))
        scales = self._inner(self.law, flow)
        alike = flow.alike if self.batch == 1 else alike_after_product(flow.alike, scales, self.weights, self.batch)
        z = incoming.scaled_through(scales, self.weights, self.bias)
        return Product(z, alike, self._terms(scales.within + scales.between))

    def output(self, flow: Flow[_M], product: Product[_M]) -> Flow[_M]:
        """Return what the next layer receives, given the pre-activation."""
        z, alike = product.moments, product.alike
        out = z.activated(self.phi)
        if self.law is None or self._side != "output":
            return Flow(out, lambda count: self._activate(self._normal(z, alike, count)), alike)
        if self.law.claims.reads == "nothing":
            scales = self._blind(self.law, out)
        else:
            scales = self._masks(self.law, flow, z, out)
        after = alike if self.batch == 1 else alike_after_mask(alike, scales)
        return Flow(out.scaled(scales), lambda count: self._masked_points(flow, z, count), after)

    def _terms(self, variance: np.ndarray) -> float:
        """Return (Σ v)²/Σ v² of the terms' variances v_i = Var(s_i)‖W_i·‖², summed over the inputs."""
        parts = variance * (self.weights * self.weights).sum(axis=1)
        total, squares = parts.sum(axis=1), (parts * parts).sum(axis=1)
        return float(np.divide(total * total, squares, out=np.zeros_like(total), where=squares > 0.0).sum())

    def _inner(self, law: Method, flow: Flow[_M]) -> Averages:
        if law.claims.reads == "nothing":
            return self._blind(law, flow.moments)
        certain = not flow.moments.variance.any()
        a = flow.moments.mean[None] if certain else flow.points(point_count(law, self.weights.shape[0]))
        laws = evaluate_laws(law, a, self.weights, self.batch, marginal=False)
        return point_averages(laws, a, flow.moments, unbiased=law.claims.unbiased)

    def _blind(self, law: Method, moments: _M) -> Averages:
        size = law.side_length(self.weights)
        return blind_averages(law.scale_moments(np.ones(size), law.reduced(self.weights)), moments)

    def _masks(self, law: Method, flow: Flow[_M], z: _M, out: _M) -> Averages:
        if z.variance.any():
            read, pre = self._read(law, flow, z, point_count(law, self.weights.shape[1]))
        else:
            read, pre = (flow.moments if law.claims.reads == "input" else z).mean[None], z.mean[None]
        laws = evaluate_laws(law, read, self.weights, 1, marginal=isinstance(z, Diagonal))
        return point_averages(laws, self._activate(pre), out, unbiased=law.claims.unbiased)

    def _read(self, law: Method, flow: Flow[_M], z: _M, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return points of what the law reads, and of the pre-activation.

        A law that reads the input reads inner products with it and its norm. For these, which are sums, a normal input
        of the same mean and covariance will do, whatever masked it.
        """
        if law.claims.reads == "input":
            read = self._normal(flow.moments, flow.alike, count)
            return read, read @ self.weights + self.bias
        pre = self._normal(z, flow.alike, count)
        return pre, pre

    def _normal(self, moments: _M, alike: np.ndarray, count: int) -> np.ndarray:
        normal = normal_points(count, self.inputs, moments.mean.shape[1], self.number)
        return moments.shifted(normal if self.batch == 1 else correlate(normal, alike, self.batch))

    def _activate(self, pre: np.ndarray) -> np.ndarray:
        return pre if isinstance(self.phi, Linear) else apply(self.phi, pre)

    def _masked_points(self, flow: Flow[_M], z: _M, count: int) -> np.ndarray:
        """Return points of masked activations, the masks drawn from the law: its moments do not say where zeros are."""
        assert self.law is not None
        read, pre = self._read(self.law, flow, z, count)
        out = self._activate(pre)
        for q in range(count):
            key = make_key(0, Stream.PROBE, step=q + 1, layer=self.number, item=self.inputs.start)
            state = self.law.prepare([self.weights], [self.bias], key)
            scales = np.empty(out[q].shape)
            fill_scales(state, 0, np.ascontiguousarray(read[q]), 1, key, scales)
            out[q] = out[q] * scales
        return out
