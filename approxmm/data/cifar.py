"""CIFAR-10 in its binary version: records of a label and three planes of 32 × 32 bytes, in six files of one archive.

The Python version of the set is pickled objects and is never loaded. Source:
A. Krizhevsky, "The CIFAR-10 dataset", section "Binary version".
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from approxmm.data.location import find_file
from approxmm.data.mnist_family import check_labels
from approxmm.data.packed import Packed, open_packed
from approxmm.data.source import DataFile, FileSource, RawSplit
from approxmm.errors import DataError

__all__ = ["BATCHES", "CIFAR10", "CifarSource"]

BATCHES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
"""The files of records; the last one is the test part."""

_FOLDER = "cifar-10-batches-bin"
_PIXELS = 3 * 32 * 32
_WHAT = "a CIFAR-10 archive"


@dataclass(frozen=True, kw_only=True)
class CifarSource(FileSource):
    """The set in an archive of the binary version, or in its six files.

    Attributes
    ----------
    records : int
        Examples in each of the six files; the format has no header that says it.
    """

    records: int = 10_000

    @property
    def files(self) -> tuple[DataFile, ...]:
        """The archive."""
        return (
            DataFile(
                "cifar-10-binary.tar",
                170052171,
                "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        )

    def image_shape(self, options: Mapping[str, int]) -> tuple[int, ...]:
        """Return planes (red, green, blue), rows and columns."""
        return 3, 32, 32

    def located(self, folder: Path) -> list[tuple[DataFile, Path | None]]:
        """Return the archive, or the six files where only they are there (in `folder` or as they are unpacked)."""
        archive = super().located(folder)
        for where in (folder, folder / _FOLDER):
            unpacked = [(DataFile(name), find_file(name, where)) for name in BATCHES]
            if archive[0][1] is None and any(path for _, path in unpacked):
                return unpacked
        return archive

    def find(self, folder: Path) -> tuple[Path, ...]:
        """Return the path of the archive or of the six files.

        Raises
        ------
        MissingError
            If a file is not there.
        DataError
            If only the Python version is there.
        """
        if not any(path for _, path in self.located(folder)):
            for name in ("cifar-10-python.tar.gz", "cifar-10-batches-py", "data_batch_1"):
                if (folder / name).exists():
                    raise _pickled(folder / name)
        return super().find(folder)

    def check_file(self, path: Path) -> None:
        """Raise DataError if the archive, or one of the six files, is not sound."""
        if path.name.removesuffix(".gz") in BATCHES:
            self._read_file(path)
        else:
            self._read_archive(path)

    def load_raw(self, folder: Path, options: Mapping[str, int]) -> tuple[RawSplit, RawSplit]:
        """Read the official training and test parts.

        Raises
        ------
        MissingError
            If a file is not there.
        DataError
            If a file is damaged, of another size, of the Python version, or has
            a label that is none of the ten.
        """
        paths = self.find(folder)
        batches = self._read_archive(paths[0]) if len(paths) == 1 else [self._read_file(path) for path in paths]
        train = RawSplit(
            np.concatenate([batch.pixels for batch in batches[:-1]]),
            np.concatenate([batch.labels for batch in batches[:-1]]),
        )
        return train, batches[-1]

    def _read_file(self, path: Path) -> RawSplit:
        with open_packed(path, "a CIFAR-10 batch") as packed:
            if packed.plain is not None:
                packed.check_promise(self._promise(), self.records * (1 + _PIXELS))
            records = np.empty(self.records * (1 + _PIXELS), dtype=np.uint8)
            self._check_size(packed, "", packed.fill(records), packed.read(1))
        return self._split(records, path)

    def _read_archive(self, path: Path) -> list[RawSplit]:
        """Read the six members in one pass through the archive; nothing is unpacked to the disk."""
        found: dict[str, RawSplit] = {}
        with open_packed(path, _WHAT) as packed, _members(packed) as members:
            for name, content in members:
                if name in ("data_batch_1", "test_batch"):
                    raise _pickled(path)
                if name in BATCHES:
                    records = content.read(self.records * (1 + _PIXELS))
                    self._check_size(packed, f"its member {name}: ", len(records), content.read(1))
                    found[name] = self._split(np.frombuffer(records, dtype=np.uint8), path / name)
            while packed.read(1 << 20):  # the checksum of the compressed stream is at its end
                pass
            missing = [name for name in BATCHES if name not in found]
            if missing:
                packed.refuse(f"it has no member {missing[0]}")
        return [found[name] for name in BATCHES]

    def _promise(self) -> str:
        size = self.records * (1 + _PIXELS)
        return f"{self.records} records of {1 + _PIXELS} bytes take {size} bytes"

    def _check_size(self, packed: Packed, where: str, found: int, beyond: bytes) -> None:
        if found < self.records * (1 + _PIXELS):
            packed.refuse(f"{where}{self._promise()}, the file has {found}")
        if beyond:
            packed.refuse(f"{where}{self._promise()}, the file has more")

    def _split(self, records: NDArray[np.uint8], path: Path) -> RawSplit:
        table = records.reshape(self.records, 1 + _PIXELS)
        return RawSplit(table[:, 1:].copy(), check_labels(table[:, 0], path, self.name, len(self.classes)))


@contextmanager
def _members(packed: Packed) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """Yield an iterator over (last part of the name, content) of the regular files in a tar stream."""

    def walk(archive: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None:
                yield Path(member.name).name, content

    try:
        with tarfile.open(fileobj=packed.stream, mode="r|") as archive:
            yield walk(archive)
    except tarfile.TarError as error:
        packed.refuse(f"the tar stream is damaged or cut short ({' '.join(str(error).split())})")


def _pickled(path: Path) -> DataError:
    return DataError(
        f"'{path}' is the Python version of CIFAR-10, pickled objects, which are never loaded; get the binary version, "
        "cifar-10-binary.tar.gz: run `approxmm data fetch cifar10`"
    )


CIFAR10 = CifarSource(
    name="cifar10",
    title="CIFAR-10, small photographs",
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    counts=(50_000, 10_000),
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    citation="A. Krizhevsky, Learning multiple layers of features from tiny images, technical report, University of "
    "Toronto, 2009",
    licence="none stated by its authors",
)
"""The set; size and sha256 of the archive are those of TensorFlow Datasets, its md5 on the homepage is c32a1d4a…."""
