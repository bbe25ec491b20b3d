"""What each layer can choose from: its budgets, with their cost and the error that they make.

A layer's own error is tabulated on a grid of budgets and interpolated between: by the exact
one-step errors where the law has moments, otherwise by simulations that sample one layer at a time. What is
interpolated is c · e(c): constant for draws with replacement, linear in c for Bernoulli and for simple random
sampling, so that for these laws nothing is lost between the points of the grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import PchipInterpolator

from approxmm.errors import InputError, NotAvailableError
from approxmm.methods.budget import Budget
from approxmm.methods.contract import Cost, Method
from approxmm.network import Network
from approxmm.profile import ErrorProfile
from approxmm.propagation.onestep import one_step_errors
from approxmm.propagation.plan import Plan

__all__ = ["Counts", "LayerMenu", "budgeted", "layer_cost", "make_menus"]

_DENSE = 512  # up to here every count is on the menu; beyond, as many again in geometric steps
_FIRST_LOOK, _FULL_LOOK, _SIMULATED_LOOK = 3, 14, 7
Counts = tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class LayerMenu:
    """The budgets that one layer can have.

    Attributes
    ----------
    layer : int
        Counted from 1.
    method : Method
        Its own budget plays no part.
    shape : tuple of int
        (n, m) of the layer's weights.
    size : int
        Items on the sampled side.
    counts : (J,) int64 array
        Increasing, up to `size`.
    errors : (J,) float64 array
        Relative squared error that the sampling of this layer adds: to its own product if it comes from the law, to
        the network's output if it was simulated. It does not increase.
    inverse : float or None
        α if the error is α/c at every count: such a law can also be given more draws than there are items.
    """

    layer: int
    method: Method
    shape: tuple[int, int]
    size: int
    counts: np.ndarray
    errors: np.ndarray
    inverse: float | None

    def error_at(self, count: int) -> float:
        """Return the layer's error with `count` items, read from the menu."""
        if self.inverse is not None:
            return self.inverse / count
        return float(np.interp(count, self.counts, self.errors))

    def accepts(self, count: int) -> bool:
        """Return whether the method takes a budget of `count` items."""
        try:
            layer_cost(_with_count(self.method, count), 1, self.shape)
        except InputError:
            return False
        return True


def budgeted(plan: Plan, counts: Sequence[int | None]) -> Plan:
    """Return the plan with these budgets, one a layer; None leaves a layer's product exact."""
    return tuple(
        None if method is None or count is None else _with_count(method, count)
        for method, count in zip(plan, counts, strict=True)
    )


def layer_cost(method: Method | None, batch: int, shape: tuple[int, int]) -> Cost:
    """Return the multiplications of one layer's product for a batch: all of them if there is no method."""
    n, m = shape
    return Cost(product=float(batch * n * m)) if method is None else method.cost(batch, n, m)


def make_menus(
    network: Network,
    plan: Plan,
    inputs: np.ndarray,
    batch: int,
    simulated: Callable[[Plan], ErrorProfile],
    tally: Callable[[float, float], None],
) -> tuple[list[LayerMenu], bool]:
    """Return the menu of every layer that `plan` samples, and whether the errors come from the laws.

    Parameters
    ----------
    network, plan, inputs, batch
        As for `one_step_errors`; the plan's budgets play no part.
    simulated : callable
        Returns the simulated profile of a plan; asked only if a law has no moments.
    tally : callable (done, total)
        Called after each step.

    Raises
    ------
    InputError
        If no layer is sampled, or a method is exact and so has no budget to choose.
    """
    sampled = [k for k, method in enumerate(plan) if method is not None]
    if not sampled:
        raise InputError("no layer is sampled; give a deeper network, or sample the output layer too (--sample-output)")
    for k in sampled:
        if _method(plan, k).claims.exact:
            raise InputError(
                f"method={_method(plan, k).name!r} at layer {k + 1} is exact: it has no budget to choose; "
                "give one of the others that `approxmm methods` lists"
            )
    sizes = np.array([_method(plan, k).side_length(network.weights[k]) for k in sampled])
    try:
        grids, errors = _from_laws(network, plan, sampled, sizes, inputs, batch, tally)
        lawful = True
    except NotAvailableError:
        grids, errors = _from_simulation(plan, sampled, sizes, simulated, tally)
        lawful = False
    columns = zip(sampled, sizes, grids.T, errors.T, strict=True)
    return [
        _menu(k + 1, _method(plan, k), network.weights[k].shape, int(size), grid, error)
        for k, size, grid, error in columns
    ], lawful


