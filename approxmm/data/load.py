"""Loading a data set by name: raw pixels, splits, standardisation."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import DTypeLike

from approxmm.data import digits
from approxmm.data.dataset import Dataset, Split
from approxmm.data.mnist_family import RawSplit, load_raw
from approxmm.data.registry import DIGITS, source_of
from approxmm.data.sources import Source
from approxmm.data.splits import check_split_seed, holdout_split, stratified_split
from approxmm.data.standardise import Standardisation, check_dtype, check_kind, fit_standardisation

__all__ = ["load_data"]


def load_data(
    name: str = DIGITS,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    standardise: str = "scalar",
    dtype: DTypeLike = np.float32,
    split_seed: int = 0,
) -> Dataset:
    """Load a data set, split and standardised reproducibly.

    Parameters
    ----------
    name : str
        One of the names of `available`.
    data_dir : path-like, optional
        Folder that holds `<name>/` with the IDX files. By default what the
        environment variable APPROXMM_DATA_DIR names, or approxmm's folder in
        the user's cache, to which `approxmm data fetch` writes.
    standardise : {"scalar", "feature", "unit"}
        "scalar": (x - mean) / deviation with single numbers over all pixels of
        the training split. "feature": the same per feature; a constant feature
        is divided by 1. "unit": x / the largest pixel value of the format.
    dtype : dtype
        float32 or float64.
    split_seed : int
        Key of the split, independent of any run's seed.

    Returns
    -------
    Dataset
        Digits: stratified 70 / 10 / 20. The MNIST family: the official test
        set; one twelfth of the official training set validates (5,000 of
        60,000). Nothing is shuffled: rows keep the source's order.

    Raises
    ------
    InputError
        If the name, the standardisation, the dtype or the seed is not accepted.
    MissingError
        If the files are not there.
    DataError
        If a file is damaged or the files do not belong together.
    """
    source = source_of(name)
    check_kind(standardise)
    check_dtype(dtype)
    seed = check_split_seed(split_seed)
    if source is None:
        return _load_digits(standardise, dtype, seed)
    return _load_idx(source, data_dir, standardise, dtype, seed)


def _load_digits(standardise: str, dtype: DTypeLike, seed: int) -> Dataset:
    raw = digits.load_raw_digits()
    train, validation, test = (RawSplit(raw.pixels[i], raw.labels[i]) for i in stratified_split(raw.labels, seed))
    standardisation = fit_standardisation(standardise, train.pixels, digits.PIXEL_MAX)
    return Dataset(
        name=DIGITS,
        title=digits.TITLE,
        train=_finish(train, standardisation, dtype),
        validation=_finish(validation, standardisation, dtype),
        test=_finish(test, standardisation, dtype),
        classes=tuple("0123456789"),
        image_shape=digits.IMAGE_SHAPE,
        standardisation=standardisation,
        split_description="70 / 10 / 20 within every class",
        split_seed=seed,
        source=digits.SOURCE,
        citation=digits.CITATION,
        licence=digits.LICENCE,
    )


def _load_idx(
    source: Source, data_dir: str | os.PathLike[str] | None, standardise: str, dtype: DTypeLike, seed: int
) -> Dataset:
    official, test = load_raw(source, data_dir)
    train, validation = (
        RawSplit(official.pixels[i], official.labels[i]) for i in holdout_split(len(official.labels), seed)
    )
    standardisation = fit_standardisation(standardise, train.pixels, source.pixel_max)
    return Dataset(
        name=source.name,
        title=source.title,
        train=_finish(train, standardisation, dtype),
        validation=_finish(validation, standardisation, dtype),
        test=_finish(test, standardisation, dtype),
        classes=source.classes,
        image_shape=source.image_shape,
        standardisation=standardisation,
        split_description="the official test set; a random twelfth of the official training set validates",
        split_seed=seed,
        source=source.homepage,
        citation=source.citation,
        licence=source.licence,
    )


def _finish(raw: RawSplit, standardisation: Standardisation, dtype: DTypeLike) -> Split:
    return Split(standardisation.apply(raw.pixels, dtype), raw.labels)
