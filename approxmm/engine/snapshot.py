"""Copies of a run's arrays outside its memory: the last good and the best parameters.

Two copies of the parameters would nearly double the memory of plain gradient descent, for arrays that are needed once,
if at all. They are written to an unnamed temporary file, which the system removes with the process.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator, Mapping
from io import BufferedRandom

import numpy as np

__all__ = ["Snapshot"]


class Snapshot:
    """The values that some arrays had when they were last taken."""

    def __init__(self) -> None:
        self._file: BufferedRandom | None = None
        self._memory: dict[str, np.ndarray] = {}
        self._forms: dict[str, tuple[tuple[int, ...], np.dtype]] = {}

    @property
    def taken(self) -> bool:
        """Whether there is anything."""
        return bool(self._forms)

    def take(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Copy these arrays in place of what was held; in memory where no temporary file can be written."""
        self._forms = {name: (array.shape, array.dtype) for name, array in arrays.items()}
        self._memory = {}
        try:
            file = self._opened()
            file.seek(0)
            for array in arrays.values():
                file.write(np.ascontiguousarray(array).data)
            file.flush()
        except OSError:
            self._file = None
            self._memory = {name: array.copy() for name, array in arrays.items()}

    def items(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the copies by name, one at a time."""
        if self._file is None:
            yield from self._memory.items()
            return
        self._file.seek(0)
        for name, (shape, dtype) in self._forms.items():
            array = np.empty(shape, dtype)
            self._file.readinto(array.reshape(-1).view(np.uint8).data)
            yield name, array

    def put_back(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the copies into arrays of these names, straight from the file."""
        if self._file is not None:
            self._file.seek(0)
        for name in self._forms:
            own = arrays[name]
            if self._file is None:
                own[...] = self._memory[name]
            elif own.size:
                self._file.readinto(own.data.cast("B"))

    def _opened(self) -> BufferedRandom:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="approxmm-")  # noqa: SIM115 - closed with the snapshot
            weakref.finalize(self, self._file.close)
        return self._file
