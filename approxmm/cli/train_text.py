"""A training result in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from approxmm.engine import TrainingResult

__all__ = ["confusion_text", "result_text"]

_WHICH = {"best": "the best by validation", "last": "the last", "good": "the last good one"}
_BESIDES = ("evaluation", "measurement")
_PRODUCTS = {
    "forward": "forward",
    "input_gradient": "input gradient",
    "weight_gradient": "weight gradient",
    "selection": "selection",
    "upkeep": "upkeep",
}


def result_text(result: TrainingResult, written: dict[str, Path | None]) -> str:
    """Return a few lines; `written` names the files by what they hold."""
    kept, memory = result.kept, result.memory
    lines = [
        f"{result.status}: test accuracy {result.test_accuracy:.2%} with exact products, "
        f"{result.test_accuracy_sampled:.2%} with the sampled ones (validation {result.validation_accuracy:.2%} and "
        f"{result.validation_accuracy_sampled:.2%})",
        f"{_counted(result.epochs, 'epoch')}, {_counted(result.steps, 'step')} in {_time(result.seconds)}: "
        f"{result.examples_per_second:,.0f} examples/s; kept is the network of epoch {kept['epoch']}, "
        f"{_WHICH[kept['which']]}",
        f"path {result.path}",
        _seconds(result.phase_seconds),
        f"{result.multiplications_fraction:.1%} of exact training's multiplications ({_parts(result)})",
        *_active(result.active_fractions),
        f"memory: {_megabytes(memory['total'])}, of it {_megabytes(memory['index'])} for the method's index; "
        f"{memory['ratio']:.2f} × parameters, optimiser and batch without it; peak of the process "
        f"{result.peak_memory_mb:,.0f} MB",
    ]
    reached = [
        f"{float(level):.0%} after {found['examples']:,} examples, {_time(found['seconds'])}"
        for level, found in result.time_to_accuracy.items()
        if found is not None
    ]
    lines += [f"validation accuracy: {'; '.join(reached)}"] if reached else []
    lines += [str(profile) for profile in result.profiles[-1:]]
    if len(result.profiles) > 1:
        steps = ", ".join(str(profile.settings["step"]) for profile in result.profiles)
        lines.append(f"compounding was measured after steps {steps}; above is the last, --json gives all")
    lines += [f"{what} written to {path}" for what, path in written.items() if path is not None]
    return "\n".join(lines)


def _parts(result: TrainingResult) -> str:
    done, dense = result.multiplications["done"], result.multiplications["dense"]
    total = sum(dense.values())
    parts = []
    for name, words in _PRODUCTS.items():
        if dense.get(name):
            parts.append(f"{words} {done[name] / dense[name]:.1%}")
        elif done.get(name):
            parts.append(f"{words} {done[name] / total:.1%} of all")
    return ", ".join(parts)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _time(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds >= 1.0 else f"{seconds:.2g} s"


def _active(shares: list[float | None]) -> list[str]:
    """Return a line on the shares of the sampled layers; of many, the first and last ones."""
    known = [f"{share:.1%}" for share in shares if share is not None]
    shown = known if len(known) <= 10 else [*known[:4], "…", *known[-4:]]
    return [f"active in each sampled layer: {', '.join(shown)}"] if known else []


def _seconds(phases: dict[str, float]) -> str:
    """Return the seconds of the steps by phase, and what was spent besides, compilation included."""
    besides = {name: phases[name] for name in _BESIDES if phases.get(name)}
    steps = {name: seconds for name, seconds in phases.items() if name not in _BESIDES and seconds > 0.0}
    groups = ("seconds of the steps", steps), ("besides", besides)
    return "; ".join(f"{what}: {_listed(found)}" for what, found in groups if found)


def _listed(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2g}" for name, value in seconds.items())


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB"


def confusion_text(counts: np.ndarray, classes: tuple[str, ...], title: str) -> str:
    """Return a table of true classes by row and predicted ones by column; zeros are dots."""
    from io import StringIO

    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_style="")
    table.add_column("true")
    for name in classes:
        table.add_column(name, justify="right")
    table.add_column("right", justify="right")
    for i, name in enumerate(classes):
        row = [str(count) if count else "·" for count in counts[i]]
        table.add_row(name, *row, f"{counts[i, i] / max(int(counts[i].sum()), 1):.1%}")
    out = StringIO()
    Console(file=out, width=max(80, 8 * len(classes) + 24), color_system=None).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())
