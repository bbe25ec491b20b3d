"""What a study runs: checked settings, one class a study."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ClosureSettings",
    "DepthSettings",
    "FieldSettings",
    "QuickSettings",
    "RecallSettings",
    "Selection",
    "StudySettings",
    "TrainingRun",
]

Count = Annotated[int, Field(ge=1)]
Product = Literal["forward", "input_gradient", "weight_gradient"]


class StudySettings(BaseModel):
    """Base of all settings: frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class QuickSettings(StudySettings):
    """Settings of the quick study; the defaults fit into a minute of two cores.

    Attributes
    ----------
    data : str
        Name of a data set.
    data_dir : str, optional
        Where it lies (for those that are not embedded).
    methods : tuple of str
        Methods that are trained with.
    budget : float
        Fraction of the sampled side, for every method.
    depths : tuple of int
        Hidden layers of the trained networks.
    width, epochs, batch : int
        Of training.
    seeds, seed : int
        Number of seeds, and the first.
    probe, trials : int
        Validation images on which trained networks are measured, and the simulation's trials there.
    linear_trials, linear_inputs : int
        Trials and inputs of the linear stacks.
    ratios : tuple of float
        Ratios c for which the theorem is tabulated.
    theorems : tuple of str
        Theorems that the figures rest on, proved in the same run.
    """

    study: Literal["quick"] = "quick"
    data: str = "digits"
    data_dir: str | None = None
    methods: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "exact",
        "dropout",
        "with_replacement",
        "bernoulli",
        "oracle_active",
    )
    budget: Annotated[float, Field(gt=0, le=1)] = 0.25
    depths: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 2, 3, 4, 5, 6, 7)
    width: Count = 200
    epochs: Count = 15
    batch: Count = 20
    seeds: Count = 2
    seed: Annotated[int, Field(ge=0, lt=2**62)] = 0
    probe: Count = 100
    trials: Annotated[int, Field(ge=2)] = 40
    linear_trials: Annotated[int, Field(ge=2)] = 400
    linear_inputs: Count = 20
    ratios: tuple[Annotated[float, Field(gt=0)], ...] = (1.0, 2.0, 5.0, 10.0, 20.0)
    theorems: tuple[str, ...] = (
        "error_compounds_geometrically",
        "varying_ratios_compound_as_a_product",
        "second_moments_propagate_exactly",
        "with_replacement_sampling_is_unbiased",
        "bernoulli_sampling_is_unbiased",
        "optimal_probabilities_with_replacement",
    )


class RecallSettings(StudySettings):
    """Settings of the recall study; they are the arguments of `recall_of_active_sets`, explained there."""

    study: Literal["recall"] = "recall"
    data: str = "digits"
    data_dir: str | None = None
    depths: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 3, 5)
    width: Count = 200
    epochs: Count = 5
    budgets: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)] = (0.05, 0.1)
    hashes: tuple[tuple[Annotated[int, Field(ge=1, le=62)], Count], ...] = ((6, 5), (9, 50))
    transform: str = "simple_lsh"
    ranks: tuple[Count, ...] = (8, 16, 32)
    examples: Count = 40
    observed: Count = 512
    builds: Count = 5
    seed: Annotated[int, Field(ge=0, lt=2**62)] = 0


class ClosureSettings(StudySettings):
    """Settings of the closure study: predicted against simulated errors of trained networks.

    Attributes
    ----------
    data, data_dir : str
        Data set, and where it lies.
    depths : tuple of int
        Hidden layers of the networks.
    width, epochs : int
        Of training, with exact products.
    methods : tuple of (name, options)
    budgets : tuple of float
        Of every method that has one.
    full : bool
        Whether to run the closure with full covariances beside the diagonal one.
    inputs, trials : int
        Validation examples, and trials of the simulation.
    seed : int
        Of training and simulation.
    """

    study: Literal["closure"] = "closure"
    data: str = "digits"
    data_dir: str | None = None
    depths: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 2, 4, 8)
    width: Count = 128
    epochs: Count = 5
    methods: Annotated[tuple[tuple[str, dict[str, bool | int | float | str]], ...], Field(min_length=1)] = (
        ("dropout", {}),
        ("with_replacement", {}),
        ("with_replacement", {"probabilities": "weights"}),
        ("bernoulli", {}),
        ("winner_take_all", {}),
        ("adaptive_dropout", {}),
    )
    budgets: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)] = (0.05, 0.1, 0.2, 0.5)
    full: bool = True
    inputs: Count = 20
    trials: Annotated[int, Field(ge=2)] = 400
    seed: Annotated[int, Field(ge=0, lt=2**62)] = 0


