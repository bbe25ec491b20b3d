"""The benchmarks by name: one line each."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from approxmm.bench.timing import Comparison
from approxmm.errors import InputError, MissingError

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
    name: str | None = None,
    *,
    pairs: int = 15,
    progress: Callable[[str], None] | None = None,
    left_out: Callable[[str], None] | None = None,
) -> list[Comparison]:
    """Run one benchmark, or all.

    Parameters
    ----------
    name : str, optional
        All by default; of these, one whose baseline is not installed is left out.
    pairs : int
        How often each pair is timed.
    progress : callable, optional
        Called with the name of each finished comparison.
    left_out : callable, optional
        Called with the reason why a benchmark is left out.

    Raises
    ------
    InputError
        If the name is unknown or `pairs` is not positive.
    MissingError
        If the baseline of the benchmark named is not installed.
    """
    if name is not None and name not in _BENCHMARKS:
        raise InputError(f"benchmark={name!r} is unknown; choose one of {', '.join(_BENCHMARKS)}")
    if pairs < 1:
        raise InputError(f"pairs={pairs} must be at least 1")
    results: list[Comparison] = []
    for target in [_BENCHMARKS[name]] if name is not None else _BENCHMARKS.values():
        module, _, attribute = target.partition(":")
        try:
            for result in getattr(import_module(module), attribute)(pairs):
                results.append(result)
                if progress is not None:
                    progress(result.name)
        except MissingError as error:
            if name is not None:
                raise
            if left_out is not None:
                left_out(str(error))
    return results
