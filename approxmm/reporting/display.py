"""Numbers and texts as a reader sees them: sensible rounding, nothing that could break a figure or a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

__all__ = ["cell_text", "flat_settings", "is_number", "number_text", "plain_text"]


def plain_text(text: str, limit: int = 200) -> str:
    """Return the text on one line without control characters, cut to `limit` characters."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def is_number(value: Any) -> bool:
    """Return whether the value is shown as a number (truth values are not)."""
    return isinstance(value, Real) and not isinstance(value, bool)


def number_text(value: Any, digits: int = 4, *, zeros: bool = False) -> str:
    """Return a number with `digits` significant digits (trailing zeros only on request); nothing for a missing one.

    Examples
    --------
    >>> number_text(0.123456), number_text(1234567), number_text(2.5e-7), number_text(float("nan"))
    ('0.1235', '1234567', '2.5e−7', '')
    """
    if value is None or (is_number(value) and math.isnan(float(value))):
        return ""
    if not is_number(value):
        return plain_text(str(value), limit=32)
    if isinstance(value, Integral):
        return str(int(value)).replace("-", "−")
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return _float_text(float(value), digits, zeros)


def cell_text(value: Any) -> str:
    """Return what a table's cell shows."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if value is None or (is_number(value) and math.isnan(float(value))):
        return "–"
    if is_number(value):
        return number_text(value)
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple):
        return plain_text(", ".join(cell_text(item) for item in value))
    return plain_text(str(value), limit=400)


def flat_settings(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one level, with names such as ``train.epochs``."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= flat_settings(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _float_text(value: float, digits: int, zeros: bool) -> str:
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        kept = "#" if zeros else ""
        text = f"{value:{kept}.{digits}g}" if abs(value) < 10 ** (digits - 1) else f"{value:.0f}"
    else:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", "−")
