"""The draws of a simulation: the scales of every layer, trial and input, keyed by what they are for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from approxmm.methods.contract import Method
from approxmm.methods.operations import observe, refresh
from approxmm.network import Network
from approxmm.propagation.memory import Space
from approxmm.propagation.plan import Plan
from approxmm.propagation.simulate_kernels import fill_trials
from approxmm.random import Stream, make_key

__all__ = ["Chunk", "Draws", "exact_layers"]

_OBSERVED = 1024  # inputs shown to an observing law at a time


@dataclass(frozen=True)
class Chunk:
    """Some trials of some inputs; its arrays' rows are ordered by (trial, input)."""

    first: int
    stop: int
    inputs: slice

    @property
    def trials(self) -> int:
        """Number of trials."""
        return self.stop - self.first

    @property
    def size(self) -> int:
        """Number of inputs."""
        return int(self.inputs.stop - self.inputs.start)

    @property
    def rows(self) -> int:
        """Rows of its arrays."""
        return self.trials * self.size

    def spread(self, values: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Write the inputs' `values` (size, m) to `out` (rows, m) for every trial."""
        out.reshape(self.trials, *values.shape)[:] = values
        return out


def exact_layers(network: Network, x: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield each layer's exact (z, a), one at a time: all of them need not fit."""
    a = x
    for k, W in enumerate(network.weights, start=1):
        z = a @ W
        z += network.bias(k)
        a = network.activate(k, z)
        yield z, a


class Draws:
    """A network with its sampling: what all chunks of a simulation share."""

    def __init__(self, network: Network, plan: Plan, inputs: np.ndarray, seed: int, batch: int) -> None:
        self.network, self.plan, self.inputs, self.seed, self.batch = network, plan, inputs, seed, batch
        self._states = [
            None if law is None or law.claims.random_build else self._prepare(law, k, 0) for k, law in enumerate(plan)
        ]
        self._observe_exact([k for k, law in enumerate(plan) if law is not None and law.claims.observes])

    def _prepare(self, law: Method, k: int, trial: int) -> Any:
        key = make_key(self.seed, Stream.BUILD, layer=k + 1, item=trial)
        return law.prepare([self.network.weights[k]], [self.network.bias(k + 1)], key)

    def _observe_exact(self, observing: list[int]) -> None:
        """Show the exact activations to the layers whose laws observe, once, before any draw."""
        for start in range(0, len(self.inputs), _OBSERVED) if observing else ():
            x = self.inputs[start : start + _OBSERVED]
            outs = [x, *(a for _, a in exact_layers(self.network, x))]
            for k in observing:
                observe(self._states[k], 0, np.ascontiguousarray(outs[k]), self.network.bias(k + 1))
        for k in observing:
            W = self.network.weights[k]
            refresh(self._states[k], 0, W, np.arange(W.shape[1]))

    def side(self, k: int) -> str | None:
        """Return the side that layer k (from 0) samples, None where its product is exact."""
        law = self.plan[k]
        return None if law is None else law.claims.side

    def scales(self, k: int, incoming: np.ndarray, pre: np.ndarray | None, chunk: Chunk, space: Space) -> np.ndarray:
        """Draw the scales of layer k (from 0) for a chunk, (rows, items).

        Parameters
        ----------
        incoming, pre : (rows, n) and (rows, m) arrays
            The layer's input and its pre-activation, which output-side laws may read.
        """
        law = self.plan[k]
        assert law is not None
        read = pre if law.claims.side == "output" and law.claims.reads != "input" else incoming
        assert read is not None
        out = space.take("scales", chunk.rows, law.side_length(self.network.weights[k]))
        group = self.batch if law.claims.side == "inner" else 1
        draws = -(-len(self.inputs) // group)
        step = 1 if law.claims.random_build else chunk.trials
        for first in range(chunk.first, chunk.stop, step):
            part = slice((first - chunk.first) * chunk.size, (first - chunk.first + step) * chunk.size)
            state = self._prepare(law, k, first) if law.claims.random_build else self._states[k]
            item = first * draws + chunk.inputs.start // group
            key = make_key(self.seed, Stream.SELECT, layer=k + 1, item=item)
            fill_trials(state, 0, read[part], chunk.size, group, key, draws, out[part])
        return out
