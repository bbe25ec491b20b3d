"""Methods that are wrong on purpose, each in one way that somebody has shipped: the checks must reject them all."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from approxmm.methods import select as sound_select
from approxmm.methods.adaptive_dropout import AdaptiveDropout
from approxmm.methods.bernoulli import Bernoulli
from approxmm.methods.dropout import Dropout
from approxmm.methods.oracle_active import OracleActive
from approxmm.methods.scale_moments import ScaleMoments
from approxmm.methods.winner_take_all import WinnerTakeAll
from approxmm.methods.with_replacement import WithReplacement
from approxmm.methods.without_replacement import WithoutReplacement
from approxmm.random import uniform

# ---- selections that do not follow their law; (method, select function) ----


def _importance(state, x, norms=1.0):
    return (np.abs(x) if state.by_input else 1.0) * (state.norms**norms if state.by_weights else 1.0)


def _write(active, index, scale):
    for position, (i, factor) in enumerate(active):
        index[position], scale[position] = i, factor
    return len(active)


def _water_filled(w, expected):
    from approxmm.methods.bernoulli import keep_probabilities

    return keep_probabilities(w, expected)


def _bernoulli(probabilities, factor=lambda p: 1 / p, shared=False, fallback=False):
    def select(state, layer, x, key, index, scale):
        p, u = probabilities(state, layer, x), uniform(key, x.size)
        u = np.full(x.size, u[0]) if shared else u
        active = [(i, factor(p[i])) for i in range(x.size) if u[i] < p[i]]
        if fallback and not active and p.max() > 0:
            active = [(int(p.argmax()), 1 / p.max())]
        return _write(active, index, scale)

    return select


def _correct(state, layer, x):
    return _water_filled(_importance(state, x), state.expected[layer])


def _clipped_without_refilling(state, layer, x):
    w = _importance(state, x)
    return np.minimum(1.0, state.expected[layer] * w / w.sum())


def _with_replacement(norms=1.0, draws=lambda c: c, pairs=lambda n: n, merge=True):
    def select(state, layer, x, key, index, scale):
        n, c = pairs(x.size), state.draws[layer]
        p = _importance(state, x, norms)[:n]
        p = p / p.sum()
        drawn = np.searchsorted(np.cumsum(p), uniform(key, draws(c)), side="right").clip(max=n - 1)
        counts = np.bincount(drawn, minlength=n)
        counts = counts if merge else np.minimum(counts, 1)
        return _write([(i, counts[i] / (c * p[i])) for i in range(n) if counts[i]], index, scale)

    return select


def _oracle_last_of_ties(state, layer, x, key, index, scale):
    score = np.abs(x) if state.by_magnitude else x
    order = sorted(range(x.size), key=lambda j: (-score[j], -j))
    return _write([(j, 1.0) for j in sorted(order[: state.active[layer]])], index, scale)


def _mixed_before_clipping(state, layer, x):
    w, e = _importance(state, x), state.uniform_mixture
    return _water_filled((1 - e) * w / w.sum() + e / w.size, state.expected[layer])


def _mixed_after_clipping(state, layer, x):
    w, e = _importance(state, x), state.uniform_mixture
    return (1 - e) * np.minimum(1.0, state.expected[layer] * w / w.sum()) + e / w.size


def _rescaled(factor):
    """The package's own draw, with its scales multiplied by `factor(state, x)` of each active item."""

    def select(state, layer, x, key, index, scale):
        count = sound_select(state, layer, x, key, index, scale)
        scale[:count] *= factor(state, x)[index[:count]]
        return count

    return select


def _as_if_replaced(state, x):
    w, k = _importance(state, x), state.kept[0]
    return w.sum() / (k * w) * _water_filled(w, k)


def _independent(state, layer, x):
    return _water_filled(_importance(state, x), state.kept[layer])


def _remaining_probability_forgotten(state, x):
    w = _importance(state, x)
    p = _water_filled(w, state.pairs[0])
    return np.where(p < 1, w.sum() / w[p < 1].sum(), 1.0)


def _half_sure(state, x):
    return np.where(_water_filled(_importance(state, x), state.pairs[0]) < 1, 1.0, 0.5)


