"""What a report leaves on the disk."""

from __future__ import annotations

import csv
import hashlib
import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from approxmm.errors import InputError
from approxmm.reporting import ReportFiles, write_report
from approxmm.reporting.figures import FIGURES
from approxmm.reporting.records import file_stems, json_value

PNG = b"\x89PNG\r\n\x1a\n"


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def digests(folder):
    files = (f for f in folder.rglob("*") if f.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def small(study, **tables):
    return replace(study, tables=tables)


def test_all_files_are_there_and_are_named(report, study):
    files, folder = report
    assert isinstance(files, ReportFiles)
    assert files.page == folder / "index.html"
    assert [f.name for f in files.figures] == [f"{kind.name}.{end}" for kind in FIGURES for end in ("svg", "png")]
    names = [f"{name}.{end}" for name in study.tables for end in ("csv", "json")]
    assert [f.name for f in files.data] == [*names, "study.json"]
    on_disk = {f for f in folder.rglob("*") if f.is_file()}
    assert on_disk == {files.page, *files.figures, *files.data}


def test_paths_go_into_json(report):
    files, _ = report
    plain = json.loads(json.dumps(files.to_dict()))
    assert plain == {
        "page": str(files.page),
        "figures": [str(f) for f in files.figures],
        "data": [str(f) for f in files.data],
    }


def test_figures_parse(report):
    for file in report[0].figures:
        if file.suffix == ".svg":
            assert ET.fromstring(file.read_text(encoding="utf-8")).tag.endswith("svg")
        else:
            assert file.read_bytes().startswith(PNG)


def test_csv_gives_the_table_back_to_the_last_bit(report, study):
    _, folder = report
    for name, table in study.tables.items():
        with open(folder / "data" / f"{name}.csv", encoding="utf-8", newline="") as handle:
            head, *rows = csv.reader(handle)
        assert head == list(table.columns)
        for column, texts in zip(table.columns, zip(*rows, strict=True), strict=True):
            truth = pd.api.types.is_bool_dtype(table[column])
            numeric = pd.api.types.is_numeric_dtype(table[column]) and not truth
            found = [float(text or "nan") for text in texts] if numeric else list(texts)
            np.testing.assert_array_equal(found, table[column].astype(str) if truth else table[column])


def test_csv_is_the_same_table_for_pandas(report, study):
    read = pd.read_csv(report[1] / "data" / "compounding.csv")
    pd.testing.assert_frame_equal(read, study.tables["compounding"])


def test_json_is_strict_and_holds_every_record(report, study):
    _, folder = report
    for name, table in study.tables.items():
        records = json.loads((folder / "data" / f"{name}.json").read_text("utf-8"), parse_constant=refuse)
        assert len(records) == len(table)
        assert all(list(record) == list(table.columns) for record in records)
    law = json.loads((folder / "data" / "compounding.json").read_text("utf-8"))
    assert {r["method"] for r in law if r["law"] is not None} == {"oracle_active"}


def test_study_json(report, study):
    content = json.loads((report[1] / "data" / "study.json").read_text("utf-8"), parse_constant=refuse)
    assert content["findings"] == study.findings
    assert content["settings"] == study.settings
    assert content["environment"] == study.environment
    assert content["tables"]["law"] == {"file": "law.csv", "caption": study.captions["law"], "rows": 35}


def test_same_study_same_bytes(report, study, tmp_path):
    write_report(study, tmp_path / "again")
    assert digests(tmp_path / "again") == digests(report[1])


def test_folder_that_exists_is_replaced_file_by_file(study, tmp_path):
    write_report(small(study, law=study.tables["law"], extra=pd.DataFrame({"a": [1]})), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "index.html").write_text("old")
    law = study.tables["law"].query("ratio == 5")
    files = write_report(small(study, law=law), tmp_path)
    assert "old" not in files.page.read_text("utf-8")[:10]
    assert len(json.loads((tmp_path / "data" / "law.json").read_text("utf-8"))) == 7
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "data" / "extra.csv").exists()
    assert not [f for f in tmp_path.iterdir() if f.name.startswith(".")]


def test_folder_that_cannot_be_written_leaves_nothing(study, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"cannot write '.*file/report'.*choose a folder"):
        write_report(small(study), tmp_path / "file" / "report")
    with pytest.raises(InputError, match="cannot write"):
        write_report(small(study), tmp_path / "file")
    assert [f.name for f in tmp_path.iterdir()] == ["file"]


def test_folder_appears_only_when_all_is_written(study, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr("approxmm.reporting.report.render_page", fail)
    with pytest.raises(RuntimeError, match="no ink"):
        write_report(small(study, law=study.tables["law"]), tmp_path / "deep" / "report")
    assert list(tmp_path.iterdir()) == []


def test_table_names_cannot_leave_the_folder():
    stems = file_stems(["../../etc/passwd", "a/b", "a b", "study", "STUDY", "", "..", "law"])
    assert list(stems.values()) == ["etc_passwd", "a_b", "a_b-2", "study-2", "STUDY-3", "table", "table-2", "law"]


def test_index_with_information_becomes_columns(study, tmp_path):
    table = pd.DataFrame({"value": [1.0, np.inf]}, index=pd.Index(["x", "y"], name="key"))
    write_report(small(study, indexed=table), tmp_path / "r")
    assert (tmp_path / "r/data/indexed.csv").read_text() == "key,value\nx,1.0\ny,inf\n"
    assert json.loads((tmp_path / "r/data/indexed.json").read_text()) == [
        {"key": "x", "value": 1.0},
        {"key": "y", "value": None},
    ]


def test_json_values():
    value = {
        1: [np.float32(0.5), np.nan, -np.inf, np.int64(3), np.bool_(True)],
        "array": np.array([[1.0, np.nan]]),
        "missing": (None, pd.NA, pd.NaT),
        "set": {"b", "a"},
        "other": pd.Timestamp("2026-01-02"),
    }
    assert json_value(value) == {
        "1": [0.5, None, None, 3, True],
        "array": [[1.0, None]],
        "missing": [None, None, None],
        "set": ["a", "b"],
        "other": "2026-01-02 00:00:00",
    }
