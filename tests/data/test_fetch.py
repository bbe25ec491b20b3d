from __future__ import annotations

import dataclasses
import functools
import gzip
import hashlib
import http.server
import os
import socket
import threading
import zipfile

import pytest
import requests

from approxmm.data import check_data, fetch_data, load_data
from approxmm.data.registry import SOURCES
from approxmm.data.source import Archive, DataFile
from approxmm.errors import DataError, InputError, MissingError

FIELDS = ("train_images", "train_labels", "test_images", "test_labels")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        """Keep the test output clean."""


@pytest.fixture
def serve(monkeypatch):
    """Return a function that serves a folder on this machine and returns its address."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers = []

    def start(folder):
        handler = functools.partial(QuietHandler, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def closed_port():
    """Return an address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


@pytest.fixture
def publish(write_set, monkeypatch):
    """Return a function that makes a made-up set the published "kmnist" at the given mirrors."""
    remote = write_set("kmnist") / "kmnist"

    def change(*mirrors):
        changed = {}
        for field in FIELDS:
            file = getattr(SOURCES["kmnist"], field)
            packed = (remote / f"{file.name}.gz").read_bytes()
            digest = f"sha256:{hashlib.sha256(packed).hexdigest()}"
            changed[field] = dataclasses.replace(file, size=len(packed), checksum=digest)
        monkeypatch.setitem(SOURCES, "kmnist", dataclasses.replace(SOURCES["kmnist"], mirrors=mirrors, **changed))

    change.remote = remote
    return change


def test_fetch_check_load(publish, serve, tmp_path):
    publish(serve(publish.remote))
    seen = []
    folder = fetch_data("kmnist", tmp_path / "new", progress=lambda *step: seen.append(step))
    assert folder == tmp_path / "new" / "kmnist"
    assert sorted(os.listdir(folder)) == sorted(os.listdir(publish.remote))
    assert check_data("kmnist", tmp_path / "new").ok
    assert len(load_data("kmnist", data_dir=tmp_path / "new").test) == 10
    for file in SOURCES["kmnist"].files:
        steps = [step for step in seen if step[0] == f"{file.name}.gz"]
        assert steps[-1][1:] == (file.size, file.size)


def test_the_second_mirror_helps(publish, serve, tmp_path, closed_port):
    publish(closed_port, serve(publish.remote))
    fetch_data("kmnist", tmp_path / "new")
    assert check_data("kmnist", tmp_path / "new").ok


def test_sound_files_are_kept_and_damaged_ones_replaced(publish, serve, tmp_path):
    publish(serve(publish.remote))
    folder = fetch_data("kmnist", tmp_path / "new")
    sound = folder / "train-labels-idx1-ubyte.gz"
    sound.write_bytes(gzip.compress(gzip.decompress(sound.read_bytes()), 1, mtime=1))
    before = sound.read_bytes()
    damaged = folder / "train-images-idx3-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    fetch_data("kmnist", tmp_path / "new")
    assert sound.read_bytes() == before
    assert damaged.read_bytes() == (publish.remote / damaged.name).read_bytes()


def test_nothing_is_asked_when_all_is_there(publish, tmp_path, closed_port, serve):
    publish(serve(publish.remote))
    fetch_data("kmnist", tmp_path / "new")
    publish(closed_port)
    fetch_data("kmnist", tmp_path / "new")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda content: bytes([content[0] ^ 1]) + content[1:], r"\d+ bytes of another checksum, not \d+ of sha256:"),
        (lambda content: content[:-1], r"\d+ bytes of another checksum"),
        (lambda content: content + b"x", r"it sends more than the published \d+ bytes"),
    ],
)
def test_wrong_content(publish, serve, tmp_path, spoil, reason):
    publish(serve(publish.remote))
    path = publish.remote / "train-images-idx3-ubyte.gz"
    path.write_bytes(spoil(path.read_bytes()))
    message = rf"cannot fetch 'train-images-idx3-ubyte.gz' \(http.*: {reason}.*\); try again later, or copy"
    with pytest.raises(DataError, match=message):
        fetch_data("kmnist", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_offline(publish, tmp_path, closed_port):
    publish(closed_port)
    message = r"cannot fetch 'train-images-idx3-ubyte\.gz' \(http://.*: no connection\); check the connection, or copy"
    with pytest.raises(MissingError, match=message) as caught:
        fetch_data("kmnist", tmp_path / "new")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_not_found(publish, serve, tmp_path):
    publish(serve(tmp_path))
    with pytest.raises(MissingError, match="HTTP 404 File not found"):
        fetch_data("kmnist", tmp_path / "new")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (requests.exceptions.SSLError("…"), "its certificate is not accepted"),
        (requests.exceptions.ReadTimeout("…"), "no answer in time"),
        (requests.exceptions.ChunkedEncodingError("cut\n off"), "cut off"),
        (requests.exceptions.InvalidURL(), "InvalidURL"),
    ],
)
def test_other_reasons(publish, tmp_path, monkeypatch, error, reason):
    def fail(*_args):
        raise error

    publish("http://127.0.0.1/")
    monkeypatch.setattr("pooch.HTTPDownloader.__call__", fail)
    with pytest.raises(MissingError, match=rf"\(http.*gz: {reason}\); check the connection"):
        fetch_data("kmnist", tmp_path / "new")