def _with_count(method: Method, count: int) -> Method:
    return replace(method, budget=Budget(int(count)))


def _method(plan: Plan, k: int) -> Method:
    method = plan[k]
    assert method is not None
    return method


def _grids(sizes: np.ndarray, points: int) -> np.ndarray:
    """Return counts from 1 to each size, (points, layers): geometric steps, then equal ones from an eighth on."""
    coarse = points // 2
    small = np.geomspace(1.0, np.maximum(1.0, sizes / 8.0), coarse, endpoint=False)
    large = np.linspace(np.maximum(1.0, sizes / 8.0), sizes, points - coarse)
    counts: np.ndarray = np.rint(np.concatenate([small, large])).astype(np.int64)
    return counts


def _from_laws(
    network: Network,
    plan: Plan,
    sampled: Sequence[int],
    sizes: np.ndarray,
    inputs: np.ndarray,
    batch: int,
    tally: Callable[[float, float], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the grids of counts and the exact errors at them, both (points, layers)."""

    def tabulate(grids: np.ndarray) -> np.ndarray:
        rows = []
        for i, row in enumerate(grids):
            counts: list[int | None] = [None] * len(plan)
            for k, count in zip(sampled, row, strict=True):
                counts[k] = int(count)
            rows.append(one_step_errors(network, budgeted(plan, counts), inputs, batch=batch)[list(sampled)])
            tally(i + 1, len(grids))
        return np.array(rows)

    grids = _grids(sizes, _FIRST_LOOK)
    errors = tabulate(grids)
    if not all(_is_inverse(grid, error) for grid, error in zip(grids.T, errors.T, strict=True)):
        grids = _grids(sizes, _FULL_LOOK)
        errors = tabulate(grids)
    return grids, errors


def _from_simulation(
    plan: Plan,
    sampled: Sequence[int],
    sizes: np.ndarray,
    simulated: Callable[[Plan], ErrorProfile],
    tally: Callable[[float, float], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same from simulations that sample one layer at a time: errors at the network's output."""
    grids = _grids(sizes, _SIMULATED_LOOK)
    errors = np.empty(grids.shape)
    for done, (i, j) in enumerate(np.ndindex(*grids.shape), start=1):
        counts: list[int | None] = [None] * len(plan)
        counts[sampled[j]] = int(grids[i, j])
        errors[i, j] = simulated(budgeted(plan, counts)).layers[-1].output.relative_error
        tally(done, grids.size)
    return grids, errors


def _is_inverse(counts: np.ndarray, errors: np.ndarray) -> bool:
    """Return whether the errors are α/c: for some α > 0, at more than one count."""
    if counts[-1] == 1 or not np.isfinite(errors).all():
        return False
    products = counts * errors
    return bool(products[-1] > 0 and np.ptp(products) <= 1e-9 * products[-1])


def _menu(
    layer: int, method: Method, shape: tuple[int, int], size: int, grid: np.ndarray, errors: np.ndarray
) -> LayerMenu:
    counts = np.arange(1, min(size, _DENSE) + 1)
    if size > _DENSE:
        counts = np.unique(np.concatenate([counts, np.rint(np.geomspace(_DENSE, size, _DENSE)).astype(np.int64)]))
    if _is_inverse(grid, errors):
        alpha = float(grid[-1] * errors[-1])
        return LayerMenu(layer, method, shape, size, counts, alpha / counts, alpha)
    points, first = np.unique(grid, return_index=True)
    known = errors[first]
    if points.size == 1 or not np.isfinite(known).all():
        table = known[np.searchsorted(points, counts, side="right") - 1]  # infinite where exact values are all zero
    else:
        table = PchipInterpolator(points, points * known)(counts) / counts
    return LayerMenu(layer, method, shape, size, counts, np.minimum.accumulate(np.maximum(table, 0.0)), None)
