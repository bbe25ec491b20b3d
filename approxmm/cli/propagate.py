"""``approxmm propagate``: the error of a sampled network, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from approxmm.cli.console import Advance, emit, guarded, progress_bar, warn
from approxmm.cli.model import Activation, LayerNames, OwnModel
from approxmm.cli.options import (
    METHOD,
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
from approxmm.cli.simulation import (
    Forward,
    Gradient,
    MemoryLimit,
    Precision,
    Trials,
    announce_simulation,
    gradient_option,
    memory_bytes,
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
    import numpy as np

    from approxmm.methods import Method
    from approxmm.network import Network
    from approxmm.profile import ErrorProfile
    from approxmm.propagation import Ensemble

__all__ = ["propagate"]

LayerBudgets = Annotated[
    str,
    typer.Option(
        help="Fraction (0.1) or count (50) of the sampled side; or one a layer: 50,20,exact.", rich_help_panel=METHOD
    ),
]


@guarded
def propagate(
    network: OwnModel = None,
    engine: Annotated[
        str, typer.Option(help="exact, onestep, meanfield, closure, simulate, or all that apply.")
    ] = "all",
    method: MethodName = "bernoulli",
    budget: LayerBudgets = "0.1",
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
    trials: Trials = 200,
    precision: Precision = None,
    gradient: Gradient = None,
    forward: Forward = "sampled",
    memory_limit: MemoryLimit = 2.0,
    workers: Workers = None,
    seed: Seed = 0,
    plot: PlotFile = None,
    csv: CsvFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Predict and measure how the sampling error compounds through a network.

    Engines: exact (second moments; linear activation), onestep (one-step errors, compounded), meanfield (wide random
    networks; any depth), closure (Gaussian moments in a real network), simulate (Monte Carlo with 95 % intervals).

    Example: approxmm propagate --method with_replacement --option probabilities=uniform --activation linear --depth 6
    """
    from approxmm.propagation import Task
    from approxmm.propagation import propagate as run

    law = _layer_methods(method, budget, parse_options(option))
    check_outputs(plot, csv)
    given = given_inputs(data, data_dir, inputs, samples)
    everything = sample_output if sample_output is not None else network is None
    described = None if network is not None else describe_ensemble(given, width, depth, activation, init)
    report = _Report(law, network, seed, plot, csv, as_json, quiet)
    if described is not None and engine == "meanfield":  # needs no weights, however deep and wide the stack
        report.write(described, [], {engine: _wide(described, law, given, everything, gradient, forward)}, {})
        return
    simulation = {
        "trials": trials,
        "precision": precision,
        "batch": batch,
        "gradient": gradient_option(gradient, data, data_dir, samples),
        "forward": forward,
        "seed": seed,
        "workers": workers,
        "memory_limit": memory_bytes(memory_limit),
    }
    examples = samples if given is None else len(given)
    if described is not None:  # before any weight is drawn
        announce_simulation(described.widths, examples, simulation, quiet=quiet)
    stack, notes = open_or_draw(network, described, activation, layers, init, seed, quiet=quiet or as_json)
    if described is None:
        announce_simulation(stack.widths, examples, simulation, quiet=quiet)
    x = stack.check_inputs(given) if given is not None else gaussian_inputs(samples, stack.widths[0], seed)
    with progress_bar("simulate", hidden=quiet or as_json) as advance:
        simulation["progress"] = _trials_of(advance)
        profiles, missing = run(Task(stack, law, x, everything, simulation, described), engine)
    report.write(stack, notes, profiles, missing)


def _wide(
    ensemble: Ensemble,
    law: Method | list[Method | None],
    inputs: np.ndarray | None,
    sample_output: bool,
    gradient: str | None,
    forward: str,
) -> ErrorProfile:
    from approxmm.propagation import mean_field

    options = {"gradients": gradient is not None, "exact_forward": forward == "exact"}
    return mean_field(ensemble, law, inputs, sample_output=sample_output, **options)


def _layer_methods(name: str, budget: str, options: dict[str, Any]) -> Method | list[Method | None]:
    """Return one method, or one for each layer where budgets are listed; ``exact`` leaves a layer exact."""
    from approxmm.methods import get_method

    if "," not in budget:
        return get_method(name, budget, **options)
    parts = [part.strip() for part in budget.split(",")]
    return [None if part == "exact" else get_method(name, part, **options) for part in parts]


def _trials_of(advance: Advance) -> Any:
    return lambda done, total: advance(done, total, f"{done:.0f} of {total:.0f} trials")


@dataclass(frozen=True)
class _Report:
    """What becomes of the profiles: the files asked for, and the document or the tables."""

    law: Method | list[Method | None]
    file: Path | None
    seed: int
    plot: Path | None
    csv: Path | None
    as_json: bool
    quiet: bool

    def write(
        self,
        stack: Network | Ensemble,
        notes: list[str],
        profiles: dict[str, ErrorProfile],
        missing: dict[str, str],
    ) -> None:
        for reason in missing.values():
            warn(f"left out: {reason}", quiet=self.quiet or self.as_json)
        self._write_files(list(profiles.values()))
        law = self.law
        document = {
            "network": {
                "widths": list(stack.widths),
                "activation": stack.activation,
                "file": None if self.file is None else str(self.file),
                "notes": notes,
            },
            "method": [m and m.describe() for m in law] if isinstance(law, list) else law.describe(),
            "seed": self.seed,
            "profiles": {name: profile.to_dict() for name, profile in profiles.items()},
            "unavailable": missing,
        }
        text = "\n\n".join(str(profile) for profile in profiles.values())
        emit(document, text, as_json=self.as_json, quiet=self.quiet)

    def _write_files(self, profiles: list[ErrorProfile]) -> None:
        if self.csv is not None:
            import pandas as pd

            from approxmm.atomic import atomic_write_text

            atomic_write_text(self.csv, pd.concat([p.to_pandas().reset_index() for p in profiles]).to_csv(index=False))
        if self.plot is not None:
            from approxmm.profile_plot import save_plot

            save_plot(profiles, self.plot)
