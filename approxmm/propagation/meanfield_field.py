"""The maps of a sampled wide random network, layer by layer, and what they do to one input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from approxmm.activations import LINEAR
from approxmm.methods.contract import Method
from approxmm.network import Network
from approxmm.propagation.ensemble import Ensemble
from approxmm.propagation.meanfield_law import log
from approxmm.propagation.meanfield_layer import Pair, Passed, Site, State, input_pair, product
from approxmm.propagation.plan import Plan, make_plan

__all__ = ["MeanField"]


class MeanField:
    """The maps of a sampled wide random network, layer by layer.

    Parameters
    ----------
    network, method, sample_output, exact_forward
        As for `mean_field`.

    Attributes
    ----------
    ensemble : Ensemble
    plan : tuple of Method or None
    """

    def __init__(
        self,
        network: Ensemble | Network,
        method: Method | Sequence[Method | None],
        *,
        sample_output: bool = False,
        exact_forward: bool = False,
    ) -> None:
        self.ensemble = network if isinstance(network, Ensemble) else Ensemble.of(network)
        self.plan: Plan = make_plan(self.ensemble, method, sample_output=sample_output)
        self.exact_forward = exact_forward
        self._sites: dict[tuple[object, ...], Site] = {}

    def site(self, layer: int) -> Site:
        """Return the nodes of `layer` (counted from 1; 0: Gaussian inputs); layers that are alike share one."""
        stack = self.ensemble
        phi, size = LINEAR if layer == 0 else stack.phi(layer), stack.widths[layer]
        fan_in = stack.widths[layer - 1] if layer > 0 else size
        bias = stack.variances[layer - 1][1] if layer > 0 else 0.0
        mask = _on(self.plan[layer - 1], "output") if layer > 0 else None
        scale = _on(self.plan[layer], "inner") if layer < stack.depth else None
        key = (type(phi), phi, size, fan_in, bias, mask, scale)
        if key not in self._sites:
            self._sites[key] = Site(phi, size, fan_in, bias, mask, scale, exact_forward=self.exact_forward)
        return self._sites[key]

    def start(self, x: np.ndarray | None) -> tuple[Pair, Pair]:
        """Return the pair of the first product's inputs, after its scales, forward and in the weight gradient."""
        if x is None:
            passed = self.site(0).pass_on(State(0.0, 0.0, 1.0), gradients=False)
            return passed.scaled, passed.entering
        entering = input_pair(x, _on(self.plan[0], "inner"))
        return input_pair(x, None) if self.exact_forward else entering, entering

    def forward(self, x: np.ndarray | None, *, gradients: bool) -> Iterator[tuple[Pair, State, Passed]]:
        """Yield what enters each layer's weight gradient, its state, and what its site makes of it.

        States that come back exactly (fixed points) are looked up.
        """
        incoming, entering = self.start(x)
        known: dict[tuple[Site, State], Passed] = {}
        for layer, (of_weights, of_biases) in enumerate(self.ensemble.variances, start=1):
            state, site = product(incoming, of_weights, of_biases), self.site(layer)
            if (site, state) not in known:
                known = {} if len(known) > 8 else known
                known[site, state] = site.pass_on(state, gradients=gradients)
            passed = known[site, state]
            yield entering, state, passed
            incoming, entering = passed.scaled, passed.entering

    def layers(self, x: np.ndarray | None, *, gradients: bool) -> Iterator[tuple[Pair, ...]]:
        """Yield each layer's pairs: pre-activation, output and, if asked for, delta and weight gradient."""
        steps = list(self.forward(x, gradients=gradients))
        deltas: list[Pair] = []
        delta = Pair(0.0, 0.0, 1.0)
        for k in range(len(steps), 0, -1) if gradients else ():
            if k < len(steps):  # back through the product: σ_w² of the next layer, for both
                gain = log(self.ensemble.variances[k][0])
                delta = delta.times(Pair(gain, gain, 1.0))
            delta = delta.times(steps[k - 1][2].slopes)
            deltas.append(delta)
        deltas.reverse()
        for k, (entering, state, passed) in enumerate(steps):
            pairs = (Pair(*state), passed.output)
            yield (*pairs, deltas[k], entering.times(deltas[k])) if gradients else pairs


def _on(law: Method | None, side: str) -> Method | None:
    return law if law is not None and law.claims.side == side else None
