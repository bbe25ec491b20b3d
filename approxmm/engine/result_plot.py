"""A training result as a figure: how it learned, and what it takes for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from approxmm.engine.result import TrainingResult

__all__ = ["draw_result"]

_NUMBERED = 20  # classes up to which counts are written into the cells


def draw_result(result: TrainingResult) -> Figure:
    """Return a figure: loss and accuracy by epoch, the test set's confusion by exact and by sampled products."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 7.6), layout="constrained")
    axes = figure.subplots(2, 2, height_ratios=(1.0, 1.6))
    _draw_loss(axes[0, 0], result)
    _draw_accuracy(axes[0, 1], result)
    _draw_confusion(axes[1, 0], result.confusion, result.classes, f"exact products: {result.test_accuracy:.2%}")
    sampled = f"sampled products: {result.test_accuracy_sampled:.2%}"
    _draw_confusion(axes[1, 1], result.confusion_sampled, result.classes, sampled)
    method, kept = result.settings["method"]["name"], result.kept
    figure.suptitle(
        f"{result.settings['data']}, {method}: {result.status} after {result.epochs} epochs; "
        f"network of epoch {kept['epoch']} ({kept['which']})",
        fontsize="medium",
    )
    return figure


def _draw_loss(ax: Axes, result: TrainingResult) -> None:
    if result.evaluations["step"]:
        x = np.array(result.evaluations["examples"]) / _examples_an_epoch(result)
        ax.plot(x, result.evaluations["train_loss"], color="C0", lw=0.8, alpha=0.5, label="since the last evaluation")
    ax.plot(result.curves["epoch"], result.curves["train_loss"], "o-", ms=3, color="C0", label="mean of an epoch")
    losses = np.array(result.curves["train_loss"] + result.evaluations["train_loss"])
    if losses.size and 0.0 < 10.0 * losses.min() < losses.max():
        ax.set_yscale("log")
    ax.set(ylabel="training loss (nats)")
    ax.legend(fontsize="x-small")
    _finish_curve(ax)


def _draw_accuracy(ax: Axes, result: TrainingResult) -> None:
    if result.evaluations["step"]:
        x = np.array(result.evaluations["examples"]) / _examples_an_epoch(result)
        ax.plot(x, result.evaluations["validation_accuracy"], color="C1", lw=0.8, alpha=0.5)
    by = result.settings["validate"]
    scores = result.curves["validation_accuracy"]
    ax.plot(result.curves["epoch"], scores, "o-", ms=3, color="C1", label=f"validation, {by} products")
    if result.kept["epoch"] in result.curves["epoch"]:
        ax.axvline(result.kept["epoch"], color="0.4", lw=0.8, ls="--", label=f"kept ({result.kept['which']})")
    ax.axhline(result.test_accuracy, color="C2", lw=0.8, ls=":", label="test, exact products")
    ax.axhline(result.test_accuracy_sampled, color="C3", lw=0.8, ls=":", label="test, sampled products")
    ax.set(ylabel="accuracy")
    ax.legend(fontsize="x-small")
    _finish_curve(ax)


def _finish_curve(ax: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    ax.grid(alpha=0.3)


def _examples_an_epoch(result: TrainingResult) -> float:
    """Return the number of training examples, from the curve or, in an incomplete first epoch, from what was seen."""
    return result.curves["examples"][0] if result.curves["examples"] else max(result.examples, 1)


def _draw_confusion(ax: Axes, counts: np.ndarray, classes: tuple[str, ...], title: str) -> None:
    """Draw each true class's shares; the counts are written into the cells."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    places = range(len(classes))
    ax.set_xticks(places, classes, fontsize="x-small", rotation=0 if max(map(len, classes)) < 3 else 90)
    ax.set_yticks(places, classes, fontsize="x-small")
    ax.set(xlabel="predicted", ylabel="true")
    ax.set_title(title, fontsize="small")
    if len(classes) > _NUMBERED:
        return
    for i, j in zip(*np.nonzero(counts), strict=True):
        shade = "white" if shares[i, j] > 0.5 else "black"
        ax.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=6, color=shade)