def test_interrupt_leaves_nothing(publish, serve, tmp_path):
    def stop(*_step):
        raise KeyboardInterrupt

    publish(serve(publish.remote))
    with pytest.raises(KeyboardInterrupt):
        fetch_data("kmnist", tmp_path / "new", progress=stop)
    assert not (tmp_path / "new").exists()


def test_folder_below_a_file(publish, serve, tmp_path):
    publish(serve(publish.remote))
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file, not a folder"):
        fetch_data("kmnist", tmp_path / "file")


def test_embedded_and_unknown():
    with pytest.raises(InputError, match="'digits' is embedded and cannot be fetched; load it as it is"):
        fetch_data("digits")
    with pytest.raises(InputError, match="'convex' is generated and cannot be fetched; load it as it is"):
        fetch_data("convex")
    with pytest.raises(
        InputError, match="'mnist_deformed' is generated and cannot be fetched; fetch 'mnist', of which"
    ):
        fetch_data("mnist_deformed")
    with pytest.raises(InputError, match=r"unknown data set 'mnits', .*did you mean 'mnist'"):
        fetch_data("mnits")


@pytest.fixture
def archived(write_set, monkeypatch, tmp_path, serve):
    """Serve a made-up archive of EMNIST Letters; return a function that rewrites it."""
    kind = {"prefix": "emnist-letters-", "test": "test", "first": 1, "classes": 26, "train": 26}
    files = write_set("emnist_letters", **kind) / "emnist_letters"
    remote = tmp_path / "remote"
    remote.mkdir()
    mirror = serve(remote)

    def pack(*, leave_out=0):
        with zipfile.ZipFile(remote / "gzip.zip", "w") as archive:
            for path in sorted(files.iterdir())[leave_out:]:
                archive.write(path, f"gzip/{path.name}")
        content = (remote / "gzip.zip").read_bytes()
        entry = Archive("gzip.zip", len(content), f"sha256:{hashlib.sha256(content).hexdigest()}", "gzip/")
        changed = dataclasses.replace(SOURCES["emnist_letters"], mirrors=(mirror,), archive=entry)
        monkeypatch.setitem(SOURCES, "emnist_letters", changed)

    return pack


def test_archive(archived, tmp_path):
    archived()
    folder = fetch_data("emnist_letters", tmp_path / "new")
    assert sorted(os.listdir(folder)) == sorted(f"{file.name}.gz" for file in SOURCES["emnist_letters"].files)
    assert [file.checksum for file in check_data("emnist_letters", tmp_path / "new").files] == ["unknown"] * 4
    assert len(load_data("emnist_letters", data_dir=tmp_path / "new").test) == 10
    (tmp_path / "remote" / "gzip.zip").unlink()
    assert fetch_data("emnist_letters", tmp_path / "new") == folder


def test_archive_that_is_there_is_not_fetched_again(archived, tmp_path, monkeypatch, closed_port):
    archived()
    folder = tmp_path / "new" / "emnist_letters"
    folder.mkdir(parents=True)
    (folder / "gzip.zip").write_bytes((tmp_path / "remote" / "gzip.zip").read_bytes())
    offline = dataclasses.replace(SOURCES["emnist_letters"], mirrors=(closed_port,))
    monkeypatch.setitem(SOURCES, "emnist_letters", offline)
    fetch_data("emnist_letters", tmp_path / "new")
    assert not (folder / "gzip.zip").exists()
    assert check_data("emnist_letters", tmp_path / "new").ok


def test_archive_without_a_member(archived, tmp_path):
    archived(leave_out=1)
    with pytest.raises(DataError, match=r"is not the expected archive .*; remove it and fetch again"):
        fetch_data("emnist_letters", tmp_path / "new")


def test_a_file_without_checksum_is_not_fetched(monkeypatch, tmp_path):
    bare = dataclasses.replace(SOURCES["kmnist"], train_images=DataFile("train-images-idx3-ubyte"))
    monkeypatch.setitem(SOURCES, "kmnist", bare)
    with pytest.raises(MissingError, match=r"no checksum of 'train-images-idx3-ubyte\.gz' is known"):
        fetch_data("kmnist", tmp_path)
