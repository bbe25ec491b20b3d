"""The forward pass of a network without anything compiled, for tests that read many small models."""

from __future__ import annotations

import numpy as np

from approxmm.activations import value


def plain_forward(network, x):
    """Return the result (B, n_out) for inputs (B, n_in), by the activations' uncompiled twins."""
    a = np.asarray(x, dtype=network.dtype)
    for k, W in enumerate(network.weights, start=1):
        phi = network.phi(k)
        scalar = value.implementation(type(phi)).py_func
        z = a @ W + network.bias(k)
        a = np.array([scalar(phi, float(v)) for v in z.ravel()], dtype=network.dtype).reshape(z.shape)
    return a
