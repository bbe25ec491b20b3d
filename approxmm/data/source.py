"""What a data set is before it is loaded: its facts, its options, and how its examples are read or made."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from approxmm.data.location import VARIABLE, data_folder, find_file
from approxmm.data.splits import holdout_split
from approxmm.errors import InputError, MissingError

__all__ = ["Archive", "DataFile", "FileSource", "Option", "Parts", "RawSplit", "Source"]


@dataclass(frozen=True)
class DataFile:
    """One of the files of a set.

    Attributes
    ----------
    name : str
        Its usual name, without ``.gz``.
    size : int or None
        Bytes of the compressed file as distributed.
    checksum, content_checksum : str or None
        "algorithm:hexadecimal" of the compressed file as distributed, and of
        its uncompressed content; None where it is not known.
    """

    name: str
    size: int | None = None
    checksum: str | None = None
    content_checksum: str | None = None


@dataclass(frozen=True)
class Archive:
    """A zip archive that holds the compressed files in `folder`."""

    name: str
    size: int
    checksum: str
    folder: str


@dataclass(frozen=True, eq=False)
class RawSplit:
    """Pixels (uint8, shape (n, features), row by row) and labels (int64 from 0, shape (n,))."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> RawSplit:
        """Return a copy of some examples."""
        return RawSplit(self.pixels[rows], self.labels[rows])


@dataclass(frozen=True, eq=False)
class Parts:
    """The three splits before standardisation, and how they were made, in words."""

    train: RawSplit
    validation: RawSplit
    test: RawSplit
    description: str


@dataclass(frozen=True)
class Option:
    """An integer that a data set depends on: its default, the values it may have, and what it is, in words."""

    default: int
    allowed: range | tuple[int, ...]
    words: str

    @property
    def limits(self) -> str:
        """The allowed values, in words."""
        if isinstance(self.allowed, range):
            return f"an integer from {self.allowed.start} to {self.allowed.stop - 1}"
        return "one of " + ", ".join(map(str, self.allowed))


@dataclass(frozen=True, kw_only=True)
class Source(ABC):
    """A data set by name.

    Attributes
    ----------
    name, title : str
        The registry's name, and the name people use.
    classes : tuple of str
        In the order of the labels.
    homepage, citation, licence : str
        Where it comes from, whom to cite, and on what terms.
    pixel_max : int
        The largest pixel value of the format.
    options : mapping of str to Option
        What `load_data` may be told beyond what it takes for every set.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    homepage: str
    citation: str
    licence: str
    pixel_max: int = 255
    options: Mapping[str, Option] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """Where examples come from: "embedded", "generated" or "files"."""
        return "generated"

    @abstractmethod
    def sizes(self, options: Mapping[str, int]) -> tuple[int, int, int]:
        """Return the numbers of training, validation and test examples, as distributed."""

    @abstractmethod
    def image_shape(self, options: Mapping[str, int]) -> tuple[int, ...]:
        """Return rows and columns of an image, or planes, rows and columns."""

    @abstractmethod
    def read(self, data_dir: str | os.PathLike[str] | None, seed: int, options: Mapping[str, int]) -> Parts:
        """Return the splits, which are a function of the files (if any), the seed and the options."""

    def file_source(self) -> FileSource | None:
        """Return the set whose files this one needs, None if it needs none."""
        return None

    def defaults(self) -> dict[str, int]:
        """Return the value of every option that is not given."""
        return {name: option.default for name, option in self.options.items()}

    def check_options(self, given: Mapping[str, Any]) -> dict[str, int]:
        """Return the defaults with `given` in their place, or raise InputError that names what may be given."""
        for name, value in given.items():
            if name not in self.options:
                known = f"its options are {', '.join(self.options)}" if self.options else "it has none"
                raise InputError(f"data set {self.name!r} has no option {name!r}; {known}")
            option = self.options[name]
            if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value not in option.allowed:
                raise InputError(
                    f"{name}={value!r} of data set {self.name!r} ({option.words}) must be {option.limits}; "
                    f"the default is {option.default}"
                )
        return {**self.defaults(), **{name: int(value) for name, value in given.items()}}


@dataclass(frozen=True, kw_only=True)
class FileSource(Source):
    """A set that is read from files in `<data folder>/<name>`.

    Attributes
    ----------
    mirrors : tuple of str
        Folders on the web, each ending in a slash, in the order of trial.
    counts : tuple of int
        Official training and test examples as distributed.
    archive : Archive or None
        Set if the mirrors hold one archive instead of the files.
    """

    mirrors: tuple[str, ...]
    counts: tuple[int, int]
    archive: Archive | None = None

    @property
    @abstractmethod
    def files(self) -> tuple[DataFile, ...]:
        """The files, as they are fetched."""

    @abstractmethod
    def load_raw(self, folder: Path, options: Mapping[str, int]) -> tuple[RawSplit, RawSplit]:
        """Return the official training and test parts, in the files' order."""

    @abstractmethod
    def check_file(self, path: Path) -> None:
        """Raise DataError if the file is not sound in itself."""

    @property
    def origin(self) -> str:
        """Always "files"."""
        return "files"

    def file_source(self) -> FileSource | None:
        """Return the set itself."""
        return self

    def sizes(self, options: Mapping[str, int]) -> tuple[int, int, int]:
        """Return the sizes with one twelfth of the official training part validating."""
        count, test = self.counts
        return count - count // 12, count // 12, test

    def folder(self, data_dir: str | os.PathLike[str] | None = None) -> Path:
        """Return `<data folder>/<name>`."""
        return data_folder(data_dir) / self.name

    def located(self, folder: Path) -> list[tuple[DataFile, Path | None]]:
        """Return each file with where it was found."""
        return [(file, find_file(file.name, folder)) for file in self.files]

    def find(self, folder: Path) -> tuple[Path, ...]:
        """Return the files' paths, or raise MissingError that says where it looked and what to do."""
        found = self.located(folder)
        missing = next((file.name for file, path in found if path is None), None)
        if missing is not None:
            raise MissingError(
                f"data set '{self.name}': no {missing}.gz (or {missing}) in '{folder}'; run `approxmm data fetch "
                f"{self.name}`, or let --data-dir or {VARIABLE} name the folder that holds {self.name}/"
            )
        return tuple(path for _, path in found if path is not None)

    def read(self, data_dir: str | os.PathLike[str] | None, seed: int, options: Mapping[str, int]) -> Parts:
        """Return the splits: the official test part, and a random twelfth of the training part to validate."""
        official, test = self.load_raw(self.folder(data_dir), options)
        train, validation = (official.take(rows) for rows in holdout_split(len(official.labels), seed))
        words = "the official test set; a random twelfth of the official training set validates"
        return Parts(train, validation, test, words)
