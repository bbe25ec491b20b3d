from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approxmm.data import check_data, fetch_data, load_data
from approxmm.data.cifar import BATCHES, CIFAR10
from approxmm.data.registry import SOURCES
from approxmm.errors import DataError, MissingError

RECORDS = 4
SMALL = dataclasses.replace(CIFAR10, records=RECORDS)


def record_bytes(number):
    """Return a batch by the book: a label, then the red, the green and the blue plane, row by row."""
    rng = np.random.default_rng(number)
    planes = rng.integers(0, 256, (RECORDS, 3, 32, 32), dtype=np.uint8)
    return b"".join(bytes([(number + i) % 10]) + planes[i].tobytes() for i in range(RECORDS))


def archive_bytes(members, mode="w:gz"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


MEMBERS = {"batches.meta.txt": b"airplane\n", **{name: record_bytes(i) for i, name in enumerate(BATCHES)}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make the set four records a file, and return the folder for its files."""
    monkeypatch.setitem(SOURCES, "cifar10", SMALL)
    (tmp_path / "cifar10").mkdir()
    return tmp_path / "cifar10"


def put(folder, members=MEMBERS, layout="tar.gz"):
    if layout == "tar.gz":
        (folder / "cifar-10-binary.tar.gz").write_bytes(archive_bytes(members))
    elif layout == "tar":
        (folder / "cifar-10-binary.tar").write_bytes(archive_bytes(members, "w"))
    else:
        where = folder / layout
        where.mkdir(exist_ok=True)
        for name, content in members.items():
            (where / name).write_bytes(content)


@pytest.mark.parametrize("layout", ["tar.gz", "tar", "cifar-10-batches-bin", "."])
def test_load(folder, layout):
    put(folder, layout=layout)
    data = load_data("cifar10", data_dir=folder.parent, standardise="unit", dtype=np.float64)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [19, 1, 4]
    assert data.image_shape == (3, 32, 32)
    assert data.classes[int(data.test.y[0])] == "dog"
    assert data.test.y.tolist() == [5, 6, 7, 8]
    last = np.frombuffer(record_bytes(5), np.uint8).reshape(RECORDS, 3073)
    assert np.array_equal(np.rint(255 * data.test.x), last[:, 1:])
    everything = np.concatenate([data.train.y, data.validation.y])
    assert sorted(everything) == sorted((number + i) % 10 for number in range(5) for i in range(RECORDS))
    assert check_data("cifar10", folder.parent).ok


def test_the_python_version_is_refused(folder):
    message = r"is the Python version of CIFAR-10, pickled objects, which are never loaded; get the binary version"
    pickled = {"data_batch_1": b"\x80\x02}q\x01.", "test_batch": b"\x80\x02}q\x01."}
    put(folder, pickled)
    with pytest.raises(DataError, match=message):
        load_data("cifar10", data_dir=folder.parent)
    (folder / "cifar-10-binary.tar.gz").unlink()
    (folder / "cifar-10-python.tar.gz").write_bytes(archive_bytes(pickled))
    with pytest.raises(DataError, match=message):
        load_data("cifar10", data_dir=folder.parent)
    (folder / "cifar-10-python.tar.gz").unlink()
    put(folder, pickled, "cifar-10-batches-py")
    with pytest.raises(DataError, match=message):
        load_data("cifar10", data_dir=folder.parent)


def test_missing(folder):
    with pytest.raises(
        MissingError, match=r"no cifar-10-binary\.tar\.gz \(or cifar-10-binary\.tar\) in .*data fetch cifar10"
    ):
        load_data("cifar10", data_dir=folder.parent)
    put(folder, {name: MEMBERS[name] for name in BATCHES[1:]}, ".")
    with pytest.raises(MissingError, match=r"no data_batch_1\.bin"):
        load_data("cifar10", data_dir=folder.parent)


@pytest.mark.parametrize("layout", ["tar.gz", "."])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            MEMBERS[BATCHES[2]][:-1],
            "4 records of 3073 bytes take 12292 bytes, the file has 12291; fetch or copy it again",
        ),
        (MEMBERS[BATCHES[2]] + b"x", r"4 records of 3073 bytes take 12292 bytes, the file has (12293|more)"),
        (b"", "the file has 0"),
        (
            b"\x0a" + MEMBERS[BATCHES[2]][1:],
            r"data_batch_3\.bin' has label 10 at index 0, labels of 'cifar10' are 0 to 9",
        ),
    ],
)
def test_damaged_batch(folder, layout, content, reason):
    put(folder, {**MEMBERS, BATCHES[2]: content}, layout)
    with pytest.raises(DataError, match=reason):
        load_data("cifar10", data_dir=folder.parent)
    assert not check_data("cifar10", folder.parent).ok


def test_an_archive_without_a_batch(folder):
    put(folder, {name: content for name, content in MEMBERS.items() if name != BATCHES[4]})
    with pytest.raises(
        DataError, match=r"is not a sound CIFAR-10 archive: it has no member data_batch_5\.bin; fetch or"
    ):
        load_data("cifar10", data_dir=folder.parent)


def test_members_are_read_from_the_stream_alone(folder):
    """A link in the archive leads nowhere, whatever it points to."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        link = tarfile.TarInfo(f"x/{BATCHES[0]}")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    (folder / "cifar-10-binary.tar.gz").write_bytes(out.getvalue())
    with pytest.raises(DataError, match=r"no member data_batch_1\.bin"):
        load_data("cifar10", data_dir=folder.parent)


ARCHIVE = archive_bytes(MEMBERS)
TAR = gzip.decompress(ARCHIVE)


@settings(deadline=None, max_examples=40)
@given(data=st.data(), compress=st.booleans())
def test_any_cut_is_refused_in_one_line(tmp_path_factory, data, compress):
    content = ARCHIVE if compress else TAR
    last = content.rindex(record_bytes(5)[-64:]) if not compress else len(content) - 9
    path = tmp_path_factory.mktemp("cifar") / "x.tar"
    path.write_bytes(content[: data.draw(st.integers(0, last))])
    with pytest.raises(DataError) as caught:
        SMALL.check_file(path)
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=40)
@given(content=st.binary(max_size=2000))
def test_any_bytes_are_refused_in_one_line(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("cifar") / "x.tar"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        SMALL.check_file(path)
    assert "\n" not in str(caught.value)


@pytest.fixture
def published(folder, monkeypatch, tmp_path):
    """Make a made-up archive the published one, on a mirror on the disk."""

    class Published(type(SMALL)):
        @property
        def files(self):
            checksum = f"sha256:{hashlib.sha256(ARCHIVE).hexdigest()}"
            return (dataclasses.replace(CIFAR10.files[0], size=len(ARCHIVE), checksum=checksum),)

    values = {field.name: getattr(SMALL, field.name) for field in dataclasses.fields(SMALL)}
    monkeypatch.setitem(SOURCES, "cifar10", Published(**values))
    asked = []

    def send(url, path, size, progress):
        asked.append(url)
        path.write_bytes(ARCHIVE)

    monkeypatch.setattr("approxmm.data.fetch._stream", send)
    return asked


def test_fetch(published, folder):
    assert fetch_data("cifar10", folder.parent) == folder
    assert published == ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"]
    assert [file.checksum for file in check_data("cifar10", folder.parent).files] == ["ok"]
    fetch_data("cifar10", folder.parent)
    assert len(published) == 1


def test_fetch_keeps_unpacked_files_and_mends_damaged_ones(published, folder):
    put(folder, layout="cifar-10-batches-bin")
    assert [file.checksum for file in check_data("cifar10", folder.parent).files] == ["unknown"] * 6
    fetch_data("cifar10", folder.parent)
    assert published == []
    (folder / "cifar-10-batches-bin" / BATCHES[3]).write_bytes(b"x")
    fetch_data("cifar10", folder.parent)
    assert len(published) == 1
    assert check_data("cifar10", folder.parent).ok
