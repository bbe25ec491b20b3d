"""``approxmm bench``: speed as ratios against a baseline in the same run."""

from __future__ import annotations

from typing import Annotated

import typer

from approxmm.cli.console import emit, guarded, progress_bar, text_table, warn
from approxmm.cli.kernels import kernel_note
from approxmm.cli.options import AsJson, Debug, Quiet, Seed

__all__ = ["bench"]


@guarded
def bench(
    name: Annotated[str | None, typer.Argument(help="methods, propagation or engine; without it, all.")] = None,
    pairs: Annotated[int, typer.Option(help="How often each pair is timed.")] = 15,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
    seed: Seed = 0,
) -> None:
    """Time the package against the baselines named, such as the exact product by BLAS, in turn, in one run.

    A ratio is the baseline's time over ours (larger is better): the median over the pairs, with its quartiles. Only
    ratios of one run can be compared; close other programs first.

    Example: approxmm bench methods
    """
    from approxmm.bench.registry import run_benchmarks
    from approxmm.parallel import describe_threading
    from approxmm.studies.environment import describe_environment

    done: list[str] = []

    with progress_bar("bench", hidden=quiet or as_json) as advance:

        def show(finished: str) -> None:
            done.append(finished)
            advance(len(done), len(done) + 1, finished)

        results = run_benchmarks(
            name, pairs=pairs, progress=show, left_out=lambda reason: warn(f"left out: {reason}", quiet=quiet)
        )
    rows = [
        [
            r.name,
            f"{r.seconds * 1e6:,.0f} µs",
            r.baseline,
            f"{r.baseline_seconds * 1e6:,.0f} µs",
            f"{r.ratio:.2f}",
            f"{r.ratio_low:.2f} – {r.ratio_high:.2f}",
            "–" if r.target is None else f"{r.target:g}",
            str(r.threads),
            _accuracy_times(r.seconds_to_accuracy),
        ]
        for r in results
    ]
    header = ["what", "time", "baseline", "its time", "ratio", "quartiles", "target", "threads", "seconds to accuracy"]
    note = kernel_note()
    environment = {**describe_environment(), **describe_threading(), "kernels": note}
    document = {"results": [r.to_dict() for r in results], "environment": environment}
    text = text_table(header, rows) if note is None else f"{text_table(header, rows)}\n\n{note}"
    emit(document, text, as_json=as_json, quiet=quiet)


def _accuracy_times(reached: dict[str, float | None] | None) -> str:
    times = (reached or {}).items()
    return ", ".join(f"{level}: {'–' if seconds is None else f'{seconds:.3g}'}" for level, seconds in times)