class Selection(StudySettings):
    """A method and its options, without a budget."""

    method: str
    options: dict[str, bool | int | float | str] = {}


class FieldSettings(StudySettings):
    """Settings of the field study: the theorem's ratio measured on trained networks.

    Attributes
    ----------
    data, data_dir : str
        As for the quick study.
    activations, depths, width, epochs, batch
        Of the networks, one for each activation and number of hidden layers, trained with exact products.
    budgets : tuple of float
        Active fractions.
    selections : tuple of Selection
        Whose active sets are measured.
    examples : int
        Validation images they are measured on.
    draws, trials : int
        Draws of the shares, and trials of the simulation, for selections that are random.
    seed : int
    """

    study: Literal["field"] = "field"
    data: str = "digits"
    data_dir: str | None = None
    activations: Annotated[tuple[str, ...], Field(min_length=1)] = ("relu", "linear")
    depths: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 2, 3, 4, 5, 6, 7)
    width: Count = 200
    epochs: Count = 5
    batch: Count = 20
    budgets: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)] = (0.05, 0.25)
    selections: Annotated[tuple[Selection, ...], Field(min_length=1)] = (
        Selection(method="oracle_active"),
        Selection(method="oracle_active", options={"by": "magnitude"}),
        Selection(method="top_k"),
        Selection(method="subspace_screen", options={"rank": 16}),
        Selection(method="alsh"),
        Selection(method="dropout", options={"scaled": False}),
    )
    examples: Count = 100
    draws: Count = 10
    trials: Annotated[int, Field(ge=2)] = 40
    seed: Annotated[int, Field(ge=0, lt=2**62)] = 0


class TrainingRun(StudySettings):
    """One way of training, at every depth and with every seed.

    Attributes
    ----------
    method, budget, options
        Of the sampling; the budget of exact products means nothing.
    label : str
        Sets it apart from another run of the same method and budget.
    batch : int
    optimizer, lr, schedule
        As for `approxmm train`.
    normalise : {"none", "rms"}
        Of every hidden layer's outputs.
    sampled : tuple of str
        The products that are sampled.
    depths : tuple of int
        Only these of the study's; all if empty.
    seeds : int, optional
        Only the first so many of the study's.
    """

    method: str = "exact"
    budget: Annotated[float, Field(gt=0, le=1)] = 0.05
    options: dict[str, bool | int | float | str] = {}
    label: str = ""
    batch: Count = 20
    optimizer: str = "lazy_adam"
    lr: Annotated[float, Field(gt=0)] | None = None
    schedule: str = "linear"
    normalise: Literal["none", "rms"] = "none"
    sampled: Annotated[tuple[Product, ...], Field(min_length=1)] = ("forward", "input_gradient", "weight_gradient")
    depths: tuple[Count, ...] = ()
    seeds: Count | None = None


class DepthSettings(StudySettings):
    """Settings of the depth study: what training with sampled products keeps of the accuracy, by depth.

    Attributes
    ----------
    data, data_dir : str
        As for the quick study.
    runs : tuple of TrainingRun
    depths, width, epochs
        Of all runs.
    seeds, seed : int
        Number of seeds, and the first.
    probe : int
        Validation images on which recall and compounding are measured at the end (first seed).
    """

    study: Literal["depth"] = "depth"
    data: str = "digits"
    data_dir: str | None = None
    runs: Annotated[tuple[TrainingRun, ...], Field(min_length=1)] = (
        TrainingRun(),
        TrainingRun(method="oracle_active", normalise="rms"),
        TrainingRun(method="subspace_screen", normalise="rms"),
        TrainingRun(method="alsh", normalise="rms"),
    )
    depths: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 3, 7)
    width: Count = 400
    epochs: Count = 10
    seeds: Count = 2
    seed: Annotated[int, Field(ge=0, lt=2**62)] = 0
    probe: Count = 100
