"""``approxmm data``: list, fetch, check."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Annotated, Any

import typer

from approxmm.cli.console import emit, guarded, progress_bar, text_table
from approxmm.cli.help import HelpfulCommand
from approxmm.cli.options import AsJson, DataDir, Debug, Quiet, Seed

__all__ = ["data_app"]

data_app = typer.Typer(help="Data sets: list them, fetch them, check their files.", no_args_is_help=True)
_WIDTH = 78
Name = Annotated[str, typer.Argument(help="A name from `approxmm data list`.")]


@data_app.command("list", cls=HelpfulCommand, short_help="List the data sets, and which are present.")
@guarded
def list_data(
    data_dir: DataDir = None, as_json: AsJson = False, quiet: Quiet = False, debug: Debug = False, seed: Seed = 0
) -> None:
    """List the data sets: shape, classes, sizes, and whether they are present.

    Example: approxmm data list
    """
    from approxmm.data import available

    entries = available(data_dir)
    note = "examples: training + validation + test\noptions: --data name:option=value,option=value"
    emit({"data": [_plain(e) for e in entries]}, f"{_listing(entries)}\n\n{note}", as_json=as_json, quiet=quiet)


@data_app.command(cls=HelpfulCommand)
@guarded
def fetch(
    name: Name,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
    seed: Seed = 0,
) -> None:
    """Download a data set in files and verify its checksums. The only command that uses the network.

    Example: approxmm data fetch mnist
    """
    from approxmm.data import fetch_data

    with progress_bar(f"fetch {name}", hidden=quiet or as_json) as advance:
        folder = fetch_data(name, data_dir, progress=lambda file, done, total: advance(done, total, file))
    emit({"name": name, "folder": str(folder)}, f"{name} is in {folder}", as_json=as_json, quiet=quiet)


@data_app.command(cls=HelpfulCommand)
@guarded
def check(
    name: Name,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
    seed: Seed = 0,
) -> None:
    """Check a data set's files: present, sound, loadable. Exit code 1 if not.

    Example: approxmm data check mnist --data-dir ~/data
    """
    from approxmm.data import check_data

    result = check_data(name, data_dir)
    rows = [[f.file, str(f.size) if f.size is not None else "–", f.checksum] for f in result.files]
    text = text_table(["file", "bytes", "checksum"], rows) + f"\n{result.summary}" if rows else result.summary
    emit({**_plain(result), "ok": result.ok}, text, as_json=as_json, quiet=quiet)
    if not result.ok:
        raise SystemExit(1)


def _listing(entries: Sequence[Any]) -> str:
    """Return a table, and under each row what it is, in lines of a narrow terminal."""
    table = text_table(["name", "image", "classes", "examples", "files"], [_row(entry) for entry in entries])
    heading, rule, *rows = table.splitlines()
    lines = [heading, rule]
    for entry, row in zip(entries, rows, strict=True):
        lines += [row, *wrap(_about(entry), _WIDTH, initial_indent="  ", subsequent_indent="  ")]
    return "\n".join(lines)


def _row(entry: Any) -> list[str]:
    return [
        entry.name,
        " × ".join(map(str, entry.shape)),
        str(entry.classes),
        " + ".join(f"{size:,}" for size in entry.sizes),
        _where(entry),
    ]


def _about(entry: Any) -> str:
    options = ", ".join(f"{name}={value}" for name, value in entry.options.items())
    parts = [entry.title, _host(entry.source), f"licence: {entry.licence}", f"options: {options}" if options else ""]
    return "; ".join(part for part in parts if part)


def _host(source: str) -> str:
    """Shorten a homepage to its host, and other words to what is before a comma."""
    return (source.partition("://")[2] or source.partition(",")[0]).partition("/")[0]


def _where(entry: Any) -> str:
    if not entry.present:
        return "missing"
    return "present" if entry.origin == "files" else str(entry.origin)


def _plain(value: Any) -> Any:
    """Return a dataclass as plain values; paths as text."""
    from dataclasses import asdict

    return {k: _text(v) for k, v in asdict(value).items()}


def _text(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _text(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_text(v) for v in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
