"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from approxmm.errors import InputError

__all__ = [
    "DATA",
    "METHOD",
    "NETWORK",
    "OUTPUT",
    "RUN",
    "AsJson",
    "CsvFile",
    "DataDir",
    "Debug",
    "MethodName",
    "Options",
    "PlotFile",
    "Quiet",
    "SampleOutput",
    "Seed",
    "SharedDraws",
    "Workers",
    "parse_options",
]

# Groups of `approxmm … --help` that several commands have.
DATA, METHOD, NETWORK, RUN, OUTPUT = "Data", "Method", "Network", "Run", "Output"

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.", rich_help_panel=OUTPUT)
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No text, no progress; errors and exit code only.", rich_help_panel=OUTPUT),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=OUTPUT)]
Seed = Annotated[int, typer.Option("--seed", help="All random numbers are a function of it.", rich_help_panel=RUN)]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder that holds mnist/, …; default: $APPROXMM_DATA_DIR, then the user's cache.",
        rich_help_panel=DATA,
    ),
]
MethodName = Annotated[
    str, typer.Option("--method", metavar="<name>", help="A name from `approxmm methods`.", rich_help_panel=METHOD)
]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="<name=value>",
        help="A parameter of the method (`approxmm methods`); may be given several times.",
        rich_help_panel=METHOD,
    ),
]
PlotFile = Annotated[
    Path | None,
    typer.Option("--plot", help="Draw the result into this .svg, .png or .pdf file.", rich_help_panel=OUTPUT),
]
CsvFile = Annotated[
    Path | None, typer.Option("--csv", help="Write the result into this .csv file.", rich_help_panel=OUTPUT)
]
Workers = Annotated[
    int | None, typer.Option("--workers", help="Threads (the result does not depend on it).", rich_help_panel=RUN)
]
SharedDraws = Annotated[
    int, typer.Option("--batch", help="Inputs that share one draw of column-row pairs.", rich_help_panel=METHOD)
]
SampleOutput = Annotated[
    bool | None,
    typer.Option(
        "--sample-output/--no-sample-output",
        help="Sample the output layer's product too (default: in random stacks only).",
        rich_help_panel=METHOD,
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
