"""The list of data sets, by name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from approxmm.data.cifar import CIFAR10
from approxmm.data.deformed import DIGITS_DEFORMED, MNIST_DEFORMED
from approxmm.data.digits import DIGITS
from approxmm.data.idx_sources import IDX_SOURCES
from approxmm.data.norb import SMALL_NORB
from approxmm.data.shapes import CONVEX, RECTANGLES
from approxmm.data.source import Source
from approxmm.errors import ApproxmmError, InputError

__all__ = ["SOURCES", "DatasetInfo", "available", "resolve", "source_of"]

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (DIGITS, *IDX_SOURCES, SMALL_NORB, CIFAR10, RECTANGLES, CONVEX, DIGITS_DEFORMED, MNIST_DEFORMED)
}
"""Name → source."""


@dataclass(frozen=True)
class DatasetInfo:
    """One line of the list of data sets.

    Attributes
    ----------
    name, title : str
        The name that `load_data` takes, and the name people use.
    shape : tuple of int
        Rows and columns of an image, or planes, rows and columns.
    sizes : tuple of int
        Examples in the training, validation and test splits, as distributed.
    classes : int
        Number of classes.
    source, licence, citation : str
        Where it comes from, on what terms, and whom to cite.
    origin : {"embedded", "generated", "files"}
        Whether it comes with a dependency, is made by a generator (of nothing
        or of another set), or is read from files.
    present : bool
        Whether it can be loaded without fetching (its files are there; their
        content is not looked at).
    options : dict of str to int
        What else `load_data` takes, with defaults; shape and sizes are for these.
    """

    name: str
    title: str
    shape: tuple[int, ...]
    sizes: tuple[int, int, int]
    classes: int
    source: str
    licence: str
    citation: str
    origin: str
    present: bool
    options: dict[str, int]


def available(data_dir: str | os.PathLike[str] | None = None) -> list[DatasetInfo]:
    """List the data sets that `load_data` knows, the embedded one first.

    Parameters
    ----------
    data_dir : path-like, optional
        Where to look for files, as for `load_data`.
    """
    return [_describe(source, data_dir) for source in SOURCES.values()]


def source_of(name: str) -> Source:
    """Return the entry of a name; InputError, with the names and a close one, if there is none."""
    if name in SOURCES:
        return SOURCES[name]
    close = difflib.get_close_matches(str(name).lower().replace("-", "_"), SOURCES, n=1)
    suggestion = f"; did you mean {close[0]!r}?" if close else ""
    raise InputError(f"unknown data set {name!r}, known are {', '.join(SOURCES)}{suggestion}")


def resolve(name: str, given: Mapping[str, Any]) -> tuple[Source, dict[str, int]]:
    """Return the entry and all options of "name" or "name:option=value,…" with further options.

    Raises
    ------
    InputError
        If the name or an option is unknown, a value is not accepted, or an
        option is given twice.
    """
    plain, colon, text = str(name).partition(":")
    source = source_of(plain)
    written = dict(_pair(item, name) for item in text.split(",")) if colon else {}
    twice = sorted(written.keys() & given.keys())
    if twice:
        raise InputError(f"option {twice[0]!r} is in the name {name!r} and given besides; give it once")
    return source, source.check_options({**written, **given})


def _pair(item: str, name: str) -> tuple[str, int | str]:
    key, equals, value = item.partition("=")
    if not (key and equals and value):
        raise InputError(f"cannot read {item!r} in the data set {name!r}; write name:option=value,option=value")
    return key.strip(), int(value) if value.strip().isdecimal() else value


def _describe(source: Source, data_dir: str | os.PathLike[str] | None) -> DatasetInfo:
    options = source.defaults()
    return DatasetInfo(
        name=source.name,
        title=source.title,
        shape=source.image_shape(options),
        sizes=source.sizes(options),
        classes=len(source.classes),
        source=source.homepage,
        licence=source.licence,
        citation=source.citation,
        origin=source.origin,
        present=_is_present(source, data_dir),
        options=options,
    )


def _is_present(source: Source, data_dir: str | os.PathLike[str] | None) -> bool:
    files = source.file_source()
    if files is None:
        return True
    try:
        files.find(files.folder(data_dir))
    except ApproxmmError:
        return False
    return True
