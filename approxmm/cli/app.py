"""The application: its commands, and the entry point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

import approxmm
from approxmm.cli.bench import bench
from approxmm.cli.budget import budget
from approxmm.cli.data import data_app
from approxmm.cli.help import HelpfulCommand
from approxmm.cli.inspect import inspect
from approxmm.cli.kernels import prefer_avx512
from approxmm.cli.law import law
from approxmm.cli.methods import methods
from approxmm.cli.propagate import propagate
from approxmm.cli.prove import prove
from approxmm.cli.report import report
from approxmm.cli.train import train

__all__ = ["app", "main"]

app = typer.Typer(
    name="approxmm",
    help="How the error of sampled matrix products compounds with depth: theory, simulation and training side by side.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
_COMMANDS: dict[Callable[..., None], str] = {  # each in words that fit a line of the list
    methods: "List the sampling methods: claims, options, cost.",
    law: "Compound the error of a perfect active set with depth.",
    inspect: "Say what is in a model file, and what can be propagated.",
    propagate: "Predict and simulate the error of a sampled network.",
    budget: "Find the cheapest budgets for a target error.",
    train: "Train a network whose products are sampled.",
    report: "Run a study and write its report.",
    prove: "Check every step of the theorems, or print one.",
    bench: "Time the package against the baselines named.",
}
for command, summary in _COMMANDS.items():
    app.command(cls=HelpfulCommand, short_help=summary)(command)
app.add_typer(data_app, name="data")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"approxmm {approxmm.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """How the error of sampled matrix products compounds with depth: theory, simulation and training side by side."""


def main() -> None:
    """Run the command line."""
    prefer_avx512()  # no command has loaded NumPy yet
    app()
