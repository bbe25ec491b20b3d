"""Checkpoints: what they keep and refuse, and what a full disk does to them (resumed bits: test_training.py)."""

from __future__ import annotations

import errno
import json
import math
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from approxmm.data import load_data
from approxmm.data.dataset import Dataset
from approxmm.engine import Adam, Sgd, TrainingResult, checkpoint, train
from approxmm.engine.checkpoint import read_checkpoint, write_checkpoint
from approxmm.engine.profile_state import profile_from_state, profile_state
from approxmm.engine.snapshot import Snapshot
from approxmm.errors import ApproxmmError, DataError, InputError, MissingError
from approxmm.methods import get_method
from approxmm.profile import ErrorProfile, LayerError, Metrics

SMALL: dict[str, Any] = {"depth": 1, "width": 20, "seed": 3}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data("digits")


@pytest.fixture(scope="module")
def file(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "run.npz"
    once(digits, path)
    return path


def once(data: Dataset, path: Path, **changes: Any) -> TrainingResult:
    return train(data, get_method("exact"), **{**SMALL, "epochs": 2, "checkpoint": path, **changes})


def resumed(data: Dataset, path: Path, **changes: Any) -> TrainingResult:
    return once(data, path, resume=True, **changes)


def test_a_finished_run_gives_its_result_again_and_can_be_made_longer(
    digits: Dataset, file: Path, tmp_path: Path
) -> None:
    file = Path(shutil.copy(file, tmp_path))
    again = resumed(digits, file)
    assert again.steps == 2 * 63
    assert again.seconds == read_checkpoint(file).about["position"]["seconds"]
    with pytest.raises(InputError, match=r"epochs=1: the run of checkpoint .* has completed 2"):
        resumed(digits, file, epochs=1)
    longer, whole = resumed(digits, file, epochs=4), train(digits, get_method("exact"), epochs=4, **SMALL)
    assert longer.curves["train_loss"] == whole.curves["train_loss"]
    once(digits, file.with_name("cosine.npz"), schedule="cosine")
    with pytest.raises(InputError, match="made with epochs=2, this run has epochs=4"):
        resumed(digits, file.with_name("cosine.npz"), schedule="cosine", epochs=4)


def test_profiles_and_evaluations_are_kept(digits: Dataset, tmp_path: Path) -> None:
    settings = {"epochs": 3, "measure_every": 2, "measure_at": (0, 10, 126, 130), "evaluate_every": 25, "probe": 40}

    def interrupt(at: Any) -> None:
        if at.step >= 130:  # between the step and its measurement
            raise KeyboardInterrupt

    whole = train(digits, get_method("exact"), **SMALL, **settings)
    path = tmp_path / "run.npz"
    cut = once(digits, path, progress=interrupt, **settings)
    assert (cut.status, cut.steps) == ("interrupted", 130)
    rest = resumed(digits, path, **settings)
    for name in ("step", "examples", "train_loss", "validation_accuracy"):
        assert rest.evaluations[name] == whole.evaluations[name]
    assert rest.evaluations["step"] == [25, 50, 75, 100, 125, 150, 175]
    assert [p.settings["step"] for p in whole.profiles] == [0, 10, 126, 130, 189]
    assert [p.settings["step"] for p in rest.profiles] == [0, 10, 126, 130, 189]
    assert [p.layers for p in rest.profiles] == [p.layers for p in whole.profiles]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 21}, r"widths=\[64, 20, 10\], this run has widths=\[64, 21, 10\]"),
        ({"batch": 10}, "batch=20, this run has batch=10"),
        ({"seed": 4}, "seed=3, this run has seed=4"),
        ({"optimizer": Sgd()}, "optimizer.name='adam', this run has optimizer.name='sgd'"),
        ({"activation": "tanh"}, "activation='relu', this run has activation='tanh'"),
        ({"dtype": np.float64}, "dtype='float32', this run has dtype='float64'"),
    ],
)
def test_another_run_is_refused_by_name(digits: Dataset, file: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resumed(digits, file, **changes)


def test_other_method_data_or_place_are_refused(digits: Dataset, file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"method\.name='exact', this run has method\.name='bernoulli'"):
        train(digits, get_method("bernoulli"), **SMALL, epochs=2, checkpoint=file, resume=True)
    other = replace(digits, train=replace(digits.train, x=digits.train.x + np.float32(1e-6)))
    with pytest.raises(InputError, match="other training or validation examples"):
        resumed(other, file)
    with pytest.raises(InputError, match="exists; continue it with resume"):
        once(digits, file)
    with pytest.raises(MissingError, match="no such file"):
        resumed(digits, tmp_path / "nowhere.npz")


def rewritten(file: Path, to: Path, **changes: Any) -> Path:
    """Write the checkpoint again with some arrays, or parts of what it says about itself, changed."""
    found = read_checkpoint(file)
    arrays = {name: changes.get(name.replace(".", "_"), array) for name, array in found.arrays.items()}
    about = {name: changes.get(name, value) for name, value in found.about.items()}
    write_checkpoint(to, about, ((name, array) for name, array in arrays.items() if array is not None))
    return to


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"session_params": np.zeros(3, np.float32)}, "array 'params' has shape"),
        ({"session_params": np.full(1510, np.nan, np.float32)}, "not finite"),
        ({"session_slots": None}, "array 'slots' is missing"),
        ({"losses": np.zeros(4)}, "losses of its epoch do not fit"),
        ({"position": {"epoch": 1}}, "a position has the numbers"),
        ({"position": [1]}, "is damaged"),
        ({"position": {"epoch": "x", "step": 0, "taken": 0, "examples": 3, "seconds": 0, "timed": 0}}, "is damaged"),
        ({"kept": [3]}, "is damaged"),
        ({"kept": {"good": {"epoch": 1e400, "step": 0, "score": None}}}, "is damaged"),
        ({"curves": 7}, "is damaged"),
        ({"position": {"epoch": 1, "step": 64, "taken": 64, "examples": 3, "seconds": 0.0, "timed": 0}}, "step 64"),
        ({"curves": {"epochs": {}, "evaluations": {}}}, "curves by epochs are lists"),
        ({"profiles": [{"source": "training"}]}, "damaged: 'layers'"),
        ({"kept": {"worst": {}}}, "damaged: 'worst'"),
    ],
)
def test_contents_that_do_not_fit_are_data_errors(
    digits: Dataset, file: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        resumed(digits, rewritten(file, tmp_path / "changed.npz", **changes))


def test_a_methods_state_is_checked_by_the_method(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("approxmm.engine.run.Run.train", lambda run: "interrupted")  # nothing is compiled for training
    monkeypatch.setattr("approxmm.engine.session.Session.predict", lambda self, x, sampled=False: np.zeros(len(x), int))
    settings: dict[str, Any] = {**SMALL, "checkpoint": tmp_path / "run.npz"}
    train(digits, get_method("alsh", 0.3), **settings)
    train(digits, get_method("alsh", 0.3), **settings, resume=True)
    items = read_checkpoint(tmp_path / "run.npz").arrays["session.state.indexes.short.flat"].copy()
    items[3] = 10**9
    rewritten(tmp_path / "run.npz", tmp_path / "crafted.npz", session_state_indexes_short_flat=items)
    settings["checkpoint"] = tmp_path / "crafted.npz"
    with pytest.raises(DataError, match=r"crafted\.npz is damaged: array 'state\.indexes .*items'"):
        train(digits, get_method("alsh", 0.3), **settings, resume=True)


def test_hostile_files_are_refused(file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    bomb, pickled = tmp_path / "bomb.npz", tmp_path / "pickled.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data + bytes(10_000_000))
    with pytest.raises(DataError, match="unpacks to"):
        read_checkpoint(bomb)
    np.savez(pickled, about=np.array([{"format": 1}], dtype=object))
    with pytest.raises(DataError, match="pickled"):
        read_checkpoint(pickled)
    for text in (b"[1]", b'{"format": "approxmm checkpoint 1"}', b"\xff", b"[" * 100_000):
        np.savez(tmp_path / "text.npz", about=np.frombuffer(text, np.uint8))
        with pytest.raises(DataError, match="no checkpoint of this version"):
            read_checkpoint(tmp_path / "text.npz")


@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), cut=st.booleans())
def test_damage_is_never_taken_for_a_checkpoint(file: Path, where: float, flip: int, cut: bool) -> None:
    """Whatever byte is changed or the file ends at, reading fails as bad data or gives what was written."""
    content = bytearray(file.read_bytes())
    at = int(where * len(content))
    if cut:
        del content[at:]
    else:
        content[at] ^= flip
    damaged = file.with_name("damaged.npz")
    damaged.write_bytes(content)
    whole = read_checkpoint(file)
    try:
        found = read_checkpoint(damaged)
    except ApproxmmError:
        return
    assert json.dumps(found.about) == json.dumps(whole.about)
    for name, array in whole.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


def test_a_full_disk_leaves_the_checkpoint_before(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, said = tmp_path / "run.npz", []
    add, written = checkpoint._add, []

    def full(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
        written.append(name)
        if written.count("session.params") > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        add(archive, name, array)

    monkeypatch.setattr(checkpoint, "_add", full)
    result = once(digits, path, epochs=5, checkpoint_seconds=0.0, notify=said.append)
    assert result.status == "finished"
    assert len(said) == 1, "one line for all failures in a row"
    assert "No space left on device" in said[0]
    assert "training goes on" in said[0]
    assert result.warnings == said
    assert list(tmp_path.iterdir()) == [path], "a half-written file was left behind"
    monkeypatch.setattr(checkpoint, "_add", add)
    rest = resumed(digits, path, epochs=5)
    assert rest.curves["train_loss"] == result.curves["train_loss"]
    monkeypatch.setattr(checkpoint, "_add", full)
    with pytest.warns(RuntimeWarning, match="checkpoint not written"):
        resumed(digits, path, epochs=6)


def test_diverged_runs_keep_the_checkpoint_before(digits: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    result = once(digits, path, optimizer=Adam(1e6))
    assert result.status == "diverged"
    assert result.kept["which"] == "good"
    assert np.isfinite(read_checkpoint(path).arrays["session.params"]).all()


def test_profiles_survive_as_plain_values() -> None:
    odd = Metrics(math.inf, 1.0, -0.5, 0.0, ci95=(0.1, math.inf), log10_relative_error=400.5)
    plain = Metrics(0.1, 0.2, 0.3, 0.4)
    layers = (LayerError(1, odd, plain, {"ratio": 2.5}, delta=plain), LayerError(2, plain, odd))
    profile = ErrorProfile("training", layers, 1.5, {"method": "exact", "step": 3})
    assert profile_from_state(json.loads(json.dumps(profile_state(profile)))) == profile


def test_snapshots_are_copies_with_or_without_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros(0, np.int32), "c": np.array([True, False])}

    def full(**options: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    for disk in (True, False):
        if not disk:
            monkeypatch.setattr("tempfile.TemporaryFile", full)
        snapshot = Snapshot()
        assert not snapshot.taken
        snapshot.take({"a": np.ones((4, 4))})
        snapshot.take(arrays)
        changed = {name: array.copy() for name, array in arrays.items()}
        changed["a"][0, 0] = 99.0
        assert snapshot.taken
        for name, array in snapshot.items():
            np.testing.assert_array_equal(array, arrays[name])
            assert array.dtype == arrays[name].dtype
