from __future__ import annotations

import dataclasses
import gzip
import hashlib

import pytest

from approxmm.data import check_data
from approxmm.data.registry import SOURCES
from approxmm.data.source import FileSource
from approxmm.errors import InputError


@pytest.fixture
def published(write_set, monkeypatch):
    """Write a made-up set and make its checksums the published ones of "kmnist"."""
    folder = write_set("kmnist", pack=lambda content: gzip.compress(content, mtime=0)) / "kmnist"
    source = SOURCES["kmnist"]

    def publish(*, content):
        changed = {}
        for field in ("train_images", "train_labels", "test_images", "test_labels"):
            file = getattr(source, field)
            packed = (folder / file.name).read_bytes()
            inner = hashlib.md5(gzip.decompress(packed), usedforsecurity=False).hexdigest()
            changed[field] = dataclasses.replace(
                file,
                size=len(packed),
                checksum=f"sha256:{hashlib.sha256(packed).hexdigest()}",
                content_checksum=f"md5:{inner}" if content else None,
            )
        monkeypatch.setitem(SOURCES, "kmnist", dataclasses.replace(source, **changed))
        return folder

    return publish


def statuses(folder):
    return [file.checksum for file in check_data("kmnist", folder.parent).files]


def test_embedded():
    result = check_data("digits")
    assert result.ok
    assert result.files == ()
    assert result.summary == "embedded: 1,797 examples, 64 features, 10 classes"


def test_unknown():
    with pytest.raises(InputError, match="unknown data set 'x'"):
        check_data("x")


def test_missing(tmp_path):
    result = check_data("mnist", tmp_path)
    assert [file.checksum for file in result.files] == ["missing"] * 4
    assert not result.loadable
    assert not result.ok
    assert "run `approxmm data fetch mnist`" in result.summary


@pytest.mark.parametrize("content", [False, True])
def test_as_published(published, content):
    folder = published(content=content)
    assert statuses(folder) == ["ok"] * 4
    assert check_data("kmnist", folder.parent).ok


@pytest.mark.parametrize(("content", "status"), [(False, "unknown"), (True, "ok")])
def test_unpacked_or_compressed_anew(published, content, status):
    folder = published(content=content)
    images = folder / "train-images-idx3-ubyte"
    labels = folder / "train-labels-idx1-ubyte"
    images.write_bytes(gzip.decompress(images.read_bytes()))
    labels.write_bytes(gzip.compress(gzip.decompress(labels.read_bytes()), 1, mtime=1))
    assert statuses(folder) == [status, status, "ok", "ok"]
    assert check_data("kmnist", folder.parent).ok


@pytest.mark.parametrize("content", [False, True])
def test_cut_short(published, content):
    folder = published(content=content)
    path = folder / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-9])
    result = check_data("kmnist", folder.parent)
    assert [file.checksum for file in result.files] == ["ok", "ok", "bad", "ok"]
    assert not result.loadable
    assert "gzip stream is damaged or cut short" in result.summary


def test_changed_content_that_still_loads(published):
    folder = published(content=True)
    path = folder / "t10k-images-idx3-ubyte"
    inner = bytearray(gzip.decompress(path.read_bytes()))
    inner[-1] ^= 1
    path.write_bytes(gzip.compress(inner))
    result = check_data("kmnist", folder.parent)
    assert result.files[2].checksum == "bad"
    assert result.loadable
    assert not result.ok


def test_generated(write_set):
    assert check_data("convex").summary == "generated: 58,000 examples, 784 features, 2 classes"
    result = check_data("mnist_deformed", write_set())
    assert result.loadable
    assert [file.checksum for file in result.files] == ["bad"] * 4  # sound files, but not the published ones
    assert result.summary == "generated from mnist: 125,000 examples, 784 features, 10 classes"
    assert not check_data("mnist_deformed").ok


def test_table_is_well_formed():
    for name, source in SOURCES.items():
        assert source.name == name
        assert source.citation
        assert all(option.default in option.allowed for option in source.options.values())
        if not isinstance(source, FileSource):
            continue
        assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in source.mirrors)
        checksums = [c for file in source.files for c in (file.checksum, file.content_checksum) if c]
        if source.archive:
            checksums.append(source.archive.checksum)
        assert len(set(checksums)) == len(checksums)
        for algorithm, digits in (checksum.split(":") for checksum in checksums):
            assert len(bytes.fromhex(digits)) == hashlib.new(algorithm, usedforsecurity=False).digest_size
        assert source.archive or all(file.size and file.checksum for file in source.files)
