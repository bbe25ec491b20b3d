"""What a simulation holds in memory: known before it runs, and cut to stay below a limit.

A simulation holds the weights and the inputs once, the exact values of all layers if the inputs are few, and for every
worker the activations of one chunk, some trials of some inputs: three arrays of the widest layer, and where gradients
are asked for two arrays for every layer. Chunks are cut by the network, the inputs and the limit alone; more workers
than fit are not started. So results do not depend on the number of workers, and on the limit only, in rounding, where
it is too small for the usual chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from approxmm.errors import InputError
from approxmm.network import Network
from approxmm.parallel import available_workers

__all__ = ["DEFAULT_LIMIT", "Cut", "Footprint", "Space", "estimate_memory", "plan_memory"]

DEFAULT_LIMIT = 2 * 2**30
_ARRAY_BYTES = 4 * 2**20  # of one array of a chunk: two workers' three arrays share the processor's last cache
_TRACE_BYTES = 128 * 2**20  # of all layers' arrays of a chunk, for gradients
_EXACT_BYTES = 64 * 2**20  # of exact values that are kept: computing them again costs as much as many sampled rows
_FEWEST_ROWS = 256  # below, a matrix product spends its time on packing the weights
_SHARE = 16  # trials of a chunk that share the exact values of its inputs, where a minibatch is large
_PACKING = 6 * 2**20  # what BLAS touches of its own buffers, a thread


@dataclass(frozen=True)
class Cut:
    """How a simulation is cut into chunks: this many inputs (whole minibatches) of this many trials each."""

    inputs: int
    trials: int

    @property
    def rows(self) -> int:
        """Rows of a chunk's arrays."""
        return self.inputs * self.trials


