"""Small random networks with inputs, for tests of advice."""

from __future__ import annotations

import numpy as np

from approxmm.network import Network

__all__ = ["relu", "stack"]


def stack(widths=(5, 4, 6, 3), activation="linear", seed=0, **options):
    network = Network.random(widths, activation=activation, init="lecun", seed=seed, **options)
    return network, np.random.default_rng(seed).normal(size=(3, widths[0]))


def relu(width=40, depth=4, seed=2):
    network = Network.random([width] * (depth + 1), seed=seed)
    return network, np.random.default_rng(seed).normal(size=(4, width))
