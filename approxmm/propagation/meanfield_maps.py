"""What one layer of a sampled wide network does, and where depth leads: growth, fixed points, depth scales.

With E ŷ² multiplied by g = E[m₂ φ(ẑ)²]/E φ(ẑ)² in every layer (`growth_factor`), the norm of a network with
positively homogeneous activation and no biases grows like g^k for ever, while its direction settles at the
correlation

    ρ* = f(ρ*)/√g         (unbiased laws; f the activation's kernel, f(ρ) = (√(1−ρ²) + ρ(π − arccos ρ))/π for ReLU)

which is approached like χ^k, χ = dρ′/dρ at ρ*. Bounded activations have fixed points of the norms too. 1/|log χ| is
the depth scale of Schoenholz et al. 2017 with the sampling noise included. At g = 1 and the edge of chaos χ = 1 and
correlations decay no faster than a power; any sampling noise makes ρ* < 1 and χ < 1: there is no critical point left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from approxmm.errors import InputError
from approxmm.methods.contract import Method
from approxmm.propagation.ensemble import Ensemble
from approxmm.propagation.meanfield_field import MeanField
from approxmm.propagation.meanfield_layer import Site, State, product

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FixedPoint", "LayerMap", "growth_factor", "layer_map", "plot_maps"]

_MOST_STEPS, _SETTLED = 10_000, 1e-14


@dataclass(frozen=True)
class FixedPoint:
    """Where the maps of a layer lead.

    Attributes
    ----------
    q, q_hat : float
        Variances of exact and sampled pre-activations; 0 or infinite where they have no other limit.
    rho : float
        Their correlation ρ*.
    slope : float
        χ = dρ′/dρ at ρ*: what a small change of the correlation becomes in a layer.
    depth_scale : float
        −1/log|χ| in layers; infinite at |χ| ≥ 1.
    log10_growth : float
        Decimal logarithm of the factor by which the norm ratio q̂/q grows a layer, there.
    """

    q: float
    q_hat: float
    rho: float
    slope: float
    depth_scale: float
    log10_growth: float


@dataclass(frozen=True, eq=False)
class LayerMap:
    """The map of one layer of equal widths: scales, activation, product.

    Attributes
    ----------
    ensemble : Ensemble
        Of three layers, of which the middle one counts.
    method : Method or None
    """

    ensemble: Ensemble
    method: Method | None
    _site: Site

    def step(self, state: State) -> State:
        """Return the next layer's state."""
        return product(self._site.pass_on(state, gradients=False).scaled, *self.ensemble.variances[1])

    def correlation(self, rho: np.ndarray, state: State | None = None) -> np.ndarray:
        """Return the next correlation for each of `rho` (n,), at the norms of `state`: by default the limit's."""
        at = self.settle()[0] if state is None else state
        return np.array([self.step(at._replace(rho=float(r))).rho for r in np.atleast_1d(rho)])

    def settle(self, start: State = State(0.0, 0.0, 1.0)) -> tuple[State, State]:  # noqa: B008 - immutable
        """Return two successive states after so many layers that the correlation has come to rest."""
        state = start
        for _ in range(_MOST_STEPS):
            after = self.step(state)
            moved = [
                abs(math.expm1(after.rho - state.rho)),
                *(_moved(a, b) for a, b in zip(after, state, strict=False)),
            ]
            if moved[0] <= _SETTLED and (max(moved[1:3]) <= _SETTLED or _steady(after, state, self.step(after))):
                return state, after
            state = after
        return state, after

    def fixed_point(self, start: State = State(0.0, 0.0, 1.0)) -> FixedPoint:  # noqa: B008 - immutable
        """Return where `start` (by default q = q̂ = 1 and ρ = 1) leads."""
        state, after = self.settle(start)
        slope = self._slope(after)
        growth = (after.log_q_hat - after.log_q) - (state.log_q_hat - state.log_q)
        scale = math.inf if abs(slope) >= 1.0 else (0.0 if slope == 0.0 else -1.0 / math.log(abs(slope)))
        norms = [_limit(b, a) for a, b in zip(state[:2], after[:2], strict=True)]
        return FixedPoint(norms[0], norms[1], after.rho, slope, scale, growth / math.log(10.0))

    def _slope(self, state: State) -> float:
        """Return dρ′/dρ: by Price's theorem for unbiased laws, else by a difference towards smaller correlations."""
        after, site = self.step(state), self._site
        if site.unbiased(state):
            gain = math.log(self.ensemble.variances[1][0]) + 0.5 * sum(state[:2]) - 0.5 * sum(after[:2])
            return math.exp(gain) * site.slope_kernel(state)
        step = 1e-6
        back, further = (self.step(state._replace(rho=state.rho - h)).rho for h in (step, 2 * step))
        return (3.0 * after.rho - 4.0 * back + further) / (2.0 * step)


def _moved(after: float, before: float) -> float:
    return abs(after - before) if math.isfinite(after - before) else math.inf


