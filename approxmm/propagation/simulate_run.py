"""The work of a simulation: chunks of trials and inputs, run by threads, put together in a fixed order."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from approxmm.parallel import map_in_order
from approxmm.propagation.memory import Footprint, Space
from approxmm.propagation.simulate_backward import ExactValues, sampled_backward
from approxmm.propagation.simulate_draws import Chunk, Draws, exact_layers
from approxmm.propagation.simulate_forward import Trace, exact_forward, sampled_forward
from approxmm.propagation.simulate_loss import Loss

__all__ = ["Run"]


class Run:
    """One simulation's fixed data, and the work on a chunk of it.

    Parameters
    ----------
    draws : Draws
    loss : Loss, optional
        With one, gradients are run too.
    footprint : Footprint
        How the work is cut, and the number of threads.
    exact_forward : bool
        Whether only the backward pass is sampled.
    """

    def __init__(self, draws: Draws, loss: Loss | None, footprint: Footprint, *, exact_forward: bool) -> None:
        self.draws, self.loss, self.footprint, self.exact_forward = draws, loss, footprint, exact_forward
        self._local = threading.local()
        self._kept: dict[int, ExactValues] = {}

    @property
    def places(self) -> int:
        """How many values of a layer are compared: z and a; with a loss also δ and the weight gradient."""
        return 2 if self.loss is None else 4

    def exact_norms(self) -> np.ndarray:
        """Return the exact squared norms, summed over inputs, (L, places)."""
        network = self.draws.network
        norms = np.zeros((network.depth, self.places))
        for rows in self._blocks():
            if self.loss is not None or self.footprint.keeps_exact:
                exact = ExactValues.of(network, self.draws.inputs[rows], rows, self.loss)
                if self.footprint.keeps_exact:
                    self._kept[rows.start] = exact
                norms += exact.squared_norms(self.draws.batch)
                continue
            for k, pair in enumerate(exact_layers(network, self.draws.inputs[rows])):
                norms[k] += [np.vdot(value, value) for value in pair]
        return norms

    def trials(self, first: int, stop: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield ranges of trials' sums over inputs, (trials, L, places, 3), and pairs' products (trials // 2, L)."""
        last = len(self.draws.inputs)
        sums, products = np.zeros(()), np.zeros(())
        for chunk, part, pairs in map_in_order(self._run, self._chunks(first, stop), self.footprint.workers):
            start = chunk.inputs.start == 0
            sums, products = (part, pairs) if start else (sums + part, products + pairs)
            if chunk.inputs.stop == last:
                yield sums, products

    def _blocks(self) -> Iterator[slice]:
        size, step = len(self.draws.inputs), self.footprint.cut.inputs
        for start in range(0, size, step):
            yield slice(start, min(start + step, size))

    def _chunks(self, first: int, stop: int) -> Iterator[Chunk]:
        """Yield the chunks of a range of trials, all inputs of the same trials one after the other."""
        step = self.footprint.cut.trials
        for start in range(first, stop, step):
            for rows in self._blocks():
                yield Chunk(start, min(start + step, stop), rows)

    def _run(self, chunk: Chunk) -> tuple[Chunk, np.ndarray, np.ndarray]:
        """Run one chunk in the calling thread's arrays."""
        network, space = self.draws.network, self._space()
        sums = np.zeros((chunk.trials, network.depth, self.places, 3))
        products = np.zeros((chunk.trials // 2 if self.loss is not None else 0, network.depth))
        x, kept = self.draws.inputs[chunk.inputs], self._kept.get(chunk.inputs.start)
        if self.loss is None:
            exact_pairs = exact_layers(network, x) if kept is None else kept.pairs()
            sampled_forward(self.draws, chunk, exact_pairs, space, sums, None)
        else:
            exact = kept or ExactValues.of(network, x, chunk.inputs, self.loss)
            self._gradients(chunk, exact, self.loss, space, sums, products)
        return chunk, sums, products

    def _gradients(
        self, chunk: Chunk, exact: ExactValues, loss: Loss, space: Space, sums: np.ndarray, products: np.ndarray
    ) -> None:
        trace, run = Trace(), exact_forward if self.exact_forward else sampled_forward
        result = run(self.draws, chunk, exact.pairs(), space, sums, trace)
        gradient = loss.gradient(result, chunk.inputs)
        sampled_backward(self.draws, chunk, exact, trace, gradient, space, sums, products)

    def _space(self) -> Space:
        if not hasattr(self._local, "space"):
            self._local.space = Space(self.draws.network.dtype)
        space: Space = self._local.space
        return space
