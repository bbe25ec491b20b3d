"""Which products of a network are sampled, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from approxmm.activations import Linear
from approxmm.errors import InputError, NotAvailableError
from approxmm.methods.contract import Method
from approxmm.network import Network

__all__ = ["Plan", "describe_plan", "make_plan", "require_linear", "require_unnormalised"]

Plan = tuple[Method | None, ...]


class Layered(Protocol):
    """Anything with a depth: a network, or the description of one."""

    @property
    def depth(self) -> int:
        """Number of layers."""


def make_plan(network: Layered, method: Method | Sequence[Method | None], *, sample_output: bool) -> Plan:
    """Return the method of each layer's product, None where the product is exact.

    Parameters
    ----------
    network : Network or Ensemble
    method : Method or sequence of Method
        One for all sampled layers, or one (or None) for every layer.
    sample_output : bool
        Whether one method for all includes the last layer.

    Raises
    ------
    InputError
        If there are not as many methods as layers.
    NotAvailableError
        If the network normalises its layers.
    """
    if isinstance(network, Network):
        require_unnormalised(network)
    if isinstance(method, Method):
        return tuple(method if sample_output or k < network.depth else None for k in range(1, network.depth + 1))
    if len(method) != network.depth:
        raise InputError(f"{len(method)} methods for {network.depth} layers; give one method, or one for each layer")
    return tuple(method)


def describe_plan(plan: Plan) -> dict[str, Any]:
    """Return the plan's settings as plain values: one method's where all sampled layers share it."""
    used = [m for m in plan if m is not None]
    sampled = [k for k, m in enumerate(plan, start=1) if m is not None]
    if not used:
        return {"method": "exact", "sampled_layers": []}
    if all(m == used[0] for m in used):
        settings = used[0].describe()
        return {"method": settings.pop("name"), **settings, "sampled_layers": sampled}
    return {"method": [None if m is None else m.describe() for m in plan], "sampled_layers": sampled}


def require_linear(network: Network) -> None:
    """Raise `NotAvailableError` unless every activation is linear: only then are moments exact."""
    if not all(isinstance(phi, Linear) for phi in network.phis):
        raise NotAvailableError(
            f"activation={network.activation!r}: exact moments exist for linear networks only; "
            "use the simulation (--engine simulate) or --activation linear"
        )


def require_unnormalised(network: Network) -> None:
    """Raise `NotAvailableError` if the network normalises its layers: no engine of this package follows that."""
    if network.normalise != "none":
        raise NotAvailableError(
            f"normalise={network.normalise!r}: errors are propagated through networks without normalisation only; "
            "measure them in training (measure_every), or give a network with normalise='none'"
        )
