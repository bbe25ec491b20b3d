"""What `read_model` returns: everything found in a model, and the network where it is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from approxmm.errors import NotAvailableError
from approxmm.interop.parts import Obstacle
from approxmm.network import Network

__all__ = ["Found", "Model"]

_NAMED = 4  # obstacles that an error names


@dataclass(frozen=True)
class Found:
    """One thing of a model.

    Attributes
    ----------
    name, kind, shape, parameters, dtype
        As for a `Part`.
    role : str
        ``layer``, ``activation``, ``folded`` (into a neighbouring layer, exactly), ``no effect``, ``left off`` (after
        the last layer), ``not used`` (as asked), ``obstacle``, or ``not checked`` (beside an obstacle).
    layer : int or None
        Which layer of the network it is, follows or is folded into, counted from 1.
    activation : str or None
        Of an activation, its name.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    dtype: str
    role: str
    layer: int | None = None
    activation: str | None = None


@dataclass(frozen=True, eq=False)
class Model:
    """A model as it was found.

    Attributes
    ----------
    source, format : str
        Where it comes from, and what that is.
    found : tuple of Found
        Everything, in the order of evaluation.
    obstacles : tuple of Obstacle
        What cannot be propagated, with the reason and what would help.
    notes : tuple of str
        What was assumed, converted, folded or left off.
    chain : Network or None
        The network, where nothing stands in the way.
    """

    source: str
    format: str
    found: tuple[Found, ...]
    obstacles: tuple[Obstacle, ...]
    notes: tuple[str, ...]
    chain: Network | None

    @property
    def network(self) -> Network:
        """The network that can be propagated.

        Raises
        ------
        NotAvailableError
            If something stands in the way; the message names all of it.
        """
        if self.chain is None:
            more = f" | and {len(self.obstacles) - _NAMED} more" if len(self.obstacles) > _NAMED else ""
            listing = " | ".join(map(str, self.obstacles[:_NAMED]))
            raise NotAvailableError(f"{self.source} cannot be propagated: {listing}{more}")
        return self.chain

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain lists, texts and numbers."""
        network = self.chain
        return {
            "source": self.source,
            "format": self.format,
            "propagates": network is not None and network.normalise == "none",
            "widths": None if network is None else list(network.widths),
            "activation": None if network is None else network.activation,
            "normalise": None if network is None else network.normalise,
            "dtype": None if network is None else str(network.dtype),
            "parameters": sum(item.parameters for item in self.found),
            "layers": [self._entry(item) for item in self.found],
            "notes": list(self.notes),
            "obstacles": [
                {"name": o.name, "kind": o.kind, "reason": o.reason, "remedy": o.remedy} for o in self.obstacles
            ],
        }

    def _entry(self, item: Found) -> dict[str, Any]:
        """Return one thing found; with sizes of the weights where it is a layer of the network."""
        entry: dict[str, Any] = {**vars(item), "shape": list(item.shape)}
        if self.chain is None or item.role != "layer" or item.layer is None:
            return entry
        W = self.chain.weights[item.layer - 1]
        bias = () if self.chain.biases is None else (self.chain.biases[item.layer - 1],)
        return entry | {"bytes": sum(array.nbytes for array in (W, *bias)), **_norms(W)}

    def __repr__(self) -> str:
        what = repr(self.chain) if self.chain is not None else f"{len(self.obstacles)} obstacle(s)"
        return f"Model({self.source}, {self.format}: {what})"


def _norms(W: np.ndarray) -> dict[str, float | None]:
    """Return norms of a weight matrix; None for one beyond the range of a float."""
    largest = float(np.abs(W).max()) or 1.0  # squares of the values themselves may overflow
    squares = np.array([float(row @ row) for row in (np.asarray(row, dtype=np.float64) / largest for row in W)])
    norms = {
        "frobenius_norm": largest * float(np.sqrt(squares.sum())),
        "mean_row_norm": largest * float(np.sqrt(squares).mean()),
        "largest_row_norm": largest * float(np.sqrt(squares.max())),
    }
    return {name: norm if np.isfinite(norm) else None for name, norm in norms.items()}
