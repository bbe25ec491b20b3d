"""Names from a file, made fit for a terminal and a message of one line."""

from __future__ import annotations

__all__ = ["label"]


def label(text: str, limit: int | None = None) -> str:
    """Return `text` with control characters written out (a name may hold escape sequences), cut to `limit`."""
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return clean if limit is None or len(clean) <= limit else f"{clean[: limit - 1]}…"
