"""What a run cost: multiplications by product, time by phase, memory by part."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping

import numpy as np

from approxmm.engine.optimizers import Sgd
from approxmm.engine.session import Session
from approxmm.engine.session_arrays import held_bytes
from approxmm.engine.sparse.ledger import PHASES
from approxmm.engine.sparse.session import ExampleSession
from approxmm.methods.contract import Cost, Usage

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


def count_multiplications(session: Session, steps: int) -> dict[str, dict[str, float]]:
    """Return the multiplications of so many full-batch steps: those done, by product, and those of exact training.

    Returns
    -------
    dict
        ``done`` and ``dense``: the three products (the first layer has no input gradient), and the method's
        ``selection`` and ``upkeep``, by its own statement of cost. The per-example path counts what it does, with the
        mean number of non-zero inputs where the method's cost depends on them; on the minibatch path the count follows
        from the active items, and an output-side mask, which is applied to fully computed layers, saves nothing.
    """
    by_layer = _counted(session) if isinstance(session, ExampleSession) else _from_active(session, steps)
    done = dict(zip(PRODUCTS, by_layer.sum(axis=0).tolist(), strict=True))
    dense = dict(zip(PRODUCTS, (_dense(session) * steps).sum(axis=0).tolist(), strict=True))
    costs = [_cost(session, k, steps) for k in range(session.sampled_layers if steps else 0)]
    done["selection"] = float(sum(cost.selection for cost in costs))
    done["upkeep"] = float(sum(cost.upkeep for cost in costs))
    return {"done": done, "dense": dense}


def _cost(session: Session, k: int, steps: int) -> Cost:
    """Return what so many steps of a sampled layer cost by the method's statement; its products are not used."""
    n, m = int(session.layout.widths[k]), int(session.layout.widths[k + 1])
    if not isinstance(session, ExampleSession):
        each = session.method.cost(session.batch, n, m)
        return Cost(each.product * steps, each.selection * session.recipe.draw_count * steps, each.upkeep * steps)
    examples, (pairs, active) = steps * session.batch, session.ledger.counts[:, k, (0, 3)].sum(axis=0).tolist()
    alone = isinstance(session.optimizer, Sgd) and session.optimizer.weight_decay == 0.0
    inputs = examples * pairs / active if active else 0.0
    return session.method.work(Usage(examples, inputs, active, pairs, rank_one=alone), n, m)


def ledger_sums(session: Session) -> dict[str, np.ndarray]:
    """Return the per-example path's counts and times, summed over threads, whose number may change: for checkpoints."""
    if not isinstance(session, ExampleSession):
        return {}
    return {f"ledger.{name}": array.sum(axis=0) for name, array in session.ledger._asdict().items()}


def put_ledger_sums(session: Session, arrays: Mapping[str, np.ndarray]) -> None:
    """Let the session go on counting from `ledger_sums`; ValueError or KeyError if they are not there or do not fit."""
    for name, sums in ledger_sums(session).items():
        found, own = arrays[name], getattr(session.ledger, name.removeprefix("ledger."))  # type: ignore[attr-defined]
        if found.shape != sums.shape or found.dtype != sums.dtype:
            raise ValueError(f"array {name!r} does not fit")
        own[...] = 0
        own[0] = found


def _dense(session: Session) -> np.ndarray:
    """Return the multiplications of an exact step, (L, 3) by layer and product."""
    widths = session.layout.widths
    dense = np.repeat((float(session.batch) * widths[:-1] * widths[1:])[:, None], len(PRODUCTS), axis=1)
    dense[0, PRODUCTS.index("input_gradient")] = 0.0
    return dense


def _counted(session: ExampleSession) -> np.ndarray:
    counts: np.ndarray = session.ledger.counts[:, :, : len(PRODUCTS)].sum(axis=0).astype(np.float64)
    return counts


def _from_active(session: Session, steps: int) -> np.ndarray:
    done = _dense(session) * steps
    for k, share in enumerate(_inner_shares(session, steps)):
        for column, name in enumerate(PRODUCTS):
            if share is not None and name in session.recipe.sampled:
                done[k, column] *= share
    return done


def _inner_shares(session: Session, steps: int) -> list[float | None]:
    """Return the mean share of active inner items of each product, where there are such."""
    inner = session.method.claims.side == "inner" and steps > 0
    sampled = range(session.sampled_layers) if inner else ()
    return [
        float(session.active[k] / (steps * session.layout.widths[k])) if k in sampled else None
        for k in range(session.depth)
    ]


def active_fractions(session: Session, steps: int) -> list[float | None]:
    """Return by layer the mean share of a sampled product that was computed; None where it was computed in full.

    On the inner side, and on the minibatch path, that is the share of active items. On the per-example path it is the
    share of computed nodes, or where items are sampled that of the multiplications, zeros skipped.
    """
    if not isinstance(session, ExampleSession):
        return _inner_shares(session, steps)
    shares: list[float | None] = [None] * session.depth
    counts, widths = session.ledger.counts.sum(axis=0), session.layout.widths
    for k in range(session.sampled_layers if steps else 0):
        by_node = session.method.claims.side == "output"
        everything = float(widths[k + 1]) if by_node else float(widths[k] * widths[k + 1])
        shares[k] = float(counts[k, 3 if by_node else 0] / (steps * session.batch * everything))
    return shares


def seconds_by_phase(session: Session, seconds: float) -> dict[str, float]:
    """Return how so many seconds of steps divide into phases.

    The per-example path reads the clock in one step of a few; its phases are shares of the whole. The minibatch path
    fuses the gradient with the update and is not divided: all is under ``steps``.
    """
    if not isinstance(session, ExampleSession):
        return {"steps": seconds}
    timed = session.ledger.seconds[:, : len(PHASES)].sum(axis=0)
    total = float(timed.sum())
    return {name: seconds * float(t) / total if total else 0.0 for name, t in zip(PHASES, timed, strict=True)}


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
