"""Settings by name: training methods as a published evaluation ran them, and as their own authors describe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from approxmm.engine.arguments import train_arguments
from approxmm.errors import InputError

__all__ = ["PRESETS", "Preset", "get_preset", "preset"]

_EVALUATION = "Ebrahimi, Advani, Asudeh, arXiv:2306.09293 (2023)"
# Common to all methods of the evaluation: MNIST, hidden layers of 1000, 50 epochs, one example a step, Adam.
_EVALUATED = {
    "data": "mnist",
    "depth": 3,
    "width": 1000,
    "epochs": 50,
    "batch": 1,
    "optimizer": "adam",
    "eps": 1e-4,
    "keep": "last",
}
_OWN = {"data": "mnist", "width": 1000, "depth": 3, "epochs": 10, "batch": 20, "optimizer": "adam", "lr": 1e-3}


@dataclass(frozen=True)
class Preset:
    """Settings under a name.

    Attributes
    ----------
    title, source : str
    settings : mapping
        Plain values; see `train_arguments`.
    deviations : tuple of str
        What of the source is not reproduced.
    """

    title: str
    source: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    deviations: tuple[str, ...] = ()


PRESETS: dict[str, Preset] = {
    "published_standard": Preset(
        "exact training, as evaluated",
        _EVALUATION,
        {**_EVALUATED, "method": "exact", "lr": 1e-4},
        ("one variant of the code uses sigmoids; here it is ReLU (--activation sigmoid)",),
    ),
    "published_alsh": Preset(
        "active sets by hash tables, as evaluated",
        _EVALUATION,
        {
            **_EVALUATED,
            "method": "alsh",
            "budget": 0.05,
            "options": {
                "transform": "l2_alsh",
                "bits": 6,
                "tables": 5,
                "norm_power": 3,
                "U": 0.83,
                "rebuild": "published",
            },
            "activation": "leaky_relu",
            "lr": 1e-3,
        },
        (
            "weights are not normalised by weight normalisation, nor rescaled to build the tables",
            "layers have biases",
            "every forward pass is run once, not twice",
        ),
    ),
    "published_dropout": Preset(
        "dropout that keeps 5 %, as evaluated",
        _EVALUATION,
        {**_EVALUATED, "method": "dropout", "budget": 0.05, "lr": 1e-3},
        (
            "all hidden layers are trained (the code leaves all but the first out of the optimiser)",
            "dropout is off at test time in all layers; test_accuracy_sampled is the accuracy with it on",
        ),
    ),
    "published_standout": Preset(
        "adaptive dropout, as evaluated: it keeps every node with a positive pre-activation",
        _EVALUATION,
        {**_EVALUATED, "method": "adaptive_dropout", "options": {"variant": "published"}, "lr": 1e-3},
        ("the learning rate is that of dropout; the source states none for this method",),
    ),
    "published_column_row": Preset(
        "column-row sampling, as evaluated: 10 % in the backward products, 20 examples a step",
        _EVALUATION,
        {
            **_EVALUATED,
            "method": "bernoulli",
            "budget": 0.1,
            "options": {"uniform_mixture": 0.1},
            "sampled": ["input_gradient", "weight_gradient"],
            "batch": 20,
            "lr": 1e-4,
        },
        (
            "the mixture with uniform probabilities comes before the probabilities are cut at 1, so the expected "
            "number of pairs is the budget",
            "both backward products are sampled over the layer's inputs, by one draw; the code samples them over nodes "
            "and over the examples of the step, 10 pairs at least",
            "no fallback where none is drawn, which is biased",
            "the learning rate is that of exact training; the source states none for this method",
        ),
    ),
    "intended_alsh": Preset(
        "active sets by hash tables, as their authors mean them: one hidden layer, pooled inputs, most frequent nodes",
        "Spring, Shrivastava, KDD (2017), arXiv:1602.08194",
        {
            **_OWN,
            "depth": 1,
            "epochs": 3,
            "batch": 1,
            "init": "glorot",
            "method": "alsh",
            "budget": 0.05,
            "options": {
                "transform": "none",
                "bits": 3,
                "tables": 100,
                "pool": 4,
                "ranking": "frequency",
                "rebuild": "published",
            },
            "optimizer": "lazy_adam",
            "lr": 2e-3,
            "schedule": "linear",
            "keep": "last",
        },
        (
            "3 bits a table instead of 6, and inputs pooled by 4 instead of 8: both find more of the largest nodes",
            "Adam instead of Adagrad with momentum, and no L2 penalty (--weight-decay makes every step dense)",
        ),
    ),
    "intended_dropout": Preset(
        "dropout that keeps half, unscaled in training and scaled at test time",
        "Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, JMLR 15 (2014)",
        {**_OWN, "method": "dropout", "budget": 0.5, "options": {"scaled": False}},
        ("no dropout of inputs, no max-norm constraint; Adam instead of momentum",),
    ),
    "intended_standout": Preset(
        "adaptive dropout by a sigmoid of the pre-activation",
        "Ba, Frey, NIPS (2013)",
        {**_OWN, "method": "adaptive_dropout", "options": {"alpha": 1.0, "beta": 0.0}},
        ("exact test-time products are not weighted by the keep probabilities; Adam instead of momentum",),
    ),
    "intended_column_row": Preset(
        "Bernoulli column-row sampling of 30 % of the pairs in all three products, 20 examples a step",
        "Adelman, Levy, Hakimi, Silberstein, NeurIPS (2021), arXiv:1805.08079",
        {
            **_OWN,
            "standardise": "unit",
            "method": "bernoulli",
            "budget": 0.3,
            "normalise": "rms",
            "optimizer": "sgd",
            "lr": 0.1,
            "schedule": "linear",
            "keep": "last",
        },
        (
            "probabilities follow the column norms of the whole batch; no mixture with uniform ones",
            "pixels in [0, 1] and RMS normalisation, without which the same budget loses more (docs/training.md)",
        ),
    ),
    "intended_column_row_backward": Preset(
        "the 10 % most important column-row pairs of both backward products, exact forward, 10 examples a step",
        "Adelman, Levy, Hakimi, Silberstein, NeurIPS (2021), arXiv:1805.08079",
        {
            **_OWN,
            "standardise": "unit",
            "batch": 10,
            "method": "top_k",
            "budget": 0.1,
            "sampled": ["input_gradient", "weight_gradient"],
            "normalise": "rms",
            "optimizer": "sgd",
            "lr": 0.05,
            "schedule": "linear",
            "keep": "last",
        },
        (
            "Bernoulli sampling, which loses more (docs/training.md): these are the largest pairs, as an option there",
            "standardised pixels: these lie in [0, 1]; and hidden outputs are normalised",
        ),
    ),
    "intended_screening": Preset(
        "active sets by principal-subspace scores, RMS normalisation, the same path at test time, seven layers",
        "none known; see `approxmm methods`",
        {
            **_OWN,
            "depth": 7,
            "epochs": 3,
            "method": "subspace_screen",
            "budget": 0.05,
            "options": {"rank": 48},
            "optimizer": "lazy_adam",
            "normalise": "rms",
            "schedule": "linear",
            "validate": "sampled",
            "keep": "last",
        },
    ),
}


def get_preset(name: str) -> Preset:
    """Return a preset by name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in PRESETS:
        close = get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(f"preset={name!r} is unknown; {hint}choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def preset(name: str, **changes: Any) -> dict[str, Any]:
    """Return a preset as arguments of `train`: ``train(data, **preset("published_alsh", epochs=1))``.

    Parameters
    ----------
    name : str
        One of `PRESETS`. Its data set is ``PRESETS[name].settings["data"]``, standardised as ``"standardise"`` there
        says (``"scalar"`` if it does not).
    **changes
        Plain values that take the place of the preset's; see `train_arguments`.
    """
    settings = {key: value for key, value in get_preset(name).settings.items() if key not in ("data", "standardise")}
    return train_arguments(settings | changes)
