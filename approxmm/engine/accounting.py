"""What a run cost: multiplications by product, time by phase, memory by part."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping

import numpy as np

from approxmm.engine.allowance import batch_bytes
from approxmm.engine.ledger import KEPT, PHASES, totals
from approxmm.engine.loop import Position
from approxmm.engine.session import Session
from approxmm.engine.session_arrays import held_bytes

__all__ = [
    "active_fractions",
    "count_multiplications",
    "ledger_sums",
    "memory_by_part",
    "peak_memory_mb",
    "put_ledger_sums",
    "seconds_by_phase",
]

PRODUCTS = ("forward", "input_gradient", "weight_gradient")


def count_multiplications(session: Session, at: Position) -> dict[str, dict[str, float]]:
    """Return the multiplications of the steps so far: those done, by product, and those of exact training.

    Returns
    -------
    dict
        ``done`` and ``dense``: the three products (the first layer has no input gradient), and the method's
        ``selection`` and ``upkeep``, by its own statement of cost. The per-example path skips what is zero; on the
        minibatch path an output-side mask, which is applied to fully computed layers, saves nothing.
    """
    widths = session.layout.widths
    dense = np.repeat((float(at.examples) * widths[:-1] * widths[1:])[:, None], len(PRODUCTS), axis=1)
    dense[0, PRODUCTS.index("input_gradient")] = 0.0
    counted = totals(session.ledger).counts[:, : len(PRODUCTS)].sum(axis=0).astype(np.float64)
    done = dict(zip(PRODUCTS, counted.tolist(), strict=True))
    sampled = range(session.sampled_layers if at.taken else 0)
    costs = [session.statement(k, at.taken, at.examples) for k in sampled]
    done["selection"] = float(sum(cost.selection for cost in costs))
    done["upkeep"] = float(sum(cost.upkeep for cost in costs))
    return {"done": done, "dense": dict(zip(PRODUCTS, dense.sum(axis=0).tolist(), strict=True))}


def active_fractions(session: Session, at: Position) -> list[float | None]:
    """Return by layer the mean share of items of the sampled side that the law kept; None where nothing was sampled.

    Inner items (inputs of a product) or nodes, as counted, whether the path saved their multiplications or not.
    """
    kept, inner = totals(session.ledger).counts[:, KEPT], session.method.claims.side == "inner"
    widths = session.layout.widths[: session.depth] if inner else session.layout.widths[1:]
    all_items = at.examples * session.recipe.draw_count * widths
    sampled = range(session.sampled_layers if at.taken else 0)
    return [float(kept[k] / all_items[k]) if k in sampled else None for k in range(session.depth)]


def seconds_by_phase(session: Session, seconds: float) -> dict[str, float]:
    """Return how so many seconds of steps divide into phases.

    The clock is read in one step of a few, but not in a process's first; the phases are shares of the whole:
    ``select`` (drawing, looking up, hashing inputs), ``forward`` (with the loss), ``backward`` (errors on their way
    down), ``update`` (weight gradients, which are never written down, and the optimiser's step in the same pass),
    ``upkeep`` (of the method's state). With one example a step and weights that lie input by input, one pass sends
    errors back and updates: it is ``backward``.
    """
    timed = totals(session.ledger).seconds
    total = float(timed.sum())
    return {name: seconds * float(t) / total if total else 0.0 for name, t in zip(PHASES, timed, strict=True)}


def ledger_sums(session: Session) -> dict[str, np.ndarray]:
    """Return counts and times, summed over threads, whose number may change: for checkpoints."""
    return {f"ledger.{name}": array for name, array in totals(session.ledger)._asdict().items()}


def put_ledger_sums(session: Session, arrays: Mapping[str, np.ndarray]) -> None:
    """Let the session go on counting from `ledger_sums`; ValueError or KeyError if they are not there or do not fit."""
    for name, sums in ledger_sums(session).items():
        found, own = arrays[name], getattr(session.ledger, name.removeprefix("ledger."))
        if found.shape != sums.shape or found.dtype != sums.dtype:
            raise ValueError(f"array {name!r} does not fit")
        own[...] = 0
        own[0, ..., : found.shape[-1]] = found


def memory_by_part(session: Session) -> dict[str, float]:
    """Return what the run's arrays take, in bytes.

    Returns
    -------
    dict
        ``parameters``, ``optimizer`` (its memory), ``batch`` (its inputs, and pre-activation, output and error of every
        unit), ``index`` (the method's state: tables, norms, bases), ``total`` of all arrays that the session holds, and
        ``ratio``: all but the index, over parameters, optimiser and batch.

    Notes
    -----
    That is what is held while steps are taken. Not counted: the examples; the network that a run starts from, which is
    let go before the first step if nobody else holds it; and, for a moment where nodes are sampled on the per-example
    path, a copy of one layer's weights, which lie node by node between evaluations and are turned around for these.
    """
    held = held_bytes(session)
    batch = batch_bytes(session.layout, session.batch, session.dtype.itemsize)
    needed = session.params.nbytes + session.slots.nbytes + batch
    total, index = sum(held.values()), held.get("state", 0)
    return {
        "parameters": session.params.nbytes,
        "optimizer": session.slots.nbytes,
        "batch": batch,
        "index": index,
        "total": total,
        "ratio": (total - index) / needed,
    }


def peak_memory_mb() -> float:
    """Return the process's largest resident size so far, in 10^6 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
