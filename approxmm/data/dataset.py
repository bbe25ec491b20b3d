"""What every loader returns: three splits, and all that is needed to make them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from approxmm.data.standardise import Standardisation

__all__ = ["Dataset", "Split"]


@dataclass(frozen=True, eq=False)
class Split:
    """Inputs and labels of one part of a data set.

    Attributes
    ----------
    x : ndarray of float32 or float64, shape (n, features)
        Standardised, C-contiguous and writeable: compiled kernels take
        read-only arrays for another type.
    y : ndarray of int64, shape (n,)
        Classes from 0.
    """

    x: NDArray[Any]
    y: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        return f"Split({len(self.x):,} × {self.x.shape[1]:,} {self.x.dtype})"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A labelled data set in three disjoint splits.

    Attributes
    ----------
    name, title : str
        The registry's name, and the name people use.
    train, validation, test : Split
        The statistics of the standardisation come from `train` alone.
    classes : tuple of str
        Their names, in the order of the labels.
    image_shape : tuple of int
        Rows and columns of an image, or planes, rows and columns; their product
        is the number of features.
    standardisation : Standardisation
        Mean and scale that were used, and their description.
    split_description : str
        How the splits were made, in words; together with `split_seed` it fixes
        them.
    split_seed : int
        Key of the split, independent of any run's seed.
    source, citation, licence : str
        Where the data come from, whom to cite, and on what terms.
    """

    name: str
    title: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    image_shape: tuple[int, ...]
    standardisation: Standardisation
    split_description: str
    split_seed: int
    source: str
    citation: str
    licence: str

    @property
    def features(self) -> int:
        """Number of features of one example."""
        return int(self.train.x.shape[1])

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.image_shape))
        return (
            f"<Dataset {self.name}: {self.title}\n"
            f"  train {len(self.train):,}, validation {len(self.validation):,}, test {len(self.test):,}; "
            f"{self.features:,} features ({shape}), {len(self.classes)} classes, {self.train.x.dtype}\n"
            f"  standardised: {self.standardisation.description}\n"
            f"  split: {self.split_description} (split seed {self.split_seed})\n"
            f"  source: {self.source}; licence: {self.licence}>"
        )
