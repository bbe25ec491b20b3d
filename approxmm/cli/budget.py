"""``approxmm budget``: the cheapest budgets for a target error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from approxmm.cli.console import emit, guarded, progress_bar
from approxmm.cli.options import AsJson, DataDir, Debug, Options, Quiet, Seed, parse_options
from approxmm.cli.propagate import _check_outputs, _gaussian, _given_inputs, _network

if TYPE_CHECKING:
    from approxmm.propagation import Advice

__all__ = ["budget"]


@guarded
def budget(
    network: Annotated[Path | None, typer.Argument(help="A network file; without it, a random stack.")] = None,
    method: Annotated[str, typer.Option(help="A name from `approxmm methods`.")] = "bernoulli",
    target: Annotated[float | None, typer.Option(help="Relative squared error of the output (default 0.1).")] = None,
    cost: Annotated[float | None, typer.Option(help="Instead of a target: fraction of the exact cost.")] = None,
    option: Options = None,
    engine: Annotated[str | None, typer.Option(help="What predicts: an engine of `propagate`.")] = None,
    upkeep: Annotated[bool, typer.Option(help="Count upkeep after a change of all weights, as in training.")] = False,
    exact_layers: Annotated[bool, typer.Option(help="Unequal budgets may leave layers exact.")] = True,
    width: Annotated[int, typer.Option(help="Width of a random stack.")] = 1000,
    depth: Annotated[int, typer.Option(help="Layers of a random stack.")] = 8,
    activation: Annotated[str, typer.Option(help="Of a random stack: relu, linear, tanh, …")] = "relu",
    init: Annotated[str, typer.Option(help="Weights of a random stack: he, lecun, glorot.")] = "he",
    data: Annotated[str | None, typer.Option(help="Inputs: test examples of this data set.")] = None,
    data_dir: DataDir = None,
    inputs: Annotated[Path | None, typer.Option(help="Inputs: a .npy file (B, n).")] = None,
    samples: Annotated[int, typer.Option(help="How many inputs (Gaussian unless --data or --inputs).")] = 10,
    trials: Annotated[int, typer.Option(help="Trials of a simulation of the search.")] = 200,
    precision: Annotated[float, typer.Option(help="Of the final simulation: ± this fraction of the error.")] = 0.03,
    batch: Annotated[int, typer.Option(help="Inputs that share one draw of column-row pairs.")] = 1,
    sample_output: Annotated[bool | None, typer.Option(help="Sample the last product too (random stack: yes).")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw cost and depth into this .svg, .png or .pdf file.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the table by layer into this .csv file.")] = None,
    workers: Annotated[int | None, typer.Option(help="Threads (the result does not depend on it).")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Find the cheapest budgets, equal and by layer, for an error at the output; or the least error for a cost.

    Theory proposes them, a simulation with fresh draws verifies them. It also says up to which depth sampling costs
    less than the exact products.

    Example: approxmm budget --method with_replacement --target 1 --width 200
    """
    from approxmm.methods import get_method
    from approxmm.propagation import advise

    law = get_method(method, **parse_options(option))
    _check_outputs(plot, csv)
    given = _given_inputs(data, data_dir, inputs, samples)
    stack = _network(network, given, width, depth, activation, init, seed)
    x = stack.check_inputs(given) if given is not None else _gaussian(samples, stack.widths[0], seed)
    settings: dict[str, Any] = {"cost": cost, "engine": engine, "upkeep": upkeep, "batch": batch, "trials": trials}
    settings |= {"precision": precision, "seed": seed, "workers": workers}
    with progress_bar("budget", hidden=quiet or as_json) as advance:
        advice = advise(
            stack,
            law,
            x,
            target=0.1 if target is None and cost is None else target,
            sample_output=sample_output if sample_output is not None else network is None,
            exact_allowed=exact_layers,
            progress=advance,
            **settings,
        )
    _write_files(advice, plot, csv)
    emit(advice.to_dict(), f"{advice}\n{_as_option(advice)}".rstrip(), as_json=as_json, quiet=quiet)


def _write_files(advice: Advice, plot: Path | None, csv: Path | None) -> None:
    if csv is not None:
        from approxmm.atomic import atomic_write_text

        atomic_write_text(csv, advice.to_pandas().to_csv())
    if plot is not None:
        from approxmm.propagation.advice_plot import save_advice

        save_advice(advice, plot)


def _as_option(advice: Advice) -> str:
    """Return the best budgets as `propagate` takes them."""
    if advice.best is None or not advice.best.samples_something:
        return ""
    budgets = ",".join("exact" if count is None else str(count) for count in advice.best.counts)
    return f"For `approxmm propagate`: --budget {budgets}"
