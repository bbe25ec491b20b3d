"""The negative result: how a perfect active set loses the signal with depth.

With linear activations, and a selection whose active nodes' weighted sum is at every
node c times the inactive nodes' sum, each layer keeps the factor c/(c + 1) of the exact value:
â_k = Π c_i/(c_i + 1) · a_k. Relative to the estimate the error is Π(1 + 1/c_i) − 1, relative
to the exact value 1 − Π c_i/(c_i + 1) (Ebrahimi, Advani, Asudeh 2025). Both are of norms, not of
squares. It says nothing about unbiased sampling.

The same with active shares s = c/(c + 1) holds for every real share, also where the ratio is negative or infinite:
â_k = Π s_i · a_k. It carries over to activations with φ(s z) = s φ(z) for s > 0 (ReLU, leaky ReLU) as long as the
shares are positive and there are no biases.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from approxmm.errors import InputError
from approxmm.profile import ErrorProfile, LayerError, Metrics
from approxmm.shares import ratio_of

__all__ = ["Compounding", "compound_errors", "compound_shares", "compounding", "ratio_for_depth"]

# Rational arithmetic up to this layer, so that c = 5 gives 0.44 and not 0.43999999999999995. It stays cheap as long
# as numerators are short; beyond that, logarithms carry the result without overflow.
_EXACT_UNTIL = 256
_MAX_LOG = math.log(sys.float_info.max)


@dataclass(frozen=True)
class Compounding:
    """The theorem's error by layer.

    Attributes
    ----------
    ratios : tuple of float
        c_1 … c_L; negative or infinite only where shares were given.
    relative_to_estimate, relative_to_exact : tuple of float
        ‖â_k − a_k‖/‖â_k‖ and ‖â_k − a_k‖/‖a_k‖ after layers 1 … L; the first may be infinite.
    log_growth : tuple of float
        ln |Π(1 + 1/c_i)|, finite at any depth unless a share is 0.
    kept : tuple of float
        Π c_i/(c_i + 1): the multiple of a_k that â_k is.
    """

    ratios: tuple[float, ...]
    relative_to_estimate: tuple[float, ...]
    relative_to_exact: tuple[float, ...]
    log_growth: tuple[float, ...]
    kept: tuple[float, ...]

    def profile(self) -> ErrorProfile:
        """Return the law as an `ErrorProfile`, whose figures are of squares."""
        started = time.perf_counter()
        layers = []
        for k, (to_estimate, to_exact, growth) in enumerate(
            zip(self.relative_to_estimate, self.relative_to_exact, self.log_growth, strict=True), start=1
        ):
            log_norm = -2.0 * growth / math.log(10.0)
            metrics = Metrics(
                relative_error=to_exact * to_exact,
                relative_to_estimate=to_estimate * to_estimate,
                cosine=math.copysign(1.0, self.kept[k - 1]) if growth < math.inf else math.nan,
                norm_ratio=_exp(-2.0 * growth),
                log10_relative_error=log_norm if math.isinf(to_exact * to_exact) else math.nan,
                log10_norm_ratio=log_norm,
            )
            layers.append(LayerError(k, metrics, metrics, extra={"ratio": self.ratios[k - 1]}))
        return ErrorProfile("law", tuple(layers), time.perf_counter() - started)


def compounding(ratio: float | Sequence[float], depth: int | None = None) -> Compounding:
    """Return the theorem's compounding of error.

    Parameters
    ----------
    ratio : float or sequence of float
        The ratio c of active to inactive sums, c > 0: one for all layers, or one a layer.
    depth : int, optional
        Number of layers; needed for a single ratio.

    Raises
    ------
    InputError
        If a ratio is not positive and finite, or the depth does not fit.

    Examples
    --------
    >>> compounding(5, depth=3).relative_to_estimate
    (0.2, 0.44, 0.728)
    """
    ratios = _checked_ratios(ratio, depth)
    return _compound(
        ratios,
        [1 + 1 / Fraction(c) for c in ratios[:_EXACT_UNTIL]],
        [math.log1p(1.0 / c) if c >= 1 else math.log1p(c) - math.log(c) for c in ratios],
    )


def compound_shares(shares: Sequence[float] | np.ndarray) -> Compounding:
    """Return the compounding for active shares s_1 … s_L, any finite numbers: â_k = Π s_i · a_k.

    For 0 < s < 1 it is that of the ratios s/(1 − s). A share of 1 loses nothing; a negative one turns the sign.

    Raises
    ------
    InputError
        If a share is not finite, or there is none.

    Examples
    --------
    >>> compound_shares([0.5, 1.0, 0.5]).relative_to_exact
    (0.5, 0.5, 0.75)
    """
    given = [float(s) for s in shares]
    for s in given:
        if not math.isfinite(s):
            raise InputError(f"share={s} must be finite: it is the active sum over the whole sum")
    if not given:
        raise InputError("shares=[] is empty; give one share for each layer")
    lost = next((k for k, s in enumerate(given) if s == 0.0), len(given))  # from here on nothing is left
    before = given[:lost]
    law = _compound(
        [float(c) for c in ratio_of(np.array(given))],
        [1 / Fraction(s) for s in before[:_EXACT_UNTIL]],
        [-math.log(abs(s)) for s in before],
        sign=[math.copysign(1.0, s) for s in before],
    )
    rest = len(given) - lost
    return Compounding(
        law.ratios,
        law.relative_to_estimate + (math.inf,) * rest,
        law.relative_to_exact + (1.0,) * rest,
        law.log_growth + (math.inf,) * rest,
        law.kept + (0.0,) * rest,
    )


def _compound(
    ratios: list[float], growths: list[Fraction], logs: list[float], sign: list[float] | None = None
) -> Compounding:
    """Compound the layers' growths 1 + 1/c: exactly as far as they are given, by logarithms of size beyond."""
    growth, log_growth, turned = Fraction(1), 0.0, 1.0
    to_estimate, to_exact, totals, kept = [], [], [], []
    for k, log in enumerate(logs):
        log_growth += log
        turned *= 1.0 if sign is None else sign[k]
        if k < len(growths):
            growth *= growths[k]
            log_growth = _log(abs(growth))
        rational = k < len(growths) and abs(log_growth) < 700
        share = float(1 / growth) if rational else turned * _exp(-log_growth)
        to_estimate.append(float(abs(growth - 1)) if rational else _lost(turned, log_growth))
        to_exact.append(float(abs(1 - 1 / growth)) if rational else _lost(turned, -log_growth))
        totals.append(log_growth)
        kept.append(share)
    return Compounding(tuple(ratios), tuple(to_estimate), tuple(to_exact), tuple(totals), tuple(kept))


