"""What a run cost: multiplications by product, memory by part."""

from __future__ import annotations

import resource
import sys

from approxmm.engine.session import Session
from approxmm.engine.session_arrays import held_bytes

__all__ = ["active_fractions", "count_multiplications", "memory_by_part", "peak_memory_mb"]

PRODUCTS = ("forward", "input_gradient", "weight_gradient")


def count_multiplications(session: Session, steps: int) -> dict[str, dict[str, float]]:
    """Return the multiplications of so many full-batch steps: those done, by product, and those of exact training.

    Returns
    -------
    dict
        ``done`` and ``dense``: the three products as this engine computes them (an output-side mask is applied to fully
        computed layers, so it saves nothing; the first layer has no input gradient), and the method's ``selection`` and
        ``upkeep``, by its own statement of cost.
    """
    done = dict.fromkeys((*PRODUCTS, "selection", "upkeep"), 0.0)
    dense = dict.fromkeys(PRODUCTS, 0.0)
    for k in range(session.depth):
        n, m = int(session.layout.widths[k]), int(session.layout.widths[k + 1])
        full = float(session.batch * n * m) * steps
        sampled = k < session.sampled_layers
        inner = sampled and session.method.claims.side == "inner"
        for name in PRODUCTS[:1] + PRODUCTS[1 if k else 2 :]:
            share = session.active[k] / (n * steps) if inner and name in session.recipe.sampled and steps else 1.0
            dense[name] += full
            done[name] += full * share
        if sampled:
            cost = session.method.cost(session.batch, n, m)
            done["selection"] += cost.selection * session.recipe.draw_count * steps
            done["upkeep"] += cost.upkeep * steps
    return {"done": done, "dense": dense}


def active_fractions(session: Session, steps: int) -> list[float | None]:
    """Return the mean share of each product's sampled side that was active; None where nothing was selected."""
    inner = session.method.claims.side == "inner"
    return [
        float(session.active[k] / (steps * session.layout.widths[k]))
        if steps and inner and k < session.sampled_layers
        else None
        for k in range(session.depth)
    ]


def memory_by_part(session: Session) -> dict[str, float]:
    """Return what the run's arrays take, in bytes.

    Returns
    -------
    dict
        ``parameters``, ``optimizer`` (its memory), ``batch`` (its inputs, and pre-activation, output and error of every
        unit), ``index`` (the method's state: tables, norms, bases), ``total`` of all arrays that the session holds, and
        ``ratio``: all but the index, over parameters, optimiser and batch. The examples are not counted.
    """
    held = held_bytes(session)
    inputs, units = int(session.layout.widths[0]), int(session.layout.unit_at[-1])
    batch = session.batch * (inputs + 3 * units) * session.dtype.itemsize
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
