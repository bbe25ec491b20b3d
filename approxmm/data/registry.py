"""The list of data sets."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass

from approxmm.data import digits
from approxmm.data.location import find_files, set_folder
from approxmm.data.sources import SOURCES, Source
from approxmm.errors import ApproxmmError, InputError

__all__ = ["DIGITS", "DatasetInfo", "available", "source_of"]

DIGITS = "digits"
"""Name of the embedded set."""


@dataclass(frozen=True)
class DatasetInfo:
    """One line of the list of data sets.

    Attributes
    ----------
    name, title : str
        The name that `load_data` takes, and the name people use.
    shape : tuple of int
        Rows and columns of an image.
    sizes : tuple of int
        Examples in the training, validation and test splits, as distributed.
    classes : int
        Number of classes.
    licence, citation : str
        On what terms, and whom to cite.
    embedded : bool
        Whether it comes with a dependency, so that nothing is to be fetched.
    present : bool
        Whether it can be loaded without fetching (its files are there; their
        content is not looked at).
    """

    name: str
    title: str
    shape: tuple[int, int]
    sizes: tuple[int, int, int]
    classes: int
    licence: str
    citation: str
    embedded: bool
    present: bool


def available(data_dir: str | os.PathLike[str] | None = None) -> list[DatasetInfo]:
    """List the data sets that `load_data` knows, the embedded one first.

    Parameters
    ----------
    data_dir : path-like, optional
        Where to look for files, as for `load_data`.
    """
    embedded = DatasetInfo(
        name=DIGITS,
        title=digits.TITLE,
        shape=digits.IMAGE_SHAPE,
        sizes=digits.SIZES,
        classes=10,
        licence=digits.LICENCE,
        citation=digits.CITATION,
        embedded=True,
        present=True,
    )
    return [embedded, *(_describe(source, data_dir) for source in SOURCES.values())]


def _check_name(name: str) -> str:
    """Return the name, or raise InputError that lists the names and suggests a close one."""
    names = [DIGITS, *SOURCES]
    if name in names:
        return name
    close = difflib.get_close_matches(str(name).lower().replace("-", "_"), names, n=1)
    suggestion = f"; did you mean {close[0]!r}?" if close else ""
    raise InputError(f"unknown data set {name!r}, known are {', '.join(names)}{suggestion}")


def source_of(name: str) -> Source | None:
    """Return the table's entry of a name, None for the embedded set; InputError for an unknown name."""
    return SOURCES.get(_check_name(name))


def _describe(source: Source, data_dir: str | os.PathLike[str] | None) -> DatasetInfo:
    try:
        find_files(source, set_folder(source, data_dir))
        present = True
    except ApproxmmError:
        present = False
    count, test = source.counts
    return DatasetInfo(
        name=source.name,
        title=source.title,
        shape=source.image_shape,
        sizes=(count - count // 12, count // 12, test),
        classes=len(source.classes),
        licence=source.licence,
        citation=source.citation,
        embedded=False,
        present=present,
    )
