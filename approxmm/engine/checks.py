"""Whether a data set can be trained on, said before time is spent."""

from __future__ import annotations

import numpy as np

from approxmm.data.arrays import check_finite
from approxmm.data.dataset import Dataset, Split
from approxmm.errors import DataError, InputError
from approxmm.network import Network

__all__ = ["check_dataset", "check_fit"]


def check_dataset(data: Dataset) -> None:
    """Raise DataError if a split is empty, a label out of range, a number not finite, or there is nothing to learn."""
    for name in ("train", "validation", "test"):
        _check_split(f"data {data.name!r}, {name} split", getattr(data, name), len(data.classes))
    x, y = data.train.x, data.train.y
    if (y == y[0]).all():
        raise DataError(
            f"data {data.name!r}: all {len(y)} training examples are of class {int(y[0])}; two classes are the least "
            "to learn from"
        )
    if not any((x[i : i + 1000] != x[0]).any() for i in range(0, len(x), 1000)):
        raise DataError(
            f"data {data.name!r}: all features are constant over the training examples; there is nothing to learn from"
        )


def _check_split(name: str, split: Split, classes: int) -> None:
    if len(split.x) == 0:
        raise DataError(f"{name} is empty; give it at least one example")
    if split.x.ndim != 2 or split.y.shape != (len(split.x),):
        raise DataError(
            f"{name} has inputs of shape {split.x.shape} and labels of shape {split.y.shape}; they must be "
            "(N, features) and (N,)"
        )
    if split.y.dtype.kind not in "iu":
        raise DataError(f"{name} has labels of type {split.y.dtype}; they must be integers from 0")
    low, high = int(split.y.min()), int(split.y.max())
    if low < 0 or high >= classes:
        wrong = low if low < 0 else high
        raise DataError(
            f"{name} has label {wrong} (example {int(np.argmax(split.y == wrong))}); labels are 0 … {classes - 1} for "
            f"{classes} classes"
        )
    check_finite(split.x, name)


def check_fit(network: Network, data: Dataset) -> None:
    """Raise InputError unless the network takes the data's features and has an output a class."""
    if network.widths[0] != data.features or network.widths[-1] != len(data.classes):
        raise InputError(
            f"network {network.widths[0]} → {network.widths[-1]} does not fit data {data.name!r} "
            f"({data.features} features, {len(data.classes)} classes)"
        )
