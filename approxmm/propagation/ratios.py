"""The theorem's ratio, measured on a network: what the active items of each product hold of its sums.

The negative result takes one ratio c of active to inactive sums for all nodes of a layer. Here the nodes' own
shares s = c/(c + 1) are measured (`approxmm.shares`), for any method: for scales 0 and 1 they are the theorem's, for
others the share of the exact sum that the sampled one amounts to, whose mean is 1 if the method is unbiased.

The theorem with the measured shares is `ShareProfile.law`. It leaves the dispersion of the shares out. A second number
a layer, the share η_k that gives the sampled sum its norm, lets it in: with K = Π s̄_k and N = Π η_k²,

    E‖â − a‖²/‖a‖² = 1 − 2K + N = (1 − K)² + (N − K²),    cosine K/√N,

if what dispersion adds is uncorrelated with the signal and every layer passes both on with the same gain
(`ShareProfile.dispersed`). Without dispersion (η = s̄) that is the theorem; for unbiased methods (s̄ = 1, η² = 1 + e) it
is the compounding Π(1 + e_k) − 1 of one-step errors. It is exact for one product, and a prediction beyond.

`error_parts` divides any measured error exactly into what a theorem of that kind could predict and what it cannot.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from approxmm.errors import InputError
from approxmm.methods.contract import Method
from approxmm.methods.draws import fill_scales
from approxmm.methods.operations import observe, refresh
from approxmm.network import Network
from approxmm.parallel import map_in_order
from approxmm.profile import ErrorProfile, LayerError, Metrics
from approxmm.propagation.law import Compounding, compound_shares
from approxmm.propagation.plan import Plan, describe_plan, make_plan
from approxmm.random import Stream, make_key
from approxmm.shares import ActiveShare, ShareTally

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["QUANTILES", "ErrorParts", "ShareProfile", "active_shares", "error_parts"]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_CEILING = 2 * 2**30  # bytes of nodes' shares
Path = Literal["exact", "sampled"]
Sums = list[tuple[np.ndarray, np.ndarray] | None]


@dataclass(frozen=True)
class ErrorParts:
    """A relative squared error, divided exactly: ``error = (1 − kept)² + dispersion``.

    Attributes
    ----------
    kept : float
        E⟨ŷ, y⟩/E‖y‖²: the multiple of y that is left in ŷ.
    mean_part : float
        (1 − kept)²: all that a theorem with one share for all nodes can know of; rescaling removes it.
    dispersion : float
        E‖ŷ − kept · y‖²/E‖y‖²: the error of direction.
    """

    kept: float
    mean_part: float
    dispersion: float


def error_parts(figures: Metrics) -> ErrorParts:
    """Return the parts of a measured error; NaN where the cosine is not known."""
    if figures.norm_ratio == 0.0:
        return ErrorParts(0.0, 1.0, 0.0)
    kept = figures.cosine * math.sqrt(figures.norm_ratio)
    mean_part = (1.0 - kept) ** 2
    return ErrorParts(kept, mean_part, max(figures.relative_error - mean_part, 0.0))


@dataclass(frozen=True, eq=False)
class ShareProfile:
    """Active shares of a network's products.

    Attributes
    ----------
    products : tuple of ActiveShare or None
        One for each layer's product; None where its inputs are not selected from.
    seconds : float
    settings : dict
        Plain values.
    """

    products: tuple[ActiveShare | None, ...]
    seconds: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def shares(self) -> np.ndarray:
        """Each product's share in least squares, float64 (L,); 1 where nothing is selected."""
        return np.array([1.0 if product is None else product.share for product in self.products])

    def law(self) -> Compounding:
        """Return the theorem's compounding of the measured shares: of the pre-activations 1 … L.

        Raises
        ------
        InputError
            If a share is NaN.
        """
        return compound_shares(self.shares)

    def dispersed(self) -> ErrorProfile:
        """Return the law with dispersion, 1 − 2K + N, for the pre-activations 1 … L; source ``dispersed_law``."""
        started = time.perf_counter()
        law, layers, log_norm, spread = self.law(), [], 0.0, 0.0
        for k, (kept, product) in enumerate(zip(law.kept, self.products, strict=True), start=1):
            if product is not None:
                # N − K² by its own recursion, so that a dispersion much smaller than K² keeps its digits.
                before = law.kept[k - 2] if k > 1 else 1.0
                spread = spread * product.norm_share**2 + before**2 * (product.input_part + product.node_part)
                log_norm += 2.0 * math.log(product.norm_share) if product.norm_share > 0.0 else -math.inf
            figures = _dispersed(kept, log_norm, spread)
            layers.append(LayerError(k, figures, figures))
        return ErrorProfile("dispersed_law", tuple(layers), time.perf_counter() - started, self.settings)

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a product with selected inputs, indexed by ``layer``."""
        import pandas as pd

        rows = [_row(k, p) for k, p in enumerate(self.products, start=1) if p is not None]
        return pd.DataFrame(rows, columns=list(_row(0, _NOTHING))).set_index("layer")


def _dispersed(kept: float, log_norm: float, spread: float) -> Metrics:
    """Return the figures for K, ln N and N − K²."""
    norm = math.exp(log_norm) if log_norm < 700.0 else math.inf
    error = (1.0 - kept) ** 2 + spread
    return Metrics(
        relative_error=error,
        relative_to_estimate=error / norm if norm > 0.0 else math.inf,
        cosine=kept * math.exp(-0.5 * log_norm) if norm > 0.0 else math.nan,
        norm_ratio=norm,
        log10_norm_ratio=log_norm / math.log(10.0),
    )


_NOTHING = ActiveShare(*(math.nan,) * 6, nodes=np.empty(0), undefined=math.nan)


def _row(layer: int, product: ActiveShare) -> dict[str, float]:
    names = ("share", "norm_share", "ratio", "error", "mean_part", "input_part", "node_part", "dispersion")
    row = {"layer": layer} | {name: getattr(product, name) for name in names}
    row |= {"negative": product.negative, "above_one": product.above_one, "undefined": product.undefined}
    return row | {f"q{100 * q:02.0f}": float(v) for q, v in zip(QUANTILES, product.quantiles(QUANTILES), strict=True)}


def active_shares(
    network: Network,
    method: Method | Sequence[Method | None],
    inputs: np.ndarray,
    *,
    draws: int = 10,
    seed: int = 0,
    sample_output: bool = False,
    batch: int = 1,
    along: Path = "exact",
    workers: int | None = None,
) -> ShareProfile:
    """Measure the active share of every product whose inputs a method selects from.

    Parameters
    ----------
    network : Network
        Computed in float64. Biases take no part in the shares.
    method : Method or sequence of Method
        One for all sampled layers, or one (or None) for each. What an output-side method selects at layer k are the
        inputs of product k + 1.
    inputs : (B, n) array
    draws : int
        Independent draws of a random method (and builds, if it draws when it is built).
    seed : int
        Draws are those of `simulate` with the same seed, trial by trial.
    sample_output : bool
        Whether one method for all includes the last layer.
    batch : int
        How many consecutive inputs share one draw of column–row pairs.
    along : {"exact", "sampled"}
        Each product given the exact activations, or the activations of the sampled pass itself (before their
        selection).
    workers : int, optional
        Threads; the result does not depend on it.

    Returns
    -------
    ShareProfile

    Raises
    ------
    InputError
        If an argument is out of range, or the nodes' shares would take more than 2 GiB.

    Notes
    -----
    Not claimed: that the law with these shares predicts the network's error. The theorem needs one share for all nodes,
    φ linear (or positively homogeneous, with positive shares) and no biases.
    """
    started = time.perf_counter()
    network = network.astype(np.float64)
    plan = make_plan(network, method, sample_output=sample_output)
    x = network.check_inputs(inputs)
    random = any(law is not None and not law.claims.deterministic for law in plan)
    count = draws if random else 1
    _check(network, len(x), draws, count, batch, along)
    walk = _Walk(network, plan, x, seed, batch, exact=along == "exact")
    tallies = [ShareTally() for _ in network.weights]
    for sums in map_in_order(walk.draw, range(count), workers):
        for tally, pair in zip(tallies, sums, strict=True):
            if pair is not None:
                tally.add(*pair)
    settings = {**describe_plan(plan), "inputs": len(x), "draws": count, "seed": seed, "along": along}
    return ShareProfile(tuple(tally.figures() for tally in tallies), time.perf_counter() - started, settings)


@dataclass(frozen=True, eq=False)
class _Walk:
    """One draw of every selection, product by product."""

    network: Network
    plan: Plan
    inputs: np.ndarray
    seed: int
    batch: int
    exact: bool

    def draw(self, trial: int) -> Sums:
        """Return each product's sums over active and over all items, None where nothing is selected."""
        everything, mask, sums = self.inputs, None, Sums()
        for k, (W, law, state) in enumerate(zip(self.network.weights, self.plan, self._states(trial), strict=True)):
            incoming = everything if self.exact or mask is None else everything * mask
            scales = mask
            if law is not None and law.claims.side == "inner":
                own = self._scales(law, state, k, trial, incoming)
                scales = own if mask is None else own * mask
            total = everything @ W
            active = total if scales is None else (everything * scales) @ W
            sums.append(None if scales is None else (active, total))
            z = (total if self.exact else active) + self.network.bias(k + 1)
            everything, mask = self.network.activate(k + 1, z), None
            if law is not None and law.claims.side == "output":
                mask = self._scales(law, state, k, trial, incoming if law.claims.reads == "input" else z)
        return sums

    def _scales(self, law: Method, state: Any, k: int, trial: int, read: np.ndarray) -> np.ndarray:
        """Draw the scales of layer k for all inputs, keyed as in `simulate`."""
        group = self.batch if law.claims.side == "inner" else 1
        key = make_key(self.seed, Stream.SELECT, layer=k + 1, item=trial * -(-len(read) // group))
        out = np.empty((len(read), law.side_length(self.network.weights[k])))
        fill_scales(state, 0, np.ascontiguousarray(read), group, key, out)
        return out

    def _states(self, trial: int) -> Iterator[Any]:
        """Yield the state of each layer's law, built for this draw and shown the exact activations if it observes."""
        exact = self.inputs
        for k, (W, law) in enumerate(zip(self.network.weights, self.plan, strict=True)):
            state, bias = None, self.network.bias(k + 1)
            if law is not None:
                item = trial if law.claims.random_build else 0
                state = law.prepare([W], [bias], make_key(self.seed, Stream.BUILD, layer=k + 1, item=item))
                if law.claims.observes:
                    observe(state, 0, np.ascontiguousarray(exact), bias)
                    refresh(state, 0, W, np.arange(W.shape[1]))
            yield state
            if any(later is not None and later.claims.observes for later in self.plan[k + 1 :]):
                exact = self.network.activate(k + 1, exact @ W + bias)


def _check(network: Network, inputs: int, draws: int, count: int, batch: int, along: str) -> None:
    for name, value in {"draws": draws, "batch": batch}.items():
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise InputError(f"{name}={value} must be a whole number of at least 1")
    if along not in ("exact", "sampled"):
        raise InputError(f"along={along!r} is unknown; choose 'exact' or 'sampled'")
    size = 8 * count * inputs * sum(network.widths[1:])
    if size > _CEILING:
        raise InputError(
            f"{inputs} inputs × {count} draws keep {size / 2**30:.1f} GiB of shares; the limit is "
            f"{_CEILING / 2**30:.0f} GiB: give fewer inputs or draws"
        )
