"""``approxmm train``: presets, checkpoints, figures, signals, errors; in this process."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from approxmm.cli import app
from approxmm.cli import signals as signals_module
from approxmm.cli.console import Interrupted
from approxmm.cli.signals import stop_on_signals
from approxmm.engine import PRESETS
from approxmm.network import Network

SMALL = ("--depth", "1", "--width", "20", "--seed", "3")


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["train", *(str(argument) for argument in arguments)])


def document(*arguments: object, code: int = 0) -> dict[str, Any]:
    done = invoke(*arguments, "--json")
    assert done.exit_code == code, done.stderr
    result: dict[str, Any] = json.loads(
        done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no strict JSON")
    )
    return result


def failure(*arguments: object) -> str:
    done = invoke(*arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0].removeprefix("approxmm: ")


def test_a_budget_that_decides_nothing_is_named() -> None:
    done = invoke(*SMALL, "--budget", 0.3)
    assert done.exit_code == 0
    assert done.stderr == "approxmm: --budget 0.3 with method 'exact' is ignored: everything is computed\n"
    assert invoke(*SMALL).stderr == ""


def test_the_document_has_the_documented_names_and_the_account() -> None:
    result = document(*SMALL, "--epochs", 2, "--evaluate-every", 20, "--validate", "sampled")
    assert result["status"] == "finished"
    assert set(result) >= {
        *("status", "test_accuracy", "validation_accuracy", "epochs", "seconds", "examples_per_second"),
        *("multiplications_fraction", "peak_memory_mb", "curves"),
        *("test_accuracy_sampled", "validation_accuracy_sampled", "multiplications", "active_fractions"),
        *("phase_seconds", "memory", "time_to_accuracy", "confusion", "kept", "path", "evaluations", "settings"),
    }
    assert result["settings"]["validate"] == "sampled"
    assert len(result["confusion"]["exact"]) == len(result["confusion"]["classes"]) == 10
    assert result["evaluations"]["step"] == [20, 40, 60, 80, 100, 120]


def test_text_figure_and_confusion(tmp_path: Path) -> None:
    figure, model = tmp_path / "figure.svg", tmp_path / "model.npz"
    done = invoke(*SMALL, "--epochs", 3, "--confusion", "--plot", figure, "-o", model)
    assert done.exit_code == 0, done.stderr
    for words in ("with exact products", "the best by validation", "memory:", f"network written to {model}"):
        assert words in done.stdout
    assert "Test set, sampled products:" in done.stdout
    assert figure.read_text().startswith("<?xml")
    assert Network.load(model).widths == (64, 20, 10)
    started = document("--start", model, "--epochs", 1, "--keep", "last")
    assert started["settings"]["widths"] == [64, 20, 10]
    assert started["curves"]["train_loss"][0] < document(*SMALL, "--epochs", 1)["curves"]["train_loss"][0]


def test_presets_are_listed_and_given_options_take_precedence() -> None:
    listed = document("--list-presets")["presets"]
    assert [entry["name"] for entry in listed] == list(PRESETS)
    assert all(entry["source"] and entry["settings"] for entry in listed)
    text = invoke("--list-presets").stdout
    assert "Not reproduced:" in text
    small = ("--data", "digits", *SMALL, "--epochs", 1, "--batch", 20)
    settings = document("--preset", "published_standard", *small)["settings"]
    assert (settings["batch"], settings["epochs"], settings["keep"]) == (20, 1, "last")
    assert settings["optimizer"]["eps"] == settings["optimizer"]["lr"] == 1e-4
    settings = document("--preset", "published_alsh", *small, "--method", "exact", "--activation", "relu")["settings"]
    assert settings["method"] == {"name": "exact", "budget": 1.0}
    assert settings["optimizer"]["lr"] == 1e-3


def test_a_checkpoint_is_continued_with_its_own_settings(tmp_path: Path) -> None:
    file = tmp_path / "run.npz"
    first = document(*SMALL, "--epochs", 2, "--checkpoint", file, "--eps", "1e-6", "--weight-decay", "1e-4")
    longer = document("--checkpoint", file, "--resume", "--epochs", 4)
    assert longer["settings"] == {**first["settings"], "epochs": 4}
    assert longer["curves"]["train_loss"][:2] == first["curves"]["train_loss"]
    assert len(longer["curves"]["train_loss"]) == 4
    again = ("--checkpoint", file, "--resume")
    assert "made with batch=20, this run has batch=10" in failure(*again, "--batch", 10)
    assert "made with method.name='exact'" in failure(*again, "--method", "dropout")
    assert "leave the preset out" in failure(*again, "--preset", "published_alsh")
    assert "exists; continue it with resume (--resume)" in failure(*SMALL, "--checkpoint", file)
    assert "--resume needs the checkpoint" in failure("--resume")
    assert "no such file" in failure("--resume", "--checkpoint", tmp_path / "nowhere.npz")
    file.write_bytes(file.read_bytes()[:-100])
    assert "run.npz is not a readable .npz" in failure(*again)


def test_divergence_is_exit_code_1_with_a_strict_document() -> None:
    result = document(*SMALL, "--lr", "1e6", code=1)
    assert result["status"] == "diverged"
    assert result["kept"] == {"which": "good", "epoch": 0, "step": 0}
    assert result["curves"]["train_loss"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM to oneself")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_at_the_next_batch_and_save(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, model = tmp_path / "run.npz", tmp_path / "model.npz"
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    started = threading.Event()
    real = signals_module.signal.signal

    def note(which: int, handler: Any) -> Any:
        started.set()
        return real(which, handler)

    def send() -> None:
        started.wait(60)
        time.sleep(0.5)  # past the first step
        os.kill(os.getpid(), number)

    monkeypatch.setattr(signals_module.signal, "signal", note)
    sender = threading.Thread(target=send)
    sender.start()
    long = (*SMALL, "--epochs", 100_000, "--checkpoint", file, "-o", model)
    result = document(*long, code=130)
    sender.join()
    assert result["status"] == "interrupted"
    assert Network.load(model).widths == (64, 20, 10)
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before
    enough = result["epochs"] + 1
    rest = document("--checkpoint", file, "--resume", "--epochs", enough)
    assert rest["curves"]["train_loss"][: enough - 1] == result["curves"]["train_loss"]
    assert rest["steps"] == enough * 63


def test_a_second_signal_stops_at_once() -> None:
    noted: list[int] = []
    with stop_on_signals(lambda: noted.append(1)) as stop:
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert stop()
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)
    assert noted == [1]
    outcome: list[bool] = []

    def elsewhere() -> None:
        with stop_on_signals(lambda: None) as stop:
            outcome.append(stop())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert outcome == [False]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--measure-every", 0), "measure_every=0 must be an integer of at least 1"),
        (("--measure-at", "5,x"), "--measure-at 5,x: must be numbers of steps between commas"),
        (("--measure-at", "5,10**9"), "must be numbers of steps"),
        (("--epochs", 0), "epochs=0 must be"),
        (("--lr", 0), "lr=0.0 must lie in (0, inf)"),
        (("--lr", "nan"), "lr=nan must lie in (0, inf)"),
        (("--keep", "first"), "keep='first' is unknown"),
        (("--validate", "twice"), "validate='twice' is unknown"),
        (("--sampled", "forward,backward"), "sampled=backward, forward must name one or more of"),
        (("--normalise", "batch"), "normalise='batch'"),
        (("--init", "zeros"), "init='zeros' is unknown"),
        (("--path", "fast"), "path='fast' is unknown"),
        (("--dtype", "float16"), "must be float32 or float64"),
        (("--dtype", "floaty"), "dtype is 'floaty'"),
        (("--preset", "published"), "preset='published' is unknown"),
        (("--plot", "x.doc"), ".svg"),
        (("--schedule", "stairs"), "schedule='stairs' is unknown"),
        (("--start", "nowhere.npz"), "nowhere.npz does not exist"),
        (("--checkpoint-seconds", -1), "checkpoint_seconds=-1.0"),
    ],
)
def test_bad_options_are_one_line(arguments: tuple[object, ...], words: str) -> None:
    assert words in failure(*SMALL, *arguments)


def test_help_names_every_option_with_its_default() -> None:
    text = invoke("--help").stdout
    for words in ("--list-presets", "--resume", "Example: approxmm train --preset published_alsh", "(adam)"):
        assert words in text
