"""Measured compounding: the sampled passes of the engine against exact ones, on a probe set.

This uses the engine's own kernels and draws (one draw a minibatch on the inner side, one an example on the
output side), so it is an independent check of the simulation and of the closed forms.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from approxmm.activations import apply
from approxmm.engine.layout import units_of, weights_of
from approxmm.engine.measure_gradients import GradientTally, moments
from approxmm.engine.session import Session
from approxmm.engine.workspace import EXACT, active_items
from approxmm.profile import ErrorProfile, LayerError, metrics_from_moments
from approxmm.shares import ShareTally

__all__ = ["measure"]


@np.errstate(over="ignore", invalid="ignore")  # of a network that explodes, figures are infinite or NaN
def measure(
    session: Session, probe: np.ndarray, repeats: int = 4, step: int = 0, targets: np.ndarray | None = None
) -> ErrorProfile:
    """Return the error of the sampled forward pass with the present weights, by layer, and of the gradients.

    Parameters
    ----------
    session : Session
    probe : (P, n) array
        Taken in blocks of the batch size.
    repeats : int
        Draws for each block.
    step : int
        Training steps taken so far, for the record.
    targets : (P,) classes or (P, C) array, optional
        Of the probe's examples. With them the gradients of the loss are compared too, of each layer's weights and block
        by block, as `simulate` compares those of minibatches.

    Returns
    -------
    ErrorProfile
        `extra` holds, where active items were selected for a product, the theorem's effective ratio
        of active to inactive sums: ``ratio`` (least squares over nodes and examples) and the quartiles
        ``ratio_low``, ``ratio_median``, ``ratio_high`` of the nodes' own ratios. Where nodes were selected, ``recall``
        is the share of them that are truly the largest z, given the layer's input as the sampled path delivers it.
        With `targets` and two draws
        or more it holds ``gradient_bias`` = ‖E ĝ − g‖²/‖g‖², which may be negative by chance.
    """
    started = time.perf_counter()
    sums = np.zeros((session.depth, 2, 4))  # error, estimate, cross, exact
    ratios = [ShareTally() for _ in range(session.depth)]
    found = np.zeros((session.depth, 2))  # nodes that are rightly active, all active nodes
    gradients = GradientTally(session.layout)
    for number, rows in enumerate(session.blocks(probe)):
        x, items = probe[rows], [repeat * len(probe) + number for repeat in range(repeats)]
        exact = [(z.copy(), a.copy()) for z, a in session.layers(x, sampled=False, item=0)]
        for item in items:
            sampled = session.layers(x, sampled=True, item=item)
            for k in range(session.depth):
                for i in (0, 1):
                    sums[k, i] += moments(sampled[k][i], exact[k][i])
                _add_ratio(session, x, k, ratios[k])
                found[k] += _hits(session, k, len(x))
        if targets is not None:
            # Of sums over examples, not means: a smaller last block then counts for what it holds.
            g, *draws = (session.gradient(x, targets[rows], i >= 0, max(i, 0)) * len(x) for i in (-1, *items))
            gradients.add(g, draws)
    layers = []
    for k in range(session.depth):
        pre, out = (metrics_from_moments(s[3], s[1], s[2], s[0]) for s in sums[k])
        extra, weights = _ratio_figures(ratios[k]), None
        if found[k, 1] > 0:
            extra["recall"] = float(found[k, 0] / found[k, 1])
        if targets is not None:
            extra, weights = extra | gradients.bias(k), gradients.metrics(k)
        layers.append(LayerError(k + 1, output=out, pre_activation=pre, extra=extra, weight_gradient=weights))
    settings: dict[str, Any] = {"method": session.method.name, "step": step, "probe": len(probe), "repeats": repeats}
    return ErrorProfile("training", tuple(layers), time.perf_counter() - started, settings)


def _ratio_figures(tally: ShareTally) -> dict[str, float]:
    """Return the effective ratio and quartiles; nothing where no product was selected for, or all sums are zero."""
    measured = tally.figures()
    if measured is None or measured.undefined == 1.0:
        return {}
    low, median, high = (float(ratio) for ratio in measured.ratio_quantiles([0.25, 0.5, 0.75]))
    return {"ratio": measured.ratio, "ratio_low": low, "ratio_median": median, "ratio_high": high}


def _add_ratio(session: Session, x: np.ndarray, k: int, ratio: ShareTally) -> None:
    """Add product k's sums over active items and over all items, unscaled, after a sampled pass of `x`."""
    inner, draw = session.method.claims.side == "inner", session.sampling().forward
    if draw == EXACT:
        return
    if inner and k < session.sampled_layers:
        incoming = x if k == 0 else units_of(session.work.out, session.layout, k - 1, len(x))
        chosen = np.zeros(incoming.shape[1], dtype=bool)
        chosen[active_items(k, draw, session.work)[0]] = True
        everything = incoming
    elif not inner and 0 < k <= session.sampled_layers:
        # What the layer below would have sent without its mask: its activation, recomputed.
        everything = apply(session.phi, units_of(session.work.pre, session.layout, k - 1, len(x)))
        chosen = units_of(session.work.mask[draw], session.layout, k - 1, len(x)) != 0
    else:
        return
    weights = weights_of(session.params, session.layout, k)
    ratio.add((everything * chosen) @ weights, everything @ weights)


def _hits(session: Session, k: int, batch: int) -> tuple[int, int]:
    """Return how many active nodes of layer k are among the largest z, and how many are active, after a sampled pass.

    Both are 0 where no nodes are selected. In an example with c active nodes the c largest count, ties by number.
    """
    draw = session.sampling().forward
    if draw == EXACT or session.method.claims.side == "inner" or k >= session.sampled_layers:
        return 0, 0
    active = units_of(session.work.mask[draw], session.layout, k, batch) != 0
    order = np.argsort(-units_of(session.work.pre, session.layout, k, batch), axis=1, kind="stable")
    counts = active.sum(axis=1)
    among = np.arange(active.shape[1]) < counts[:, None]
    return int((np.take_along_axis(active, order, axis=1) & among).sum()), int(counts.sum())
