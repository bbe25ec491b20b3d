"""Loading a data set by name: raw pixels, splits, standardisation."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import DTypeLike

from approxmm.data.dataset import Dataset, Split
from approxmm.data.registry import resolve
from approxmm.data.source import RawSplit
from approxmm.data.splits import check_split_seed
from approxmm.data.standardise import Standardisation, check_dtype, check_kind, fit_standardisation

__all__ = ["load_data"]


def load_data(
    name: str = "digits",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    standardise: str = "scalar",
    dtype: DTypeLike = np.float32,
    split_seed: int = 0,
    **options: int,
) -> Dataset:
    """Load a data set, split and standardised reproducibly.

    Parameters
    ----------
    name : str
        One of the names of `available`. Options may follow, as in
        "convex:examples=20000" or "small_norb:side=48,cameras=1".
    data_dir : path-like, optional
        Folder that holds `<name>/` with the set's files. By default what the
        environment variable APPROXMM_DATA_DIR names, or approxmm's folder in
        the user's cache, to which `approxmm data fetch` writes.
    standardise : {"scalar", "feature", "unit"}
        "scalar": (x - mean) / deviation with single numbers over all pixels of
        the training split. "feature": the same per feature; a constant feature
        is divided by 1. "unit": x / the largest pixel value of the format.
    dtype : dtype
        float32 or float64.
    split_seed : int
        Key of the split, and of the examples of a generated set; independent of
        any run's seed.
    **options : int
        What the set can be told besides: `examples` (generated sets: how many
        are made for training, some of which validate where the set says so),
        `side` and `cameras` (small NORB: rows of an image after averaging, and
        images of a pair that are used). `available` lists them with defaults.

    Returns
    -------
    Dataset
        Digits: stratified 70 / 10 / 20. Sets in files: the official test
        set; one twelfth of the official training set validates (5,000 of
        60,000). Generated sets: as their `split_description` says. Nothing is
        shuffled: rows keep the source's order.

    Raises
    ------
    InputError
        If the name, an option, the standardisation, the dtype or the seed is
        not accepted.
    MissingError
        If the files are not there.
    DataError
        If a file is damaged or the files do not belong together.
    """
    source, chosen = resolve(name, options)
    check_kind(standardise)
    check_dtype(dtype)
    seed = check_split_seed(split_seed)
    parts = source.read(data_dir, seed, chosen)
    standardisation = fit_standardisation(standardise, parts.train.pixels, source.pixel_max)
    return Dataset(
        name=source.name,
        title=source.title,
        train=_finish(parts.train, standardisation, dtype),
        validation=_finish(parts.validation, standardisation, dtype),
        test=_finish(parts.test, standardisation, dtype),
        classes=source.classes,
        image_shape=source.image_shape(chosen),
        standardisation=standardisation,
        split_description=parts.description,
        split_seed=seed,
        source=source.homepage,
        citation=source.citation,
        licence=source.licence,
    )


def _finish(raw: RawSplit, standardisation: Standardisation, dtype: DTypeLike) -> Split:
    return Split(standardisation.apply(raw.pixels, dtype), raw.labels)
