"""Arrays times a power of two: numbers that compound over hundreds of layers and leave the range of float64.

Only exponents are taken out, so nothing is rounded that float64 would not have rounded. Values are brought back to
about 1 when they leave 2^±128; between two such steps a product of five of them cannot overflow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from approxmm.profile import Metrics, metrics_from_logs, metrics_from_moments

__all__ = ["Scaled", "metrics_from_scaled"]

_WINDOW = 2.0**128
_FITS = 2.0**1000  # ratios of such numbers to one between 1/2 and 1 are numbers of float64
_NEVER = -(2**60)  # the exponent of zero: below that of every number
_UNDERFLOW = -4096  # a shift by which every float64 vanishes, and which ldexp takes


@dataclass(frozen=True, eq=False)
class Scaled:
    """``values · 2**exponent``, float64 of any shape.

    Made by `balanced`, the root of the sum of squares of the values lies within 2^±128, or they are all zero.
    """

    values: np.ndarray
    exponent: int = 0

    @property
    def is_zero(self) -> bool:
        """Whether it is the zero that `balanced` makes."""
        return self.exponent <= _NEVER // 2

    def balanced(self) -> Scaled:
        """Return the same numbers with the largest magnitude near 1, untouched if it is near enough."""
        flat = self.values.reshape(-1)
        with np.errstate(over="ignore"):
            squares = float(flat @ flat)  # one fast pass decides nearly always
        if _WINDOW**-2 < squares < _WINDOW**2:
            return self
        size = float(np.abs(flat).max())
        if size == 0.0:
            return Scaled(self.values, _NEVER)
        shift = math.frexp(size)[1]
        return Scaled(np.ldexp(self.values, -shift), self.exponent + shift)

    def at(self, exponent: int) -> np.ndarray:
        """Return the values for an exponent that is not below its own; the array itself where it is equal."""
        if exponent == self.exponent:
            return self.values
        shifted: np.ndarray = np.ldexp(self.values, max(self.exponent - exponent, _UNDERFLOW))
        return shifted

    def __add__(self, other: Scaled) -> Scaled:
        exponent = max(self.exponent, other.exponent)
        return Scaled(self.at(exponent) + other.at(exponent), exponent)

    def __neg__(self) -> Scaled:
        return Scaled(-self.values, self.exponent)

    def plain(self) -> tuple[np.ndarray, int]:
        """Return values and exponent, with exponent 0 wherever float64 holds the numbers."""
        if self.is_zero or abs(self.exponent) < 512:
            return self.at(0) if self.is_zero else np.ldexp(self.values, self.exponent), 0
        return self.values, self.exponent

    def inner(self, other: Scaled) -> Scaled:
        """Return the sum of products of all entries, a number."""
        return Scaled(np.asarray(np.vdot(self.values, other.values)), self.exponent + other.exponent)

    def log(self) -> float:
        """Return the natural logarithm of a number, −inf for zero."""
        value = float(self.values)
        return math.log(value) + self.exponent * math.log(2.0) if value > 0 else -math.inf


def metrics_from_scaled(exact: Scaled, estimate: Scaled, cross: Scaled, error: Scaled) -> Metrics:
    """Return the four figures from E‖y‖², E‖ŷ‖², E⟨ŷ, y⟩ and E‖ŷ − y‖² in any range."""
    shift = exact.exponent + math.frexp(float(exact.values))[1] if exact.values > 0 else 0
    moments = (exact, estimate, cross, error)
    with np.errstate(over="ignore", under="ignore"):
        held = [float(np.ldexp(m.values, max(-4096, min(4096, m.exponent - shift)))) for m in moments]
    fits = all(m.values == 0 or 1 / _FITS < abs(h) < _FITS for h, m in zip(held, moments, strict=True))
    if fits or held[0] == 0:
        return metrics_from_moments(held[0], held[1], held[2], held[3])
    logs = exact.log(), estimate.log(), error.log()
    size = Scaled(np.abs(cross.values), cross.exponent).log()
    cosine = math.copysign(math.exp(size - (logs[0] + logs[1]) / 2), float(cross.values))
    return metrics_from_logs(logs[0], logs[1], cosine, logs[2])
