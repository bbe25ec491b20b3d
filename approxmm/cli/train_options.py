"""The options of ``approxmm train``. None is "not given": then a checkpoint, a preset or the default decides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Name = str | None
Count = int | None
Number = float | None

Data = Annotated[Name, typer.Option("--data", help="A name from `approxmm data list` (digits).")]
Standardise = Annotated[Name, typer.Option("--standardise", help="Of pixels: scalar, feature, unit (scalar).")]
MethodName = Annotated[Name, typer.Option("--method", help="A name from `approxmm methods` (exact).")]
BudgetText = Annotated[Name, typer.Option("--budget", help="Fraction (0.1) or count (50) of the sampled side (0.1).")]
PresetName = Annotated[
    Name,
    typer.Option("--preset", help="Settings by name, see --list-presets; options beside it take precedence."),
]
ListPresets = Annotated[bool, typer.Option("--list-presets", help="List presets, and what they leave out, and exit.")]
Depth = Annotated[Count, typer.Option("--depth", help="Hidden layers (3).")]
Width = Annotated[Count, typer.Option("--width", help="Nodes of a hidden layer (1000).")]
ActivationName = Annotated[
    Name,
    typer.Option(
        "--activation",
        help="relu, leaky_relu, leaky_relu(0.2), shifted_relu(0.5), tanh, sigmoid, gelu, erf, linear, … (relu).",
    ),
]
Normalise = Annotated[Name, typer.Option("--normalise", help="Of hidden outputs: none, rms (none).")]
Init = Annotated[
    Name, typer.Option("--init", help="Of weights: he, glorot, lecun, each also with _uniform; orthogonal (he).")
]
Start = Annotated[Path | None, typer.Option("--start", help="Start from the network in this .npz.")]
Batch = Annotated[Count, typer.Option("--batch", help="Examples a step (20).")]
Epochs = Annotated[Count, typer.Option("--epochs", help="Passes over the training data (1).")]
Rule = Annotated[
    Name,
    typer.Option(
        "--optimizer", help="adam, lazy_adam (skips what was not drawn), sgd, momentum, nesterov, adagrad (adam)."
    ),
]
LearningRate = Annotated[
    Number, typer.Option("--lr", help="Learning rate (adam: 0.001, sgd and momentum: 0.1, adagrad: 0.01).")
]
MomentumFactor = Annotated[Number, typer.Option("--momentum", help="Of momentum and nesterov (0.9); of sgd (0).")]
Epsilon = Annotated[Number, typer.Option("--eps", help="Of adam (1e-8) and adagrad (1e-10).")]
WeightDecay = Annotated[Number, typer.Option("--weight-decay", help="L2 penalty's factor (0).")]
Schedule = Annotated[Name, typer.Option("--schedule", help="Of the learning rate: constant, linear, cosine, step.")]
Sampled = Annotated[
    Name, typer.Option("--sampled", help="Which products: forward,input_gradient,weight_gradient (all three).")
]
Independent = Annotated[
    bool | None, typer.Option("--independent/--shared", help="Each product its own draw, or one for all (shared).")
]
StepPath = Annotated[Name, typer.Option("--path", help="minibatch, per_example, or what is faster: auto (auto).")]
Asynchronous = Annotated[
    bool | None,
    typer.Option(
        "--asynchronous/--in-order", help="Threads update without locks; results depend on chance (in order)."
    ),
]
Precision = Annotated[Name, typer.Option("--dtype", help="float32 or float64 (float32).")]
Threads = Annotated[
    Count, typer.Option("--threads", help="Threads that share a step (no change of results; default: as useful).")
]
TrainSeed = Annotated[Count, typer.Option("--seed", help="All random numbers are a function of it (0).")]
Validate = Annotated[Name, typer.Option("--validate", help="Validation accuracy by exact or sampled products (exact).")]
Keep = Annotated[Name, typer.Option("--keep", help="The network of the best epoch by validation, or the last (best).")]
Patience = Annotated[Count, typer.Option("--patience", help="Stop after so many epochs without a better validation.")]
MeasureEvery = Annotated[
    Count,
    typer.Option("--measure-every", help="Measure the compounding every so many epochs, first and last too."),
]
MeasureAt = Annotated[
    Name, typer.Option("--measure-at", help="Measure it after these steps of the run too: 0,100,1000.")
]
EvaluateEvery = Annotated[
    Count, typer.Option("--evaluate-every", help="Validate after every so many steps too, on --evaluate-on examples.")
]
EvaluateOn = Annotated[Count, typer.Option("--evaluate-on", help="Validation examples for that (1000).")]
CheckpointFile = Annotated[
    Path | None, typer.Option("--checkpoint", help="Keep the run's state in this file, for --resume.")
]
CheckpointSeconds = Annotated[
    Number, typer.Option("--checkpoint-seconds", help="Write it at least so often within an epoch (60).")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue from --checkpoint; settings not given are the checkpoint's.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write the network to this .npz.")]
Plot = Annotated[
    Path | None, typer.Option("--plot", help="Draw learning curves and confusion into this .svg, .png or .pdf file.")
]
Confusion = Annotated[bool, typer.Option("--confusion", help="Show the confusion matrix of the test set.")]
