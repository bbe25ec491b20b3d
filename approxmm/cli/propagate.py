"""``approxmm propagate``: the error of a sampled network, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from approxmm.cli.console import Advance, emit, guarded, progress_bar, warn
from approxmm.cli.options import AsJson, DataDir, Debug, Options, Quiet, Seed, parse_options
from approxmm.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from approxmm.network import Network
    from approxmm.profile import ErrorProfile

__all__ = ["propagate"]


@guarded
def propagate(
    network: Annotated[Path | None, typer.Argument(help="A network file (.npz); without it, a random stack.")] = None,
    method: Annotated[str, typer.Option(help="A name from `approxmm methods`.")] = "bernoulli",
    budget: Annotated[str, typer.Option(help="Fraction (0.1) or count (50) of the sampled side.")] = "0.1",
    option: Options = None,
    engine: Annotated[str, typer.Option(help="exact, onestep, closure, simulate, or all that apply.")] = "all",
    width: Annotated[int, typer.Option(help="Width of a random stack.")] = 1000,
    depth: Annotated[int, typer.Option(help="Layers of a random stack.")] = 8,
    activation: Annotated[str, typer.Option(help="Of a random stack: relu, linear, tanh, …")] = "relu",
    init: Annotated[str, typer.Option(help="Weights of a random stack: he, lecun, glorot.")] = "he",
    data: Annotated[str | None, typer.Option(help="Inputs: test examples of this data set.")] = None,
    data_dir: DataDir = None,
    inputs: Annotated[Path | None, typer.Option(help="Inputs: a .npy file (B, n).")] = None,
    samples: Annotated[int, typer.Option(help="How many inputs (Gaussian unless --data or --inputs).")] = 10,
    trials: Annotated[int, typer.Option(help="Trials of the simulation.")] = 200,
    precision: Annotated[
        float | None, typer.Option(help="Simulate until the last error's interval is within this fraction: 0.01.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Inputs that share one draw of column-row pairs.")] = 1,
    sample_output: Annotated[
        bool | None, typer.Option(help="Sample the output layer's product too (default: in random stacks only).")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the profiles into this .svg, .png or .pdf file.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the profiles into this .csv file.")] = None,
    workers: Annotated[int | None, typer.Option(help="Threads (the result does not depend on it).")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Predict and measure how the sampling error compounds through a network.

    Engines: exact (second moments; linear activation), onestep (exact one-step errors, compounded), closure
    (mean and covariance, pre-activations taken as normal), simulate (Monte Carlo with 95 % intervals).

    Example: approxmm propagate --method with_replacement --option probabilities=uniform --activation linear --depth 6
    """
    from approxmm.methods import get_method
    from approxmm.propagation import Task
    from approxmm.propagation import propagate as run

    law = get_method(method, budget, **parse_options(option))
    _check_outputs(plot, csv)
    given = _given_inputs(data, data_dir, inputs, samples)
    stack = _network(network, given, width, depth, activation, init, seed)
    x = stack.check_inputs(given) if given is not None else _gaussian(samples, stack.widths[0], seed)
    everything = sample_output if sample_output is not None else network is None
    with progress_bar("simulate", hidden=quiet or as_json) as advance:
        simulation = {
            "trials": trials,
            "precision": precision,
            "batch": batch,
            "seed": seed,
            "workers": workers,
            "progress": _trials_of(advance),
        }
        profiles, missing = run(Task(stack, law, x, everything, simulation), engine)
    for reason in missing.values():
        warn(f"left out: {reason}", quiet=quiet or as_json)
    _write_files(profiles, plot, csv)
    document = {
        "network": {"widths": list(stack.widths), "activation": stack.activation, "file": network and str(network)},
        "method": law.describe(),
        "seed": seed,
        "profiles": {name: profile.to_dict() for name, profile in profiles.items()},
        "unavailable": missing,
    }
    emit(document, "\n\n".join(str(profile) for profile in profiles.values()), as_json=as_json, quiet=quiet)


def _trials_of(advance: Advance) -> Any:
    return lambda done, total: advance(done, total, f"{done:.0f} of {total:.0f} trials")


def _given_inputs(data: str | None, data_dir: Path | None, inputs: Path | None, samples: int) -> np.ndarray | None:
    """Return the inputs the user named, or None."""
    if samples < 1:
        raise InputError(f"samples={samples} must be at least 1")
    if data is not None and inputs is not None:
        raise InputError(f"--data {data} and --inputs {inputs} exclude each other; give one of them")
    if inputs is not None:
        from approxmm.data import load_inputs

        return load_inputs(inputs)
    if data is not None:
        from approxmm.data import load_data

        return load_data(data, data_dir=data_dir).test.x[:samples]
    return None


def _network(
    path: Path | None, given: np.ndarray | None, width: int, depth: int, activation: str, init: str, seed: int
) -> Network:
    from approxmm.network import Network

    if path is not None:
        return Network.load(path)
    if width < 1 or depth < 1:
        raise InputError(f"width={width}, depth={depth}: both must be at least 1")
    first = width if given is None else given.shape[1]
    return Network.random([first, *[width] * depth], activation=activation, init=init, seed=seed)


def _gaussian(samples: int, size: int, seed: int) -> np.ndarray:
    from approxmm.random import Stream, generator, make_key

    return generator(make_key(seed, Stream.INPUTS)).standard_normal((samples, size))


def _check_outputs(plot: Path | None, csv: Path | None) -> None:
    """Refuse what cannot be written before anything is computed."""
    from approxmm.atomic import check_writable
    from approxmm.profile_plot import check_format

    if plot is not None:
        check_format(plot)
    for path in (plot, csv):
        if path is not None:
            check_writable(path)


def _write_files(profiles: dict[str, ErrorProfile], plot: Path | None, csv: Path | None) -> None:
    if csv is not None:
        import pandas as pd

        from approxmm.atomic import atomic_write_text

        atomic_write_text(csv, pd.concat([p.to_pandas().reset_index() for p in profiles.values()]).to_csv(index=False))
    if plot is not None:
        from approxmm.profile_plot import save_plot

        save_plot(list(profiles.values()), plot)
