"""Finished pieces of a study: kept by line, found again, and the same as if there had been no interruption."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import approxmm.studies.depth_study as module
from approxmm.cli.app import app
from approxmm.errors import DataError, InputError
from approxmm.studies.finished import Finished
from approxmm.studies.settings import DepthSettings, TrainingRun

SMALL = DepthSettings(runs=(TrainingRun(),), depths=(1,), width=16, epochs=1, seeds=3, probe=20)
PIECE = {"depth": 3, "seed": 0, "run": {"method": "exact"}}
TABLES = {"accuracy": [{"seed": 0, "value": 0.1 + 0.2}], "layers": []}


def test_what_was_put_is_found_by_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "new" / "finished.jsonl"
    assert Finished(path).put(PIECE, TABLES) == TABLES
    again = Finished(path)
    assert again.get(dict(reversed(PIECE.items()))) == TABLES
    assert again.get(PIECE | {"seed": 1}) is None


def test_numbers_are_the_same_before_and_after(tmp_path: Path) -> None:
    tables = {"t": [{"a": np.float64(1 / 3), "b": np.int64(7), "c": math.nan, "d": "text"}]}
    path = tmp_path / "finished.jsonl"
    fresh, read = Finished(path).put(PIECE, tables)["t"][0], Finished(path).get(PIECE)
    assert read is not None
    for row in (fresh, read["t"][0]):
        assert (row["a"], row["b"], row["d"]) == (1 / 3, 7, "text")
        assert [type(value) for value in row.values()] == [float, int, float, str]
        assert math.isnan(row["c"])


@pytest.mark.parametrize("lost", [1, 20, 90])
def test_a_line_cut_short_is_a_piece_not_finished(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "finished.jsonl"
    first = Finished(path)
    first.put(PIECE, TABLES)
    first.put(PIECE | {"seed": 1}, TABLES)
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost])
    again = Finished(path)
    assert again.get(PIECE) == TABLES
    assert (again.get(PIECE | {"seed": 1}) is None) == (lost > 1)
    again.put(PIECE | {"seed": 2}, TABLES)
    assert Finished(path).get(PIECE | {"seed": 2}) == TABLES


def test_another_kind_of_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "finished.jsonl"
    path.write_text("my notes\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no finished runs"):
        Finished(path)
    assert path.read_text(encoding="utf-8") == "my notes\n"


def test_a_file_that_cannot_be_written_is_named_before_work_begins(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="cannot write"):
        Finished(tmp_path / "file" / "finished.jsonl")


class _StopError(Exception):
    pass


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_study_makes_only_the_missing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    path, made = tmp_path / "finished.jsonl", []

    def stop_after_one(done: float, total: float, what: str) -> None:
        raise _StopError

    with pytest.raises(_StopError):
        module.depth_study(SMALL, workers=1, progress=stop_after_one, finished=path)
    train = module.train
    monkeypatch.setattr(module, "train", lambda *a, **k: made.append(k["seed"]) or train(*a, **k))
    study = module.depth_study(SMALL, workers=workers, finished=path)
    assert sorted(made) == [1, 2]
    whole = module.depth_study(SMALL, workers=1)
    for name, table in whole.tables.items():
        pd.testing.assert_frame_equal(table, study.tables[name])
    made.clear()
    module.depth_study(SMALL.model_copy(update={"epochs": 2}), workers=1, finished=path)
    assert made == [0, 1, 2]


def test_ctrl_c_within_a_run_ends_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, calls = module.train, []

    def struck(*given: object, **settings: object) -> object:
        calls.append(settings["seed"])
        # What `train` makes of Ctrl-C: a result with the status "interrupted".
        return train(*given, **settings | {"stop": lambda: len(calls) == 2})

    monkeypatch.setattr(module, "train", struck)
    with pytest.raises(KeyboardInterrupt):
        module.depth_study(SMALL, workers=1, finished=tmp_path / "finished.jsonl")
    assert calls == [0, 1]
    assert len((tmp_path / "finished.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_the_command_goes_on_and_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, out, made = tmp_path / "depth.toml", tmp_path / "out", []
    spec.write_text(
        'study = "depth"\ndepths = [1]\nwidth = 16\nepochs = 1\nseeds = 3\nprobe = 20\n[[runs]]\nmethod = "exact"\n',
        encoding="utf-8",
    )
    train = module.train

    def struck_at_the_third(*given: object, **settings: object) -> object:
        made.append(settings["seed"])
        return train(*given, **settings | {"stop": lambda: len(made) == 3})

    monkeypatch.setattr(module, "train", struck_at_the_third)
    command = ["report", str(spec), "-o", str(out), "--workers", "1"]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 130
    assert "the same command goes on" in first.stderr
    assert [file.name for file in out.iterdir()] == ["finished.jsonl"]
    second = CliRunner().invoke(app, command)
    assert second.exit_code == 0, second.stderr
    assert made == [0, 1, 2, 2]
    assert sorted(file.name for file in out.iterdir()) == ["data", "figures", "index.html"]
