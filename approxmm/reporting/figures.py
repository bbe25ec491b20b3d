"""The figures that a report can hold: one entry a figure, drawn where its tables are at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from approxmm.reporting.canvas import drawing, save
from approxmm.reporting.fig_accuracy import draw_accuracy
from approxmm.reporting.fig_closure import closure_summary, draw_closure
from approxmm.reporting.fig_compounding import draw_compounding, draw_moments, draw_output_error
from approxmm.reporting.fig_depth import draw_depth_error, draw_depth_layers
from approxmm.reporting.fig_field import draw_field_depth, draw_field_law
from approxmm.reporting.fig_field_shares import draw_field_parts, draw_field_shares
from approxmm.reporting.fig_law import draw_law
from approxmm.reporting.fig_ratios import draw_ratios
from approxmm.reporting.fig_recall import draw_recall
from approxmm.reporting.fig_retrieval import draw_retrieval
from approxmm.reporting.series import MethodStyle, Series, method_styles, series_of
from approxmm.reporting.tables import TableView, accuracy_summary, output_summary

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from approxmm.studies.study import Study

__all__ = ["FIGURES", "Drawing", "FigureKind", "Picture", "draw_figures"]

_TEN_CLASSES = {"digits", "mnist", "fashion_mnist", "kmnist", "emnist_digits"}


@dataclass(frozen=True)
class Drawing:
    """What a figure may look at: the study's tables, the methods' styles, and the accuracy of guessing."""

    tables: Mapping[str, pd.DataFrame]
    styles: Mapping[str, MethodStyle] = field(default_factory=dict)
    chance: float | None = None

    def series(self, table: str) -> Iterator[Series]:
        """Yield the series of one table."""
        return series_of(self.tables[table], self.styles)


@dataclass(frozen=True)
class FigureKind:
    """One entry of the registry.

    Attributes
    ----------
    name : str
        File name without suffix.
    table : str
        The table it draws.
    columns : tuple of str
        Columns without which it cannot be drawn.
    title, caption, alternative : str
        Heading; how to read it; what a reader who does not see it should know.
    draw : callable (Drawing) -> Figure
    summary : callable (DataFrame) -> TableView, optional
        A table for the page that is shorter than the records.
    summary_title : str
    """

    name: str
    table: str
    columns: tuple[str, ...]
    title: str
    caption: str
    alternative: str
    draw: Callable[[Drawing], Figure]
    summary: Callable[[pd.DataFrame], TableView] | None = None
    summary_title: str = ""

    def fits(self, tables: Mapping[str, pd.DataFrame]) -> bool:
        """Return whether the table is there, with records and the columns it needs."""
        table = tables.get(self.table)
        return table is not None and len(table) > 0 and set(self.columns) <= set(table.columns)


@dataclass(frozen=True)
class Picture:
    """A figure that was drawn, and its two files."""

    kind: FigureKind
    svg: Path
    png: Path


# In the order of the page; the first is the main figure.
FIGURES = (
    FigureKind(
        "compounding",
        "compounding",
        ("method", "depth", "layer", "prediction", "simulated"),
        "Predicted and measured compounding of the error, by layer",
        "Each panel is one method on the deepest trained network. The solid line is the prediction from exact "
        "one-step errors, for unbiased methods; the dashed line is the theorem with measured ratios, squared, for "
        "the perfect active set. Filled points are Monte Carlo on the trained network with 95 % intervals; open "
        "points were measured inside the training engine on a probe batch. Where points and line part, the line’s "
        "assumption fails: equal gain for error and signal in every layer, or one ratio for all nodes of a linear "
        "network.",
        "Small multiples, one panel a method: relative squared error on a log scale by layer, predicted as lines and "
        "measured as points.",
        draw_compounding,
    ),
    FigureKind(
        "output_error",
        "compounding",
        ("method", "depth", "layer", "prediction", "simulated"),
        "Error of the output against depth",
        "The last layer’s relative error of each trained network; marks as in the figure above. Points at different "
        "depths belong to different networks. An error of exactly zero has no place on a logarithmic axis.",
        "Small multiples, one panel a method: relative squared error of the output on a log scale against the "
        "number of layers.",
        draw_output_error,
        output_summary,
        "The last layer’s relative error, in numbers",
    ),
    FigureKind(
        "accuracy",
        "accuracy",
        ("method", "depth", "status", "test_accuracy", "test_accuracy_sampled"),
        "Test accuracy by depth and method",
        "Markers are means over seeds, bars run from the lowest to the highest seed; methods stand side by side at "
        "each depth. Left: the trained weights tested with exact products. Right: the same weights tested along the"
        " sampled path that training used.",
        "Two panels of test accuracy against depth, one line a method: exact products at test time, and the sampled"
        " path.",
        draw_accuracy,
        accuracy_summary,
        "Mean test accuracy in per cent: exact products / sampled path",
    ),
    FigureKind(
        "law",
        "law",
        ("layer", "ratio", "relative_to_estimate", "relative_to_exact"),
        "The theorem of the negative result",
        "The active nodes’ sum is c times the inactive nodes’ sum at every node of every layer. Relative to the "
        "estimate (log scale) the error grows exponentially; relative to the exact value it tends to 1: the signal "
        "is lost.",
        "Two panels of the theorem's error by layer, one line a ratio c: relative to the estimate and to the exact "
        "value.",
        draw_law,
    ),
    FigureKind(
        "ratios",
        "ratios",
        ("depth", "layer", "ratio"),
        "The ratio of active to inactive sums, measured",
        "The theorem takes one ratio c for all nodes. The points are the effective ratio of each layer; the "
        "vertical bars show, for the deepest network, how far single nodes differ.",
        "Effective ratio of active to inactive sums by layer on a log scale, one line a depth.",
        draw_ratios,
    ),
    FigureKind(
        "moments",
        "moments",
        ("method", "depth", "layer", "exact", "simulated"),
        "Exact second moments against simulation, linear stacks",
        "Lines are the exact expected error from the recursion of second moments, points are Monte Carlo with 95 % "
        "intervals, on the deepest stack of each method. Nothing was fitted; about one interval in twenty misses its "
        "line by chance.",
        "Small multiples, one panel a method: relative squared error of linear stacks by layer, exact as lines, "
        "simulated as points.",
        draw_moments,
    ),
    FigureKind(
        "recall",
        "recall",
        ("method", "depth", "layer", "budget", "recall", "bits", "tables", "rank"),
        "Recall of the truly active nodes, by layer",
        "The deepest network, one panel a budget. Lines are the settings of each index; the dashed line is what a "
        "random set of the budget's size would find.",
        "One panel a budget: recall between 0 and 1 by layer, one line for each setting of hash tables and of subspace "
        "screening, and the budget as a dashed line.",
        draw_recall,
    ),
    FigureKind(
        "retrieval",
        "recall",
        ("method", "depth", "layer", "budget", "recall", "active", "expected", "expected_active", "bits", "tables"),
        "What hash tables find, and how much they retrieve for it",
        "Means over the layers of the deepest network, one panel a budget, one line for each number of bits K with its "
        "numbers of tables L. The closer to the dashed line, the less the tables know; dotted: what the closed form "
        "expects over hyperplanes.",
        "One panel a budget: recall against the share of nodes that the tables retrieve, one line for each K, and the "
        "diagonal of a random set.",
        draw_retrieval,
    ),
    FigureKind(
        "field_law",
        "field",
        ("activation", "method", "options", "budget", "depth", "layer", "law_to_estimate", "measured_to_estimate"),
        "The theorem with measured ratios, and the measured error",
        "Deepest networks, one column a selection, one row an activation; norms, relative to the estimate, as in the "
        "published form of the theorem. Solid: Π(1 + 1/c) − 1 with the ratios measured at each layer. Points: the "
        "selected network itself. Between the two lies what one ratio cannot see: the dispersion of the nodes’ shares, "
        "and what biases and nonlinearities do. The dashed law knows, besides the ratio, the norm that the active sums "
        "keep. Where points flatten, hardly more than the biases is left in ŷ; neither law knows of biases.",
        "Grid of panels: error relative to the estimate on a log scale by layer, two predictions as lines and the "
        "measured error as points.",
        draw_field_law,
    ),
    FigureKind(
        "field_shares",
        "shares",
        ("activation", "method", "options", "budget", "depth", "layer", "share", "q05", "q25", "q50", "q75", "q95"),
        "How far from one ratio: the nodes’ active shares",
        "Deepest network of the first activation; one bar a layer. The theorem assumes that all nodes of a layer have "
        "one share s = c/(c + 1), between 0 and 1. Below 0 the active sum opposes the whole, above 1 the inactive one "
        "does. The point is the share that fits best in least squares, which the theorem is given here.",
        "Grid of panels: quantiles of the nodes' active shares by layer as bars that reach below 0 and above 1, and "
        "the least-squares share as a point.",
        draw_field_shares,
    ),
    FigureKind(
        "field_parts",
        "field",
        ("activation", "method", "options", "budget", "depth", "layer", "law", "measured", "mean_part", "dispersion"),
        "The measured error, divided exactly",
        "Deepest network of the first activation. The height of a bar is the measured squared error relative to the "
        "exact value. Its lower part is all that one share for all nodes could explain, and rescaling would remove; "
        "the upper part is the error of direction. The dash is the theorem’s prediction.",
        "Grid of panels: stacked bars of the two parts of the squared error by layer, with the theorem's prediction as "
        "a dash.",
        draw_field_parts,
    ),
    FigureKind(
        "field_depth",
        "field",
        ("activation", "method", "options", "budget", "depth", "layer", "law_to_estimate", "measured_to_estimate"),
        "The same at the last sampled product, against depth",
        "Each point is a network of its own. Marks as in the first figure.",
        "Grid of panels: error relative to the estimate on a log scale against the number of hidden layers, two "
        "predictions as lines and the measured error as points.",
        draw_field_depth,
    ),
    FigureKind(
        "closure",
        "closure",
        ("method", "budget", "depth", "layer", "full_off", "diagonal_off", "interval"),
        "Moment closure against simulation, by layer",
        "The deepest network, one panel a method: how far the predicted relative error is from the simulated one, with "
        "full covariances (bars: the simulation's 95 % interval) and with variances alone. The grey band is ± 5 %; "
        "points beyond the axis stand at its edge.",
        "Small multiples, one panel a method: relative difference of predicted and simulated error in per cent by "
        "layer, one colour a budget.",
        draw_closure,
        closure_summary,
        "The difference at the output in per cent: full / diagonal (± the simulation’s interval)",
    ),
    FigureKind(
        "depth_error",
        "accuracy",
        ("method", "options", "budget", "depth", "seed", "multiplications", "test_accuracy", "test_accuracy_sampled"),
        "What is lost at the largest depth",
        "One point a seed: the share of wrong answers on the test set, by exact products (open) and along the sampled "
        "path that training used (filled).",
        "Points of test error on a log scale, one row a run.",
        draw_depth_error,
    ),
    FigureKind(
        "depth_layers",
        "layers",
        ("method", "options", "budget", "depth", "layer", "recall", "cosine"),
        "What the selection finds, and what is left of the direction",
        "The deepest networks after training, by layer. Recall is of the nodes with the largest pre-activations, given "
        "the layer’s input as the sampled path delivers it.",
        "Two panels by layer, one line a run: recall between 0 and 1, and the cosine of sampled and exact outputs.",
        draw_depth_layers,
    ),
)


def draw_figures(study: Study, folder: Path) -> list[Picture]:
    """Draw all figures whose tables the study has into `folder`, in the order of the page."""
    kinds = [kind for kind in FIGURES if kind.fits(study.tables)]
    if not kinds:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    context = Drawing(study.tables, method_styles(study.tables), _chance(study.settings))
    with drawing():
        return [Picture(kind, *save(kind.draw(context), folder, kind.name)) for kind in kinds]


def _chance(settings: Mapping[str, Any]) -> float | None:
    """Return the accuracy of guessing, where the study states the number of classes or names a known data set."""
    classes = settings.get("classes")
    if isinstance(classes, int) and classes > 0:
        return 1.0 / classes
    known = {str(settings.get(key)) for key in ("data", "dataset")} & _TEN_CLASSES
    return 0.1 if known else None
