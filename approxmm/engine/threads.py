"""How many threads a step is worth."""

from __future__ import annotations

from approxmm.network import Network
from approxmm.parallel import available_workers

__all__ = ["useful_threads"]

_WORK_TO_SHARE = 1_000_000  # multiplications of a product, about 10 µs of one thread


def useful_threads(network: Network, batch: int, asynchronous: bool = False) -> int:
    """Return how many threads gain time: a product should cost several times what meeting at its end does.

    Asynchronous threads never meet.
    """
    if asynchronous:
        return available_workers()
    smallest = batch * min(W.size for W in network.weights[:-1]) if network.depth > 1 else 0
    return available_workers() if smallest >= _WORK_TO_SHARE else 1
