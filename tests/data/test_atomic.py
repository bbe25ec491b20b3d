from __future__ import annotations

import errno
import os
import stat

import pytest

from approxmm import atomic
from approxmm.atomic import atomic_folder, atomic_path, atomic_write_bytes, atomic_write_text
from approxmm.errors import InputError


def write_half(manager, error):
    with manager as temporary:
        temporary.write_text("half")
        raise error


def fill(manager, *names):
    with manager as folder:
        for name in names:
            (folder / name).write_text("1")


def fill_half(manager, error):
    with manager as folder:
        (folder / "a").write_text("half")
        raise error


def test_write_text_and_bytes(tmp_path):
    atomic_write_text(tmp_path / "a.txt", "Größe\n")
    atomic_write_bytes(tmp_path / "b.bin", b"\x00\xff")
    assert (tmp_path / "a.txt").read_bytes() == "Größe\n".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\xff"
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.bin"]


def test_target_is_old_until_the_block_ends(tmp_path):
    target = tmp_path / "a.npz"
    target.write_text("old")
    with atomic_path(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".npz"
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


def test_missing_folders_are_made(tmp_path):
    atomic_write_text(tmp_path / "x" / "y" / "a.txt", "1")
    assert (tmp_path / "x" / "y" / "a.txt").read_text() == "1"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(error):
        write_half(atomic_path(target), error)
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_failure_takes_back_the_folders_it_made(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "x" / "y" / "a.txt"):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_new_file_obeys_the_umask_and_an_old_one_keeps_its_mode(tmp_path):
    old = os.umask(0o022)
    try:
        atomic_write_text(tmp_path / "new", "")
        (tmp_path / "old").write_text("")
        (tmp_path / "old").chmod(0o600)
        atomic_write_text(tmp_path / "old", "1")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o600


def test_symbolic_link_stays_a_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    atomic_write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


@pytest.mark.parametrize("writer", [atomic_path, atomic_folder])
def test_path_below_a_regular_file(tmp_path, writer):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(
            InputError, match=r"cannot write '.*file/out': '.*file' is a file, not a folder; choose a folder"
        ),
        writer(tmp_path / "file" / "out"),
    ):
        pytest.fail("the block must not run")
    assert os.listdir(tmp_path) == ["file"]


def test_target_is_a_folder_or_a_device(tmp_path):
    with pytest.raises(InputError, match="is a folder; name a file in it"):
        atomic_write_text(tmp_path, "x")
    with pytest.raises(InputError, match="not a regular file"):
        atomic_write_text("/dev/null", "x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_path_with_a_null_byte():
    with pytest.raises(InputError, match="choose another path"):
        atomic_write_text("a\0b", "x")


def test_unwritable_folder(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(atomic.os, "open", refuse)
    with pytest.raises(InputError, match="Permission denied; choose a folder"):
        atomic_write_text(tmp_path / "a", "x")


def test_disk_full_while_writing(tmp_path):
    with pytest.raises(InputError, match="No space left on device; free some space"), atomic_path(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_other_errors_of_the_block_pass_through(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a"):
        open(tmp_path / "absent").close()
    assert os.listdir(tmp_path) == []


def test_rename_fails(tmp_path, monkeypatch):
    def refuse(*_args):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(atomic.os, "replace", refuse)
    with pytest.raises(InputError, match="Input/output error"):
        atomic_write_text(tmp_path / "a", "x")
    assert os.listdir(tmp_path) == []


def test_new_folder(tmp_path):
    with atomic_folder(tmp_path / "x" / "out") as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "a").write_text("1")
        assert not (tmp_path / "x" / "out").exists()
    assert (tmp_path / "x" / "out" / "sub" / "a").read_text() == "1"
    assert os.listdir(tmp_path / "x") == ["out"]


def test_existing_folder_keeps_its_other_files(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "keep").write_text("k")
    (out / "a").write_text("old")
    with atomic_folder(out) as folder:
        (folder / "sub").mkdir()
        (folder / "a").write_text("new")
        (folder / "sub" / "b").write_text("b")
    assert {p.name: p.read_text() for p in out.rglob("*") if p.is_file()} == {"keep": "k", "a": "new", "b": "b"}
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("exists", [False, True])
def test_failed_folder_leaves_nothing(tmp_path, error, exists):
    out = tmp_path / "deep" / "out"
    if exists:
        out.mkdir(parents=True)
        (out / "a").write_text("old")
    with pytest.raises(error):
        fill_half(atomic_folder(out), error)
    if exists:
        assert (out / "a").read_text() == "old"
        assert os.listdir(out.parent) == ["out"]
    else:
        assert os.listdir(tmp_path) == []


def test_folder_target_is_a_file(tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(InputError, match="it is a file"), atomic_folder(tmp_path / "out"):
        pytest.fail("the block must not run")
    assert os.listdir(tmp_path) == ["out"]


def test_folder_in_the_way_of_a_file_moves_nothing(tmp_path):
    out = tmp_path / "out"
    (out / "b").mkdir(parents=True)
    with pytest.raises(InputError, match="is a folder"):
        fill(atomic_folder(out), "a", "b")
    assert os.listdir(out) == ["b"]
    assert os.listdir(tmp_path) == ["out"]


def test_folders_that_can_be_made_only_in_part_are_taken_back(tmp_path):
    with pytest.raises(InputError, match="File name too long"):
        atomic_write_text(tmp_path / "x" / ("n" * 300) / "a", "")
    assert os.listdir(tmp_path) == []


def test_long_names_fit(tmp_path):
    name = "n" * 250 + ".txt"
    atomic_write_text(tmp_path / name, "x")
    assert os.listdir(tmp_path) == [name]