MIXTURE = Bernoulli(0.5, uniform_mixture=0.25)
BERNOULLI, REPLACED = Bernoulli(0.5), WithReplacement(0.75)
DRAWS = {
    "scale 2 % too large": (BERNOULLI, _bernoulli(_correct, lambda p: 1.02 / p)),
    "1/p missing": (BERNOULLI, _bernoulli(_correct, lambda p: 1.0)),
    "biased fallback for an empty draw": (Bernoulli(0.25), _bernoulli(_correct, fallback=True)),
    "uniforms reused across items": (BERNOULLI, _bernoulli(_correct, shared=True)),
    "clipped without re-filling": (BERNOULLI, _bernoulli(_clipped_without_refilling)),
    "keep probability 3 % too small": (BERNOULLI, _bernoulli(lambda *a: 0.97 * _correct(*a))),
    "one draw too few": (REPLACED, _with_replacement(draws=lambda c: c - 1)),
    "last pair never drawn": (REPLACED, _with_replacement(pairs=lambda n: n - 1)),
    "repeated draws not merged": (REPLACED, _with_replacement(merge=False)),
    "norms ignored": (REPLACED, _with_replacement(norms=0.0)),
    "norms squared": (REPLACED, _with_replacement(norms=2.0)),
    "mixture that loses count": (MIXTURE, _bernoulli(_mixed_after_clipping)),
    "mixture ignored": (MIXTURE, _bernoulli(_correct)),
    "with-replacement weights without replacement": (WithoutReplacement(0.5), _rescaled(_as_if_replaced)),
    "independent draws for a fixed size": (WithoutReplacement(0.5), _bernoulli(_independent)),
    "probability of the rest forgotten": (WinnerTakeAll(0.5), _rescaled(_remaining_probability_forgotten)),
    "sure pairs halved": (WinnerTakeAll(0.5), _rescaled(_half_sure)),
    "standout with a flat probability": (
        AdaptiveDropout(0.5, scaled=True),
        _bernoulli(lambda state, layer, x: np.full(x.size, 0.5)),
    ),
    "last of the ties": (OracleActive(0.5), _oracle_last_of_ties),
}
SOUND = {
    "bernoulli": (BERNOULLI, _bernoulli(_correct)),
    "with replacement": (REPLACED, _with_replacement()),
    "mixture": (MIXTURE, _bernoulli(_mixed_before_clipping)),
    "without replacement": (WithoutReplacement(0.5), sound_select),
    "winner take all": (WinnerTakeAll(0.5), sound_select),
}


# ---- laws whose formulas are wrong ----


@dataclass(frozen=True)
class VarianceWithoutMean(Bernoulli):
    """Takes E ξ² for the variance."""

    def moments_of(self, importance):
        law = super().moments_of(importance)
        return ScaleMoments(law.mean, law.diagonal + law.support, law.common, law.support)


@dataclass(frozen=True)
class NoCovariance(WithReplacement):
    """Forgets that counts with a fixed sum are correlated."""

    def moments_of(self, importance):
        law = super().moments_of(importance)
        return ScaleMoments(law.mean, law.variance, 0, law.support)


@dataclass(frozen=True)
class ClaimsToBeUnbiased(Dropout):
    """Masks without scaling, under the claims of inverted dropout."""

    def moments_of(self, importance):
        keep = self._exact_keep(importance)
        one = importance * 0 + 1
        return ScaleMoments(one * keep, one * keep * (1 - keep), 0, one)

    def outcomes_of(self, importance):
        for probability, scales in super().outcomes_of(importance):
            yield probability, tuple(Fraction(int(s > 0)) for s in scales)


@dataclass(frozen=True)
class EmptyDrawForgotten(Bernoulli):
    """Leaves the empty outcome out."""

    def outcomes_of(self, importance):
        return (outcome for outcome in super().outcomes_of(importance) if any(outcome[1]))


@dataclass(frozen=True)
class InclusionsAsIfIndependent(WithoutReplacement):
    """Forgets the joint inclusion probabilities."""

    def moments_of(self, importance):
        law = super().moments_of(importance)
        return ScaleMoments(law.mean, law.diagonal, 0, law.support)


LAWS = [
    InclusionsAsIfIndependent(0.5),
    VarianceWithoutMean(0.5),
    NoCovariance(0.5),
    ClaimsToBeUnbiased(0.5),
    EmptyDrawForgotten(0.5),
]


# ---- trees that are off by one ----


def _tree(skip_last=False, touching=False, lone_node_lost=False):
    def select(state, layer, x, key, index, scale):
        threshold, levels = state.threshold[layer], [list(x[:-1] if skip_last else x)]
        while len(levels[-1]) > 1:
            below = levels[-1]
            stop = len(below) - (len(below) % 2 if lone_node_lost else 0)
            levels.append([max(below[j : j + 2]) for j in range(0, stop, 2)])
        fires = (lambda value: value >= threshold) if touching else (lambda value: value > threshold)
        some = range(len(levels[-1]))
        for level in range(len(levels) - 1, 0, -1):
            opened = [j for j in some if fires(levels[level][j])]
            some = [c for j in opened for c in (2 * j, 2 * j + 1) if c < len(levels[level - 1])]
        return _write([(j, 1.0) for j in some if fires(levels[0][j])], index, scale)

    return select


TREE_TWINS = {
    "last leaf left out": _tree(skip_last=True),
    "leaves that touch the threshold fire": _tree(touching=True),
    "last odd node not copied up": _tree(lone_node_lost=True),
}
