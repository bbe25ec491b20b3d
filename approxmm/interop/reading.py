"""What goes into a reader and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from approxmm.errors import NotAvailableError
from approxmm.interop.parts import Part

__all__ = ["Reading", "Source", "optional_package"]


@dataclass(frozen=True, eq=False)
class Source:
    """What is to be read.

    Attributes
    ----------
    given : path or object
        As the user gave it.
    name : str
        What messages call it.
    layers : sequence of str or None
        The layers to take, in order; for arrays by name.
    max_bytes : int
        The most that it may take.
    """

    given: Any
    name: str
    layers: Sequence[str] | None
    max_bytes: int

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.given)


@dataclass(frozen=True, eq=False)
class Reading:
    """What a reader found.

    Attributes
    ----------
    parts : sequence of Part
        In the order of evaluation.
    format : str
        What it is, in words.
    notes : sequence of str
        What the user should know.
    by_name : bool
        Whether the parts were found by names of arrays, so that `layers` could choose among them.
    normalise : str
        What is stated to happen to each hidden layer's output; see `Network`.
    """

    parts: Sequence[Part]
    format: str
    notes: Sequence[str] = field(default=())
    by_name: bool = False
    normalise: str = "none"


def optional_package(name: str, source: Source) -> Any:
    """Import the package that reads this source.

    Raises
    ------
    NotAvailableError
        If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise NotAvailableError(
            f'reading {source.name} needs the package {name}; install it by pip install "approxmm[models]"'
        ) from error
