"""A `Network` of this package, for a report on it."""

from __future__ import annotations

from approxmm.interop.named import with_activations
from approxmm.interop.parts import dense
from approxmm.interop.reading import Reading, Source
from approxmm.interop.stored import Stored

__all__ = ["read"]


def read(source: Source) -> Reading:
    """Return the layers of a `Network`."""
    network = source.given
    layers = [
        dense(f"W{k}", Stored.of(W), None if network.biases is None else Stored.of(network.bias(k)))
        for k, W in enumerate(network.weights, start=1)
    ]
    return Reading(with_activations(layers, network.activation), "approxmm network", normalise=network.normalise)
