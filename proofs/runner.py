"""Proving: all theorems in parallel processes, with results cached by content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from .cache import default_directory, load, store
from .catalogue import build, resolve
from .model import VERDICTS, TheoremResult

__all__ = ["Progress", "prove", "summary"]

Progress = Callable[[int, int, TheoremResult], None]


def prove(
    names: str | Iterable[str] | None = None,
    workers: int = 2,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
    *,
    use_cache: bool = True,
) -> list[TheoremResult]:
    """Check every step of the theorems.

    Parameters
    ----------
    names
        One name, several, or None for all.
    workers
        Number of processes (spawned, so a script that calls this needs the usual ``__main__`` guard); 1 stays
        in this process.
    cache_dir
        Directory of cached results; None is the user's cache directory. A result is used again only while
        the sources of this package and the versions of SymPy, mpmath and Python are the same.
    progress
        Called with (theorems done, theorems in all, result) after each theorem.
    use_cache
        False neither reads nor writes the cache.

    Returns
    -------
    list of TheoremResult
        In the order of the names. A step that does not hold is in the result; it does not raise.

    Raises
    ------
    UnknownTheoremError
        If a name is unknown (a ValueError).
    """
    if workers < 1:
        raise ValueError(f"workers: {workers} is below 1; give the number of processes")
    wanted = resolve(names)
    directory = Path(cache_dir) if cache_dir is not None else default_directory()
    found: dict[str, TheoremResult] = {}
    for result in _results(wanted, workers, directory if use_cache else None):
        found[result.name] = result
        if progress is not None:
            progress(len(found), len(wanted), result)
    return [found[name] for name in wanted]


def summary(results: Iterable[TheoremResult]) -> dict[str, Any]:
    """Return the JSON document of a run: number of theorems, steps by verdict, details."""
    listed = list(results)
    steps = {verdict: sum(result.counts()[verdict] for result in listed) for verdict in VERDICTS}
    return {"theorems": len(listed), "steps": steps, "details": [result.to_dict() for result in listed]}


def _results(wanted: list[str], workers: int, directory: Path | None) -> Iterator[TheoremResult]:
    pending = []
    for name in wanted:
        cached = load(directory, name) if directory is not None else None
        if cached is None:
            pending.append(name)
        else:
            yield cached
    for result in _checked(pending, workers):
        if directory is not None:
            store(directory, result)
        yield result


def _checked(pending: list[str], workers: int) -> Iterator[TheoremResult]:
    remaining = list(pending)
    if min(workers, len(pending)) > 1:
        try:
            with ProcessPoolExecutor(min(workers, len(pending)), mp_context=get_context("spawn")) as pool:
                for future in as_completed([pool.submit(_check, name) for name in pending]):
                    result = TheoremResult.from_dict(future.result())
                    remaining.remove(result.name)
                    yield result
        except BrokenProcessPool:
            pass  # no processes here (an interactive __main__, a sandbox): the rest is checked in this one
    for name in remaining:
        yield TheoremResult.from_dict(_check(name))


def _check(name: str) -> dict[str, Any]:
    """Check one theorem; plain types cross the process boundary."""
    return build(name).check(name).to_dict()