def _steady(after: State, state: State, further: State) -> bool:
    """Return whether norms change by a constant factor a layer."""
    return all(
        math.isclose(c - b, b - a, rel_tol=1e-9, abs_tol=_SETTLED)
        for a, b, c in zip(state[:2], after[:2], further[:2], strict=True)
    )


def _limit(log_after: float, log_before: float) -> float:
    if abs(log_after - log_before) <= 1e-9:
        return math.exp(log_after)
    return math.inf if log_after > log_before else 0.0


def layer_map(
    method: Method | None,
    activation: str = "relu",
    width: int = 1000,
    *,
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
) -> LayerMap:
    """Return the map of one layer of a wide random network under a method (None: exact).

    Parameters
    ----------
    method : Method or None
    activation : str
    width : int
        Nodes in each layer: budgets that are fractions, and the laws, depend on it.
    weight_variance, bias_variance : float
        σ_w² and σ_b².

    Raises
    ------
    InputError, NotAvailableError
        As for `mean_field`.
    """
    ensemble = Ensemble((width,) * 4, activation, weight_variance, bias_variance)
    field = MeanField(ensemble, [method, method, method])
    return LayerMap(ensemble, method, field.site(1))


def growth_factor(
    method: Method,
    activation: str = "relu",
    width: int = 1000,
    *,
    variance: float = 1.0,
) -> float:
    """Return g: the factor by which a method's scales multiply the second moment of a wide layer's outputs.

    Parameters
    ----------
    method : Method
        Unbiased methods have g ≥ 1; biased ones may shrink the norm.
    activation : str
    width : int
    variance : float
        q̂ of the pre-activations: it matters for laws and activations that are not free of scale.

    Returns
    -------
    float
        For ReLU and p the budget as a fraction: 1/p for dropout and uniform Bernoulli sampling; 1 + (n − 1)/c for c
        uniform draws
        with replacement; 1 + (n/π − 1)/c for norm-optimal ones; n/(πk) for norm-optimal Bernoulli sampling of few
        pairs,
        exactly 1 from k = n/2 on, where all positive units are kept. (The population of `standard_nodes` stands for a
        typical
        layer; values agree with these to O(1/n²).)

    Raises
    ------
    InputError
        If the variance is not positive.

    Examples
    --------
    >>> from approxmm.methods import get_method
    >>> growth_factor(get_method("with_replacement", 100, probabilities="uniform"), width=1000)
    10.99
    """
    if not (math.isfinite(variance) and variance > 0.0):
        raise InputError(f"variance={variance} must be a positive number")
    site = layer_map(method, activation, width)._site
    state = State(math.log(variance), math.log(variance), 1.0)
    scaled = site.pass_on(state, gradients=False).scaled
    return round(math.exp(scaled.log_estimate - scaled.log_exact), 12)


def plot_maps(
    methods: Sequence[Method],
    activation: str = "relu",
    width: int = 1000,
    *,
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
    axes: Sequence[Axes] | None = None,
) -> Sequence[Axes]:
    """Draw each method's correlation map with its fixed point, and the depth scales beside them.

    Parameters
    ----------
    methods : sequence of Method
        For instance one method at several budgets.
    activation, width, weight_variance, bias_variance
        As for `layer_map`.
    axes : two matplotlib Axes, optional
        A new figure is made without them.

    Returns
    -------
    two Axes
        Left: ρ′ against ρ at the limiting norms, with the diagonal; right: ρ* and the depth scale by method.
    """
    if axes is None:
        from matplotlib import pyplot as plt

        _, axes = plt.subplots(1, 2, figsize=(9.0, 3.8), layout="constrained")
    rho = np.linspace(0.0, 1.0, 101)
    left, right = axes
    left.plot(rho, rho, color="0.7", linewidth=1.0)
    points = []
    for i, method in enumerate(methods):
        one = layer_map(method, activation, width, weight_variance=weight_variance, bias_variance=bias_variance)
        points.append(one.fixed_point())
        left.plot(rho, one.correlation(rho), color=f"C{i}", linewidth=1.6, label=_label(method))
        left.plot([points[-1].rho], [points[-1].rho], "o", color=f"C{i}", markersize=5)
    left.set(xlabel="correlation ρ", ylabel="after one layer", xlim=(0, 1), ylim=(0, 1))
    left.legend(frameon=False, fontsize="small")
    places = np.arange(len(points))
    right.plot(places, [p.rho for p in points], "o", color="0.2", label="fixed point ρ*")
    right.set(xticks=places, ylim=(0, 1.05), ylabel="ρ*")
    right.set_xticklabels([_label(method) for method in methods], rotation=30, ha="right", fontsize="small")
    scale: Any = right.twinx()
    scale.bar(places, [p.depth_scale if math.isfinite(p.depth_scale) else math.nan for p in points], alpha=0.25)
    scale.set_ylabel("depth scale, layers")
    right.set_zorder(scale.get_zorder() + 1)
    right.patch.set_visible(False)
    return axes


def _label(method: Method) -> str:
    return f"{method.name} {method.budget.value}"
