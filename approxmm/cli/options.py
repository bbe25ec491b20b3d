"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from approxmm.errors import InputError

__all__ = [
    "AsJson",
    "CsvFile",
    "DataDir",
    "Debug",
    "Options",
    "PlotFile",
    "Quiet",
    "SampleOutput",
    "Seed",
    "SharedDraws",
    "Workers",
    "parse_options",
]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No text, no progress; errors and exit code only.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Seed = Annotated[int, typer.Option("--seed", help="All random numbers are a function of it.")]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder that holds mnist/, …; default: $APPROXMM_DATA_DIR, then the user's cache."),
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", help="A parameter of the method, as name=value; may be given several times."),
]
PlotFile = Annotated[Path | None, typer.Option("--plot", help="Draw the result into this .svg, .png or .pdf file.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", help="Write the result into this .csv file.")]
Workers = Annotated[int | None, typer.Option("--workers", help="Threads (the result does not depend on it).")]
SharedDraws = Annotated[int, typer.Option("--batch", help="Inputs that share one draw of column-row pairs.")]
SampleOutput = Annotated[
    bool | None,
    typer.Option(
        "--sample-output/--no-sample-output",
        help="Sample the output layer's product too (default: in random stacks only).",
    ),
]


def parse_options(pairs: list[str] | None) -> dict[str, Any]:
    """Return name=value texts as a dictionary; numbers and true/false are converted.

    Raises
    ------
    InputError
        If a text has no equals sign.
    """
    options = {}
    for pair in pairs or []:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise InputError(f"--option {pair!r} is not name=value; for example --option probabilities=uniform")
        options[name] = _converted(value)
    return options


def _converted(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
