"""``approxmm train``: train a classifier with sampled products."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from approxmm.cli import train_options as t
from approxmm.cli.console import Interrupted, emit, guarded, progress_bar, warn
from approxmm.cli.options import AsJson, DataDir, Debug, Options, Quiet

if TYPE_CHECKING:
    from approxmm.engine import TrainingResult

__all__ = ["train"]

_NOT_SETTINGS = ("list_presets", "data_dir", "start", "output", "plot", "confusion", "as_json", "quiet", "debug")


@guarded
def train(
    data: t.Data = None,
    standardise: t.Standardise = None,
    data_dir: DataDir = None,
    depth: t.Depth = None,
    width: t.Width = None,
    activation: t.ActivationName = None,
    normalise: t.Normalise = None,
    init: t.Init = None,
    start: t.Start = None,
    method: t.MethodName = None,
    budget: t.BudgetText = None,
    option: Options = None,
    sampled: t.Sampled = None,
    independent: t.Independent = None,
    preset: t.PresetName = None,
    list_presets: t.ListPresets = False,
    optimizer: t.Rule = None,
    lr: t.LearningRate = None,
    momentum: t.MomentumFactor = None,
    eps: t.Epsilon = None,
    weight_decay: t.WeightDecay = None,
    schedule: t.Schedule = None,
    epochs: t.Epochs = None,
    batch: t.Batch = None,
    path: t.StepPath = None,
    dtype: t.Precision = None,
    threads: t.Threads = None,
    asynchronous: t.Asynchronous = None,
    seed: t.TrainSeed = None,
    validate: t.Validate = None,
    keep: t.Keep = None,
    patience: t.Patience = None,
    evaluate_every: t.EvaluateEvery = None,
    evaluate_on: t.EvaluateOn = None,
    measure_every: t.MeasureEvery = None,
    measure_at: t.MeasureAt = None,
    checkpoint: t.CheckpointFile = None,
    checkpoint_seconds: t.CheckpointSeconds = None,
    resume: t.Resume = False,
    output: t.Output = None,
    plot: t.Plot = None,
    confusion: t.Confusion = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a network whose products are sampled, and report accuracy, speed and cost.

    Ctrl-C (or SIGTERM) stops at the next batch, keeps what was trained, saves the checkpoint and exits with 130; a
    second one stops at once. A run that diverges ends with the last good parameters and exit code 1.

    In parentheses: what holds if neither an option nor a preset says otherwise.

    Example: approxmm train --data digits --method bernoulli --budget 0.25 --depth 3 --width 200 --epochs 20

    Example: approxmm train --preset published_alsh --epochs 1 --data-dir ~/data --plot alsh.png

    Example: approxmm train --data mnist --epochs 50 --checkpoint run.npz

    Example: approxmm train --checkpoint run.npz --resume
    """
    given = {name: value for name, value in locals().items() if name not in _NOT_SETTINGS}
    if list_presets:
        from approxmm.cli.train_request import list_presets as listed

        document, text = listed()
        emit({"presets": document}, text, as_json=as_json, quiet=quiet)
        return
    result = _trained(given, start, data_dir, [output, plot], hidden=quiet or as_json, quiet=quiet)
    _write(result, output, plot)
    emit(result.to_dict(), _text(result, output, plot, confusion, checkpoint), as_json=as_json, quiet=quiet)
    _end(result)


def _trained(
    given: dict[str, Any],
    start: Path | None,
    data_dir: Path | None,
    files: list[Path | None],
    *,
    hidden: bool,
    quiet: bool,
) -> TrainingResult:
    from approxmm.atomic import check_writable
    from approxmm.cli.signals import stop_on_signals
    from approxmm.cli.train_request import requested
    from approxmm.data import load_data
    from approxmm.engine import Progress
    from approxmm.engine import train as run
    from approxmm.engine.arguments import train_arguments
    from approxmm.network import Network
    from approxmm.profile_plot import check_format

    asked = requested(given)
    name, standardise = asked.pop("data"), asked.pop("standardise")
    arguments = train_arguments(asked)
    claims = arguments["method"].claims
    if given["budget"] is not None and claims.budget.startswith("ignored"):
        warn(f"--budget {given['budget']} with method {arguments['method'].name!r} is {claims.budget}", quiet=quiet)
    if start is not None:
        arguments["network"] = Network.load(start)
    if files[1] is not None:
        check_format(files[1])
    for path in files:
        if path is not None:
            check_writable(path)
    dataset = load_data(name, data_dir=data_dir, standardise=standardise)
    with (
        progress_bar(f"train {arguments['method'].name}", hidden=hidden) as advance,
        stop_on_signals(lambda: _say_stopping(quiet)) as stop,
    ):
        advance(0, 1, "first step (new kinds are compiled)")

        def show(at: Progress) -> None:
            accuracy = "" if at.validation_accuracy is None else f", valid. {at.validation_accuracy:.1%}"
            advance(at.step, at.steps, f"epoch {at.epoch}, loss {at.loss:.3g}{accuracy}")

        return run(dataset, progress=show, stop=stop, notify=lambda message: warn(message, quiet=quiet), **arguments)


def _say_stopping(quiet: bool) -> None:
    if sys.stderr.isatty():
        warn("stopping at the next batch; once more stops at once", quiet=quiet)


def _write(result: TrainingResult, output: Path | None, plot: Path | None) -> None:
    if output is not None:
        result.network.save(output)
    if plot is not None:
        result.save_plot(plot)


def _text(
    result: TrainingResult, output: Path | None, plot: Path | None, confusion: bool, checkpoint: Path | None
) -> str:
    from approxmm.cli.train_text import confusion_text, result_text

    pieces = [result_text(result, {"network": output, "figure": plot})]
    if confusion:
        pieces.append(confusion_text(result.confusion, result.classes, "Test set, exact products:"))
        pieces.append(confusion_text(result.confusion_sampled, result.classes, "Test set, sampled products:"))
    if result.status == "interrupted" and checkpoint is not None:
        pieces.append(f"to go on: approxmm train --checkpoint {checkpoint} --resume")
    return "\n\n".join(pieces)


def _end(result: TrainingResult) -> None:
    if result.status == "diverged":
        lr = result.settings["optimizer"]["lr"]
        warn(f"training diverged in epoch {result.epochs + 1}; lower --lr (now {lr:g}) or raise --budget")
        raise SystemExit(1)
    if result.status == "interrupted":
        raise Interrupted
