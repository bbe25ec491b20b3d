"""``approxmm budget``: the cheapest budgets for a target error."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from approxmm.cli.console import emit, guarded, progress_bar
from approxmm.cli.model import Activation, LayerNames, OwnModel
from approxmm.cli.options import (
    AsJson,
    CsvFile,
    DataDir,
    Debug,
    MethodName,
    Options,
    PlotFile,
    Quiet,
    SampleOutput,
    Seed,
    SharedDraws,
    Workers,
    parse_options,
)
from approxmm.cli.stack import (
    DataName,
    Depth,
    Init,
    InputsFile,
    Samples,
    Width,
    check_outputs,
    describe_ensemble,
    gaussian_inputs,
    given_inputs,
    open_or_draw,
)

if TYPE_CHECKING:
    from approxmm.propagation import Advice

__all__ = ["budget"]

_goal, _search = (partial(typer.Option, rich_help_panel=group) for group in ("Goal", "Search"))


@guarded
def budget(
    network: OwnModel = None,
    target: Annotated[float | None, _goal(help="Relative squared error of the output (default 0.1).")] = None,
    cost: Annotated[float | None, _goal(help="Instead of a target: fraction of the exact cost.")] = None,
    upkeep: Annotated[bool, _goal(help="Count upkeep after a change of all weights, as in training.")] = False,
    exact_layers: Annotated[bool, _goal(help="Unequal budgets may leave layers exact.")] = True,
    method: MethodName = "bernoulli",
    option: Options = None,
    batch: SharedDraws = 1,
    sample_output: SampleOutput = None,
    width: Width = 1000,
    depth: Depth = 8,
    activation: Activation = None,
    layers: LayerNames = None,
    init: Init = "he",
    data: DataName = None,
    data_dir: DataDir = None,
    inputs: InputsFile = None,
    samples: Samples = 10,
    engine: Annotated[str | None, _search(help="What predicts: an engine of `propagate`.")] = None,
    trials: Annotated[int, _search(help="Trials of a simulation of the search.")] = 200,
    precision: Annotated[float, _search(help="Of the final simulation: ± this fraction of the error.")] = 0.03,
    workers: Workers = None,
    seed: Seed = 0,
    plot: PlotFile = None,
    csv: CsvFile = None,
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
    check_outputs(plot, csv)
    given = given_inputs(data, data_dir, inputs, samples)
    described = None if network is not None else describe_ensemble(given, width, depth, activation, init)
    stack, _ = open_or_draw(network, described, activation, layers, init, seed, quiet=quiet or as_json)
    x = stack.check_inputs(given) if given is not None else gaussian_inputs(samples, stack.widths[0], seed)
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
