"""``approxmm prove``: check every step of the theorems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from approxmm.cli.console import emit, guarded, progress_bar, warn
from approxmm.cli.options import AsJson, Debug, Quiet, Seed
from approxmm.errors import InputError

__all__ = ["prove"]


@guarded
def prove(
    name: Annotated[str | None, typer.Argument(help="One theorem; without it, all.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the transcript to this .html, .md or .txt file.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes (default: one a processor).")] = None,
    cache: Annotated[bool, typer.Option(help="Use results of unchanged theorems again.")] = True,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
    seed: Seed = 0,
) -> None:
    """Check every step of every theorem, or print one theorem with each step's formula and evidence.

    Verdicts: symbolic (proved), numeric (checked at stated points or by interval arithmetic), cited, failed.
    Exit code 1 if a step fails.

    Example: approxmm prove error_compounds_geometrically
    """
    from approxmm import proofs
    from approxmm.atomic import atomic_write_text, check_writable
    from approxmm.parallel import available_workers

    if output is not None:
        check_writable(output)
    write = _renderer(proofs, output) if output is not None else None
    with progress_bar("prove", hidden=quiet or as_json) as advance:
        try:
            results = proofs.prove(
                name,
                workers=workers or available_workers(),
                progress=lambda done, total, result: advance(done, total, result.name),
                use_cache=cache,
            )
        except ValueError as error:
            raise InputError(str(error)) from error
    document = proofs.summary(results)
    text = proofs.render_list(results) if name is None else proofs.render_text(results[0])
    if output is not None and write is not None:
        atomic_write_text(output, write(results))
        text += f"\n\ntranscript written to {output}"
    emit(document, text, as_json=as_json, quiet=quiet)
    if document["steps"]["failed"]:
        warn(f"{document['steps']['failed']} steps failed")
        raise SystemExit(1)


def _renderer(proofs: Any, output: Path) -> Any:
    """Return the function that turns results into the text of a file with this suffix."""
    renderers = {
        ".html": proofs.render_html,
        ".md": proofs.render_markdown,
        ".txt": lambda results: "\n\n".join(proofs.render_text(result) for result in results),
    }
    if output.suffix.lower() not in renderers:
        raise InputError(f"output={str(output)!r} ends in {output.suffix!r}; use one of {', '.join(renderers)}")
    return renderers[output.suffix.lower()]
