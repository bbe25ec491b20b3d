"""The compiled loops of the simulation: draws for many trials, and passes over rows that also add up the figures.

Rows of an array are ordered by (trial, input). Sums over a row may be reordered by the compiler, always in the same
way: they do not depend on which thread runs them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.activations import slope, value
from approxmm.compile import compiled, compiled_fast
from approxmm.methods.draws import fill_scales
from approxmm.random import Key

__all__ = ["activate_rows", "add_bias", "add_sums", "fill_slopes", "fill_trials"]


@compiled
def fill_trials(
    state: Any, layer: int, read: np.ndarray, size: int, group: int, key: Key, stride: int, out: np.ndarray
) -> None:
    """Draw the scales of several trials: `fill_scales` for every `size` rows of `read`.

    Parameters
    ----------
    state, layer, group
        As for `fill_scales`.
    read : (trials · size, length) float array
        What the law reads.
    size : int
        Inputs of a trial.
    key : Key
        Of the first trial's first group; trial t draws with item + t · stride.
    out : (trials · size, items) float array, written
    """
    for t in range(len(read) // size):
        here = Key(key.seed, key.stream, key.step, key.layer, key.item + t * stride)
        fill_scales(state, layer, read[t * size : (t + 1) * size], group, here, out[t * size : (t + 1) * size])


@compiled_fast
def add_sums(rows: np.ndarray, exact: np.ndarray, sums: np.ndarray) -> None:
    """Add ‖ŷ − y‖², ‖ŷ‖² and ⟨ŷ, y⟩ of each trial's rows to `sums` (trials, 3); `exact` (size, m) serves all trials."""
    size, m = exact.shape
    for r in range(rows.shape[0]):
        t, b = r // size, r % size
        error, estimate, cross = 0.0, 0.0, 0.0
        for j in range(m):
            v, y = np.float64(rows[r, j]), np.float64(exact[b, j])
            error += (v - y) * (v - y)
            estimate += v * v
            cross += v * y
        sums[t, 0] += error
        sums[t, 1] += estimate
        sums[t, 2] += cross


@compiled_fast
def add_bias(rows: np.ndarray, bias: np.ndarray) -> None:
    """Add `bias` to every row in place."""
    for r in range(rows.shape[0]):
        for j in range(bias.size):
            rows[r, j] += bias[j]


@compiled
def activate_rows(activation: Any, rows: np.ndarray) -> None:
    """Replace z by φ(z) in place."""
    for r in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            rows[r, j] = value(activation, rows[r, j])


@compiled
def fill_slopes(activation: Any, pre: np.ndarray, out: np.ndarray) -> None:
    """Write φ′(z) to `out`."""
    for r in range(pre.shape[0]):
        for j in range(pre.shape[1]):
            out[r, j] = slope(activation, pre[r, j])