@dataclass(frozen=True)
class _Task:
    """What the memory of a simulation depends on."""

    widths: tuple[int, ...]
    inputs: int
    batch: int
    trials: int
    gradient: bool
    itemsize: int

    @property
    def exact(self) -> int:
        """Bytes of the exact values of an input, all layers."""
        return self.itemsize * sum(self.widths[1:]) * (3 if self.gradient else 2)

    @property
    def keeps_exact(self) -> bool:
        """Whether the exact values of all inputs are kept."""
        return self.inputs * self.exact <= _EXACT_BYTES

    @property
    def fixed(self) -> int:
        """Bytes that are held once."""
        weights = sum(n * m + m for n, m in zip(self.widths[:-1], self.widths[1:], strict=True))
        kept = self.inputs * self.exact if self.keeps_exact else 0
        return self.itemsize * (weights + self.inputs * self.widths[0]) + kept

    def rows_bytes(self, cut: Cut) -> int:
        """Bytes a worker holds."""
        widest, every = max(self.widths), sum(self.widths)
        chunk = 6 * widest + 2 * every + 8 * self.batch if self.gradient else 3 * widest
        again = 0 if self.keeps_exact else self.exact if self.gradient else 4 * self.itemsize * widest
        return self.itemsize * cut.rows * chunk + cut.inputs * again + _PACKING

    def usual_cut(self) -> Cut:
        """Return the cut for speed: arrays that stay in the cache, and exact values shared by many trials."""
        rows = max(_FEWEST_ROWS, _ARRAY_BYTES // (self.itemsize * max(self.widths)))
        if self.gradient:
            rows = min(rows, max(1, _TRACE_BYTES // (self.itemsize * (2 * sum(self.widths) + 5 * max(self.widths)))))
        elif not self.keeps_exact:
            rows *= 4
        batches = max(1, rows // min(2 * _SHARE, self.trials) // self.batch)
        inputs = min(self.inputs, batches * self.batch)
        return self._of_trials(inputs, max(rows // inputs, _SHARE if not self.gradient else _SHARE // 2))

    def _of_trials(self, inputs: int, trials: int) -> Cut:
        """Return the cut with all trials in equal chunks of at most `trials`, in pairs for gradients."""
        if self.gradient:
            trials = max(2, trials // 2 * 2)
        chunks = -(-self.trials // trials)
        each = -(-self.trials // chunks)
        return Cut(inputs, min(trials, each + each % 2) if self.gradient else each)

    def smaller(self, cut: Cut) -> Cut | None:
        """Return the next smaller cut, or None: fewer trials first, then fewer minibatches."""
        if cut.trials > (2 if self.gradient else 1):
            return self._of_trials(cut.inputs, cut.trials // 2)
        batches = -(-cut.inputs // self.batch)
        return replace(cut, inputs=batches // 2 * self.batch) if batches > 1 else None


@dataclass(frozen=True)
class Footprint:
    """The memory of a simulation.

    Attributes
    ----------
    cut : Cut
    keeps_exact : bool
        Whether the exact values of all inputs and layers are kept.
    fixed, worker : int
        Bytes held once, and for each worker.
    workers : int
        As many of those asked for as the limit allows.
    """

    cut: Cut
    keeps_exact: bool
    fixed: int
    worker: int
    workers: int

    @property
    def total(self) -> int:
        """Bytes at the peak."""
        return self.fixed + self.workers * self.worker


def plan_memory(
    widths: Sequence[int],
    *,
    inputs: int = 10,
    batch: int = 1,
    trials: int = 1000,
    gradient: bool = False,
    dtype: Any = np.float64,
    workers: int | None = None,
    limit: int = DEFAULT_LIMIT,
) -> Footprint:
    """Return how a simulation is cut to stay below `limit` bytes, before anything is allocated.

    Parameters
    ----------
    widths : sequence of int
        Input size, then every layer's output size.
    inputs, batch, trials, gradient, dtype, workers
        As for `simulate`; `inputs` is their number, `gradient` whether gradients are asked for.
    limit : int
        Bytes.

    Raises
    ------
    InputError
        If the limit is not positive, or the smallest cut does not stay below it.
    """
    if not limit > 0:
        raise InputError(f"memory_limit={limit} must be a positive number of bytes")
    if workers is not None and workers < 1:
        raise InputError(f"workers={workers} must be at least 1; leave it out to use every processor")
    inputs = max(1, inputs)
    task = _Task(tuple(int(n) for n in widths), inputs, min(batch, inputs), trials, gradient, np.dtype(dtype).itemsize)
    cut: Cut | None = task.usual_cut()
    while cut is not None and task.fixed + task.rows_bytes(cut) > limit:
        smallest, cut = cut, task.smaller(cut)
    if cut is None:
        needed = (task.fixed + task.rows_bytes(smallest)) / 2**30
        raise InputError(
            f"a network of {len(widths) - 1} layers up to {max(widths)} wide needs {needed:.3g} GiB "
            f"({task.fixed / 2**30:.3g} GiB for weights and inputs) but memory_limit allows {limit / 2**30:.3g} GiB; "
            f"raise it (--memory-limit {_round_up(needed)}), or take fewer layers or inputs, or smaller ones"
        )
    wanted = available_workers() if workers is None else workers
    chunks = -(-trials // cut.trials) * -(-inputs // cut.inputs)
    worker = task.rows_bytes(cut)
    return Footprint(
        cut, task.keeps_exact, task.fixed, worker, max(1, min(wanted, chunks, (limit - task.fixed) // worker))
    )


def estimate_memory(network: Network | Sequence[int], **options: Any) -> int:
    """Return the bytes that a simulation holds at its peak, the network's weights included.

    Parameters
    ----------
    network : Network or sequence of int
        Or its widths: nothing is allocated.
    **options
        As for `plan_memory`: inputs (their number), batch, trials, gradient, dtype, workers, limit.

    Notes
    -----
    Not counted: the interpreter and its libraries, a caller's own copy of inputs, a copy of the weights where `dtype`
    is not the network's, and the tables of methods that keep an index (small beside the weights).
    """
    widths = network.widths if isinstance(network, Network) else network
    return plan_memory(widths, **options).total


def _round_up(gigabytes: float) -> str:
    return f"{int(gigabytes) + 1}" if gigabytes >= 1 else f"{-(-gigabytes * 100 // 1) / 100:.2f}"


class Space:
    """A worker's arrays by name, allocated once: fresh ones would cost a page fault for every 4 KiB in every layer."""

    def __init__(self, dtype: Any) -> None:
        self._dtype = dtype
        self._flat: dict[str, np.ndarray] = {}

    def take(self, name: str, rows: int, columns: int) -> np.ndarray:
        """Return the array called `name` as (rows, columns), with whatever it held before."""
        flat = self._flat.get(name)
        if flat is None or flat.size < rows * columns:
            flat = self._flat[name] = np.empty(rows * columns, dtype=self._dtype)
        return flat[: rows * columns].reshape(rows, columns)
