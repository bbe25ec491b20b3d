"""``approxmm report``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from approxmm.cli.console import emit, guarded, progress_bar, warn
from approxmm.cli.options import AsJson, Debug, Quiet

__all__ = ["report"]


@guarded
def report(
    spec: Annotated[Path | None, typer.Argument(help="A study file (.toml); without it, the quick study.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for page, figures and data.")] = Path(
        "approxmm-report"
    ),
    workers: Annotated[int | None, typer.Option(help="Threads (figures do not depend on it).")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="First seed of the study.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Run a study and write its report: one HTML page, figures (SVG, PNG) and data (CSV, JSON).

    Without SPEC: the embedded digits, depths 1 to 7, every method; predicted and measured compounding of
    the sampling error side by side. No network, about a minute on two cores (longer on the first run,
    which compiles).

    A SPEC names its study (quick, recall, field, closure, depth) and its settings; reports/*.toml are examples. The
    depth study keeps finished runs in the output folder until the report is written: interrupted, the same command
    goes on with the rest.

    Example: approxmm report -o my-report
    """
    from approxmm.atomic import check_writable
    from approxmm.reporting import write_report
    from approxmm.studies.registry import run_study
    from approxmm.studies.settings import QuickSettings
    from approxmm.studies.spec import load_settings

    settings = load_settings(spec) if spec is not None else QuickSettings()
    if seed is not None:
        settings = type(settings)(**{**settings.model_dump(), "seed": seed})
    check_writable(output / "index.html")
    finished = output / "finished.jsonl"
    try:
        with progress_bar("report", hidden=quiet or as_json) as advance:
            study = run_study(settings, workers=workers, progress=advance, finished=finished)
    except KeyboardInterrupt:
        if finished.exists():
            warn(f"finished runs are kept in {finished}; the same command goes on", quiet=quiet)
        raise
    files = write_report(study, output)
    finished.unlink(missing_ok=True)  # a later report is made anew, perhaps by other code
    findings = "\n".join(f"  {i}. {finding}" for i, finding in enumerate(study.findings, start=1))
    took = f"; {study.seconds:.0f} s" if study.seconds > 0 else ""
    text = (
        f"Report: {files.page}\n  {len(files.figures)} figure files in {output / 'figures'}, "
        f"{len(files.data)} data files in {output / 'data'}{took}\nFound:\n{findings}"
    )
    emit({**files.to_dict(), "findings": study.findings, "seconds": study.seconds}, text, as_json=as_json, quiet=quiet)
