"""Arrays of a method's state by name, and what must hold of them when they come from a file.

Compiled code does not check bounds, so a state that came from a file is held against what training can have made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from approxmm.errors import DataError

__all__ = ["MOST_STEPS", "check_constants", "check_finite", "check_within", "named_arrays", "with_arrays"]

MOST_STEPS = 1 << 62  # what a count of steps or examples may be, so that adding to it never overflows


def named_arrays(value: Any, name: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays of a NamedTuple and of those inside it, with dotted names."""
    if isinstance(value, np.ndarray):
        yield name, value
    elif isinstance(value, tuple):
        for field, item in _fields(value):
            yield from named_arrays(item, f"{name}.{field}")


def with_arrays(value: Any, name: str, arrays: Mapping[str, np.ndarray]) -> Any:
    """Return the value with `arrays`, by the names that `named_arrays` gives, in place of its own."""
    if isinstance(value, np.ndarray):
        return arrays.get(name, value)
    if not isinstance(value, tuple):
        return value
    items = [with_arrays(item, f"{name}.{field}", arrays) for field, item in _fields(value)]
    return type(value)(*items) if hasattr(value, "_fields") else tuple(items)


def _fields(value: tuple[Any, ...]) -> Iterator[tuple[Any, Any]]:
    return zip(getattr(value, "_fields", range(len(value))), value, strict=True)


def check_constants(found: Any, own: Any, name: str) -> None:
    """Raise DataError unless all arrays of whole numbers in `found` are those of `own`: positions, counts, limits."""
    for (field, array), (_, mine) in zip(named_arrays(found, name), named_arrays(own, name), strict=True):
        if array.dtype.kind in "iub" and not np.array_equal(array, mine):
            raise DataError(f"array {field!r} does not hold the numbers that these settings give")


def check_finite(array: np.ndarray, name: str) -> None:
    """Raise DataError unless all numbers are finite."""
    if not np.isfinite(array).all():
        raise DataError(f"array {name!r} holds numbers that are not finite")


def check_within(array: np.ndarray, name: str, least: int, most: int) -> None:
    """Raise DataError unless all numbers lie between these two, both included."""
    if array.size and not (least <= array.min() and array.max() <= most):
        raise DataError(f"array {name!r} holds numbers outside {least} … {most}")
