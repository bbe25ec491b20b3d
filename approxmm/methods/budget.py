"""Budgets: how much of the sampled side a method may use."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from approxmm.errors import InputError

__all__ = ["Budget"]


@dataclass(frozen=True)
class Budget:
    """A fraction (a float, 0 < b ≤ 1) of the sampled side, or a count (an int ≥ 1) of pairs or nodes.

    ``1`` is one pair; ``1.0`` is all of them. A count may exceed the side only for
    methods that draw with replacement.
    """

    value: int | float

    def __post_init__(self) -> None:
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            raise InputError(f"budget={self.value!r} must be a fraction (0 < b <= 1, a float) or a count (an int >= 1)")
        if isinstance(self.value, int) and self.value < 1:
            raise InputError(f"budget={self.value} as a count must be at least 1; for a fraction write it as a float")
        if isinstance(self.value, float) and not 0.0 < self.value <= 1.0:
            raise InputError(
                f"budget={self.value} as a fraction must satisfy 0 < budget <= 1; for a count write it as an int"
            )

    @classmethod
    def of(cls, value: Budget | int | float | str) -> Budget:
        """Return the budget meant by a number or by its text (``"0.1"``, ``"1.0"``: fractions; ``"50"``: a count)."""
        if isinstance(value, Budget):
            return value
        if isinstance(value, str):
            return cls(_parsed(value))
        if isinstance(value, np.generic):
            return cls(value.item())
        return cls(value)

    def expected(self, size: int, *, may_exceed: bool = False) -> float:
        """Return the budget as an expected number out of `size`, not rounded.

        Raises
        ------
        InputError
            If a count exceeds `size` and `may_exceed` is false.
        """
        if isinstance(self.value, float):
            return self.value * size
        if self.value > size and not may_exceed:
            raise InputError(
                f"budget={self.value} exceeds the {size} items of the sampled side; lower it or give a fraction <= 1.0"
            )
        return float(self.value)

    def count(self, size: int, *, may_exceed: bool = False) -> int:
        """Return the budget as a whole number out of `size`: rounded half up, at least 1."""
        return max(1, math.floor(self.expected(size, may_exceed=may_exceed) + 0.5))


def _parsed(text: str) -> int | float:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    raise InputError(f"budget={text!r} is not a number; give a fraction such as 0.1 or a count such as 50")
