"""What the simulation's options of ``approxmm propagate`` become, and what is said before a long run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from approxmm.cli.console import warn
from approxmm.errors import InputError

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "Forward",
    "Gradient",
    "MemoryLimit",
    "Precision",
    "Trials",
    "announce_simulation",
    "gradient_option",
    "memory_bytes",
]

_option = partial(typer.Option, rich_help_panel="Simulation")

Trials = Annotated[int, _option("--trials", help="Trials of the simulation.")]
Precision = Annotated[
    float | None,
    _option("--precision", help="Simulate until the last error's interval is within this fraction: 0.01."),
]
Gradient = Annotated[
    str | None,
    _option(
        "--gradient",
        help="Simulate gradients too: gaussian, labels (cross-entropy, of --data) or a .npy (B, n_out).",
    ),
]
Forward = Annotated[str, _option("--forward", help="sampled, or exact: only the backward products are sampled.")]
MemoryLimit = Annotated[float, _option("--memory-limit", help="GiB that the network and its simulation may take.")]

_LONG = 2e11  # multiplications: some seconds


def gradient_option(
    gradient: str | None, data: str | None, data_dir: Path | None, samples: int
) -> str | np.ndarray | None:
    """Return the argument `gradient` of `simulate`: a name, the data set's labels, or the content of a .npy file."""
    if gradient is None or gradient == "gaussian":
        return gradient
    if gradient == "labels":
        if data is None:
            raise InputError(
                "--gradient labels needs the classes of a data set; give --data, for example --data digits"
            )
        from approxmm.data import load_data

        return load_data(data, data_dir=data_dir).test.y[:samples]
    if gradient.endswith(".npy"):
        from approxmm.data import load_inputs

        return load_inputs(Path(gradient))
    raise InputError(f"--gradient {gradient!r} is unknown; give gaussian, labels or a .npy file of loss gradients")


def memory_bytes(gigabytes: float) -> int:
    """Return the limit of `--memory-limit` in bytes."""
    if not (math.isfinite(gigabytes) and gigabytes > 0):
        raise InputError(f"--memory-limit {gigabytes} must be a positive number of GiB, such as 2")
    return int(gigabytes * 2**30)


def announce_simulation(widths: Sequence[int], inputs: int, simulation: dict[str, Any], *, quiet: bool) -> None:
    """Refuse a simulation that does not fit into memory, and say before a long one what it will take.

    Parameters
    ----------
    widths : sequence of int
        Of the network, which need not exist yet.
    inputs : int
        How many.
    simulation : dict
        Arguments of `simulate`.
    """
    from approxmm.propagation.memory import plan_memory

    gradient = simulation["gradient"] is not None
    footprint = plan_memory(
        widths,
        inputs=inputs,
        batch=simulation["batch"],
        trials=simulation["trials"],
        gradient=gradient,
        workers=simulation["workers"],
        limit=simulation["memory_limit"],
    )
    products = sum(n * m for n, m in pairwise(widths)) * simulation["trials"] * inputs * (2 if gradient else 1)
    if products > _LONG:
        threads = f"{footprint.workers} thread{'s' if footprint.workers > 1 else ''}"
        least = "at least " if simulation["precision"] is not None else ""
        size = f"{footprint.total / 2**30:.2f} GiB of memory"
        warn(f"simulation: {size}, {threads}, {least}{products:.1e} multiplications", quiet=quiet)
