"""The options of ``approxmm train``. None is "not given": then a checkpoint, a preset or the default decides."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from approxmm.cli.options import DATA, METHOD, NETWORK, OUTPUT, RUN

Name = str | None
Count = int | None
Number = float | None

_data, _network, _method, _run, _output = (
    partial(typer.Option, rich_help_panel=group) for group in (DATA, NETWORK, METHOD, RUN, OUTPUT)
)
_optimiser, _validation, _measuring, _checkpoints = (
    partial(typer.Option, rich_help_panel=group) for group in ("Optimiser", "Validation", "Measuring", "Checkpoints")
)

Data = Annotated[Name, _data("--data", metavar="<name>", help="A name from `approxmm data list` (digits).")]
Standardise = Annotated[
    Name, _data("--standardise", metavar="<name>", help="Of pixels: scalar, feature, unit (scalar).")
]

Depth = Annotated[Count, _network("--depth", help="Hidden layers (3).")]
Width = Annotated[Count, _network("--width", help="Nodes of a hidden layer (1000).")]
ActivationName = Annotated[
    Name,
    _network(
        "--activation",
        metavar="<name>",
        help="relu, leaky_relu, leaky_relu(0.2), shifted_relu(0.5), tanh, sigmoid, gelu, erf, linear, … (relu).",
    ),
]
Normalise = Annotated[Name, _network("--normalise", metavar="<name>", help="Of hidden outputs: none, rms (none).")]
Init = Annotated[
    Name,
    _network(
        "--init", metavar="<name>", help="Of weights: he, glorot, lecun, each also with _uniform; orthogonal (he)."
    ),
]
Start = Annotated[Path | None, _network("--start", metavar="<file>", help="Start from the network in this .npz.")]

MethodName = Annotated[Name, _method("--method", metavar="<name>", help="A name from `approxmm methods` (exact).")]
BudgetText = Annotated[
    Name, _method("--budget", metavar="<number>", help="Fraction (0.1) or count (50) of the sampled side (0.1).")
]
Sampled = Annotated[
    Name,
    _method("--sampled", metavar="<names>", help="Which products: forward,input_gradient,weight_gradient (all three)."),
]
Independent = Annotated[
    bool | None, _method("--independent/--shared", help="Each product its own draw, or one for all (shared).")
]
PresetName = Annotated[
    Name,
    _method("--preset", metavar="<name>", help="All settings by a name; options beside it take precedence."),
]
ListPresets = Annotated[bool, _method("--list-presets", help="List presets, and what they leave out, and exit.")]

Rule = Annotated[
    Name,
    _optimiser(
        "--optimizer",
        metavar="<name>",
        help="adam, lazy_adam (skips what was not drawn), sgd, momentum, nesterov, adagrad (adam).",
    ),
]
LearningRate = Annotated[
    Number, _optimiser("--lr", help="Learning rate (adam: 0.001, sgd and momentum: 0.1, adagrad: 0.01).")
]
MomentumFactor = Annotated[Number, _optimiser("--momentum", help="Of momentum and nesterov (0.9); of sgd (0).")]
Epsilon = Annotated[Number, _optimiser("--eps", help="Of adam (1e-8) and adagrad (1e-10).")]
WeightDecay = Annotated[Number, _optimiser("--weight-decay", help="L2 penalty's factor (0).")]
Schedule = Annotated[
    Name,
    _optimiser("--schedule", metavar="<name>", help="Of the learning rate: constant, linear, cosine, step (constant)."),
]

Epochs = Annotated[Count, _run("--epochs", help="Passes over the training data (1).")]
Batch = Annotated[Count, _run("--batch", help="Examples a step (20).")]
StepPath = Annotated[
    Name, _run("--path", metavar="<name>", help="minibatch, per_example, or what is faster: auto (auto).")
]
Precision = Annotated[Name, _run("--dtype", metavar="<name>", help="float32 or float64 (float32).")]
Threads = Annotated[
    Count, _run("--threads", help="Threads that share a step (no change of results; default: as useful).")
]
Asynchronous = Annotated[
    bool | None,
    _run("--asynchronous/--in-order", help="Threads update without locks; results depend on chance (in order)."),
]
TrainSeed = Annotated[Count, _run("--seed", help="All random numbers are a function of it (0).")]

Validate = Annotated[
    Name, _validation("--validate", metavar="<name>", help="Validation accuracy by exact or sampled products (exact).")
]
Keep = Annotated[
    Name,
    _validation("--keep", metavar="<name>", help="The network of the best epoch by validation, or the last (best)."),
]
Patience = Annotated[
    Count, _validation("--patience", help="Stop after so many epochs without a better validation (never).")
]
EvaluateEvery = Annotated[
    Count, _validation("--evaluate-every", help="Validate after every so many steps too, on --evaluate-on examples.")
]
EvaluateOn = Annotated[Count, _validation("--evaluate-on", help="Validation examples for that (1000).")]

MeasureEvery = Annotated[
    Count,
    _measuring("--measure-every", help="Measure the compounding every so many epochs, first and last too (never)."),
]
MeasureAt = Annotated[
    Name, _measuring("--measure-at", metavar="<steps>", help="Measure it after these steps of the run: 0,100,1000.")
]

CheckpointFile = Annotated[
    Path | None, _checkpoints("--checkpoint", metavar="<file>", help="Keep the run's state in this file, for --resume.")
]
CheckpointSeconds = Annotated[
    Number, _checkpoints("--checkpoint-seconds", help="Write it at least so often within an epoch (60).")
]
Resume = Annotated[
    bool, _checkpoints("--resume", help="Continue from --checkpoint; settings not given are the checkpoint's.")
]

Output = Annotated[Path | None, _output("--output", "-o", metavar="<file>", help="Write the network to this .npz.")]
Plot = Annotated[
    Path | None,
    _output("--plot", metavar="<file>", help="Draw learning curves and confusion into this .svg, .png or .pdf file."),
]
Confusion = Annotated[bool, _output("--confusion", help="Show the confusion matrix of the test set.")]