def compound_errors(one_step: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return Π_{i≤k}(1 + e_i) − 1 for one-step relative squared errors e_1 … e_L, float64 (L,).

    This is exact for unbiased sampling when every layer passes error and signal on with the
    same gain; on a trained network it is a prediction to be held against measurement.

    Raises
    ------
    InputError
        If an error is negative or NaN.
    """
    errors = np.asarray(one_step, dtype=np.float64)
    if errors.ndim != 1 or not (errors >= 0).all():
        raise InputError(f"one_step={errors.tolist()} must be a list of non-negative numbers, one a layer")
    with np.errstate(over="ignore"):  # beyond the range of floats the error is infinite
        compounded: np.ndarray = np.expm1(np.cumsum(np.log1p(errors)))
    return compounded


def ratio_for_depth(depth: int, error: float) -> float:
    """Return the ratio c at which `depth` layers compound to `error` relative to the estimate.

    The converse of the theorem: c = 1/((1 + error)^(1/depth) − 1), which grows like depth/ln(1 + error).

    Raises
    ------
    InputError
        If `depth` is less than 1, or `error` is not positive and finite.
    """
    if depth < 1 or not 0 < error < math.inf:
        raise InputError(f"depth={depth}, error={error}: depth must be at least 1, error positive and finite")
    return 1.0 / math.expm1(math.log1p(error) / depth)


def _checked_ratios(ratio: float | Sequence[float], depth: int | None) -> list[float]:
    ratios = [float(c) for c in np.atleast_1d(ratio).ravel()]
    if not ratios:
        raise InputError("ratio=[] is empty; give one ratio, or one for each layer")
    for c in ratios:
        if not (math.isfinite(c) and c > 0):
            raise InputError(f"ratio={c} must be positive and finite: it is the active sum over the inactive sum")
    if depth is not None and depth < 1:
        raise InputError(f"depth={depth} must be at least 1")
    if len(ratios) == 1:
        return ratios * (depth if depth is not None else 1)
    if depth is not None and depth != len(ratios):
        raise InputError(f"{len(ratios)} ratios for depth={depth}; give one ratio, or one for each layer")
    return ratios


def _log(growth: Fraction) -> float:
    if Fraction(1, 2) < growth < 2:
        return math.log1p(growth - 1)
    if Fraction(1, 2**1000) < growth < 2**1000:
        return math.log(growth)
    return math.log(growth.numerator) - math.log(growth.denominator)


def _lost(sign: float, log: float) -> float:
    """Return |sign · exp(log) − 1|."""
    return abs(_expm1(log)) if sign > 0 else _exp(log) + 1.0


def _exp(x: float) -> float:
    return math.exp(x) if x < _MAX_LOG else math.inf


def _expm1(x: float) -> float:
    return math.expm1(x) if x < _MAX_LOG else math.inf
