from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from approxmm.data.idx import TYPES
from approxmm.data.location import VARIABLE

CODES = {np.dtype(name): code for code, name in TYPES.items()}
REAL_DATA = os.environ.get(VARIABLE)


@pytest.fixture(scope="session")
def idx_bytes():
    """Return a writer of IDX, by the book."""

    def encode(array):
        header = struct.pack(f">HBB{array.ndim}I", 0, CODES[array.dtype], array.ndim, *array.shape)
        return header + array.astype(array.dtype.newbyteorder(">")).tobytes()

    return encode


@pytest.fixture(autouse=True)
def no_ambient_data_folder(monkeypatch, tmp_path):
    """Keep the tests away from the user's own data."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "ambient"))


@pytest.fixture
def real_mnist():
    """Return the folder that holds the real mnist/, or skip."""
    if not REAL_DATA or not (Path(REAL_DATA) / "mnist").is_dir():
        pytest.skip(f"{VARIABLE} does not name a folder with mnist/")
    return Path(REAL_DATA)


@pytest.fixture
def write_set(tmp_path, idx_bytes):
    """Return a writer of a made-up set: four IDX files, any of which can be replaced."""

    def write(name="mnist", *, prefix="", test="t10k", train=24, first=0, classes=10, pack=gzip.compress, **replaced):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(7)
        for part, count in (("train", train), (test, 10)):
            images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
            labels = (np.arange(count) % classes + first).astype(np.uint8)
            for kind, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
                content = idx_bytes(replaced.get(kind.replace("-", "_"), array))
                suffix = ".gz" if pack is gzip.compress else ""
                (folder / f"{prefix}{kind}{suffix}").write_bytes(pack(content))
        return tmp_path / "data"

    return write
