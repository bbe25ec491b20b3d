"""Discovery: every module of this package that defines `theorem()` is a theorem, named like its file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from .model import Theorem

__all__ = ["UnknownTheoremError", "build", "resolve", "theorem_names", "theorems"]


class UnknownTheoremError(ValueError):
    """No theorem has the given name; the message is one line with the closest names and the remedy."""


@cache
def theorem_names() -> tuple[str, ...]:
    """Return the names of all theorems, sorted."""
    package = __name__.rpartition(".")[0]
    modules = (info.name for info in iter_modules([str(Path(__file__).parent)]))
    return tuple(sorted(n for n in modules if callable(getattr(import_module(f"{package}.{n}"), "theorem", None))))


def build(name: str) -> Theorem:
    """Build one theorem by its name."""
    (known,) = resolve([name])
    module = import_module(f"{__name__.rpartition('.')[0]}.{known}")
    theorem: Theorem = module.theorem()
    return theorem


def theorems() -> dict[str, Theorem]:
    """Return all theorems by name."""
    return {name: build(name) for name in theorem_names()}


def resolve(names: str | Iterable[str] | None) -> list[str]:
    """Return the names without repetitions; all of them for None.

    Raises
    ------
    UnknownTheoremError
        If a name is not that of a theorem.
    """
    known = theorem_names()
    if names is None:
        return list(known)
    wanted = list(dict.fromkeys([names] if isinstance(names, str) else names))
    for name in wanted:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.3) or list(known[:3])
            raise UnknownTheoremError(
                f"theorem: {name!r} is not one of the {len(known)} theorems; closest: {', '.join(close)}; "
                "call without a name to check all"
            )
    return wanted
