"""``approxmm train``: train a classifier with sampled products."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from approxmm.cli.console import Interrupted, emit, guarded, progress_bar, warn
from approxmm.cli.options import AsJson, DataDir, Debug, Options, Quiet, Seed, parse_options

if TYPE_CHECKING:
    from approxmm.engine import TrainingResult

__all__ = ["train"]

Rule = Annotated[
    str,
    typer.Option("--optimizer", help="adam, lazy_adam (skips what was not drawn), sgd, momentum, nesterov, adagrad."),
]
LearningRate = Annotated[
    float | None, typer.Option("--lr", help="Learning rate (adam: 0.001, sgd and momentum: 0.1, adagrad: 0.01).")
]
MomentumFactor = Annotated[float | None, typer.Option("--momentum", help="Of momentum and nesterov (0.9); of sgd (0).")]
Threads = Annotated[
    int | None, typer.Option("--threads", help="Threads that share a step (no change of results; default: as useful).")
]
Every = Annotated[int | None, typer.Option("--measure-every", help="Measure the compounding every so many epochs.")]


@guarded
def train(
    data: Annotated[str, typer.Option(help="A name from `approxmm data list`.")] = "digits",
    method: Annotated[str, typer.Option(help="A name from `approxmm methods`.")] = "exact",
    budget: Annotated[str, typer.Option(help="Fraction (0.1) or count (50) of the sampled side.")] = "0.1",
    option: Options = None,
    depth: Annotated[int, typer.Option(help="Hidden layers.")] = 3,
    width: Annotated[int, typer.Option(help="Nodes of a hidden layer.")] = 1000,
    activation: Annotated[
        str,
        typer.Option(help="relu, leaky_relu, leaky_relu(0.2), shifted_relu(0.5), tanh, sigmoid, gelu, erf, linear."),
    ] = "relu",
    batch: Annotated[int, typer.Option(help="Examples a step.")] = 20,
    epochs: Annotated[int, typer.Option(help="Passes over the training data.")] = 1,
    optimizer: Rule = "adam",
    lr: LearningRate = None,
    momentum: MomentumFactor = None,
    weight_decay: Annotated[float | None, typer.Option(help="L2 penalty's factor (0).")] = None,
    schedule: Annotated[str, typer.Option(help="Of the learning rate: constant, linear, cosine, step.")] = "constant",
    measure_every: Every = None,
    threads: Threads = None,
    data_dir: DataDir = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the network to this .npz.")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a network whose products are sampled, and report accuracy, speed and cost.

    Ctrl-C stops early and keeps what was trained (exit code 130). A run that diverges ends with the
    last good parameters, status "diverged" and exit code 1.

    Example: approxmm train --data digits --method bernoulli --budget 0.25 --depth 3 --width 200 --epochs 20
    """
    from approxmm.atomic import check_writable
    from approxmm.data import load_data
    from approxmm.engine import Progress, make_optimizer
    from approxmm.engine import train as run
    from approxmm.methods import get_method

    law = get_method(method, budget, **parse_options(option))
    chosen = make_optimizer(optimizer, lr, momentum, weight_decay=weight_decay)
    if output is not None:
        check_writable(output)
    dataset = load_data(data, data_dir=data_dir)
    with progress_bar(f"train {method}", hidden=quiet or as_json) as advance:

        def show(at: Progress) -> None:
            accuracy = "" if at.validation_accuracy is None else f", validation {at.validation_accuracy:.1%}"
            advance(at.step, at.steps, f"epoch {at.epoch}, loss {at.loss:.3g}{accuracy}")

        result = run(
            dataset,
            law,
            depth=depth,
            width=width,
            activation=activation,
            optimizer=chosen,
            batch=batch,
            epochs=epochs,
            seed=seed,
            schedule=schedule,
            measure_every=measure_every,
            threads=threads,
            progress=show,
        )
    if output is not None:
        result.network.save(output)
    emit(result.to_dict(), _text(result, output), as_json=as_json, quiet=quiet)
    if result.status == "diverged":
        warn(f"training diverged in epoch {result.epochs + 1}; lower --lr (now {chosen.lr:g}) or raise --budget")
        raise SystemExit(1)
    if result.status == "interrupted":
        raise Interrupted


def _text(result: TrainingResult, output: Path | None) -> str:
    lines = [
        f"{result.status}: test accuracy {result.test_accuracy:.2%} with exact products, "
        f"{result.test_accuracy_sampled:.2%} with the sampled ones (validation {result.validation_accuracy:.2%})",
        f"{result.epochs} epochs, {result.steps} steps in {result.seconds:.1f} s: "
        f"{result.examples_per_second:,.0f} examples/s, {result.multiplications_fraction:.1%} of exact training's "
        f"multiplications, peak memory {result.peak_memory_mb:,.0f} MB",
    ]
    lines += [str(profile) for profile in result.profiles[-1:]]
    if output is not None:
        lines.append(f"network written to {output}")
    return "\n".join(lines)
