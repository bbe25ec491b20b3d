"""The benchmarks by name: one line each."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from approxmm.bench.timing import Comparison
from approxmm.errors import InputError

__all__ = ["available_benchmarks", "run_benchmarks"]

_BENCHMARKS = {
    "methods": "approxmm.bench.methods:method_benchmarks",
    "propagation": "approxmm.bench.propagation:propagation_benchmarks",
    "engine": "approxmm.bench.engine:engine_benchmarks",
}


def available_benchmarks() -> list[str]:
    """Return the names of all benchmarks."""
    return list(_BENCHMARKS)


def run_benchmarks(
    name: str | None = None, *, pairs: int = 15, progress: Callable[[str], None] | None = None
) -> list[Comparison]:
    """Run one benchmark, or all.

    Raises
    ------
    InputError
        If the name is unknown or `pairs` is not positive.
    """
    if name is not None and name not in _BENCHMARKS:
        raise InputError(f"benchmark={name!r} is unknown; choose one of {', '.join(_BENCHMARKS)}")
    if pairs < 1:
        raise InputError(f"pairs={pairs} must be at least 1")
    results: list[Comparison] = []
    for target in [_BENCHMARKS[name]] if name is not None else _BENCHMARKS.values():
        module, _, attribute = target.partition(":")
        results += getattr(import_module(module), attribute)(pairs, progress)
    return results
