"""Which kernels OpenBLAS is asked for, seen from a process that the command line starts in."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from approxmm.cli import kernels
from approxmm.cli.kernels import VARIABLE, _first_processor, kernel_note, prefer_avx512, wants_avx512

NEEDED = "avx512f avx512cd avx512bw avx512dq avx512vl"
AMD = {"vendor_id": "AuthenticAMD", "flags": f"fpu avx2 {NEEDED}"}
NEEDS_AVX512 = pytest.mark.skipif(
    not wants_avx512(_first_processor()), reason="the processor has no AVX-512 to ask for"
)
REPORT = """
import os, numpy
from threadpoolctl import threadpool_info
used = {i.get("architecture") for i in threadpool_info() if i["internal_api"] == "openblas"}
print(repr(os.environ.get("OPENBLAS_CORETYPE")), *sorted(used))
"""
SCRIPT = "from approxmm.cli import main; main()"
MODULE = "import runpy; runpy.run_module('approxmm', run_name='__main__')"


def after(start):
    """Return code that runs the command line and then reports."""
    return (
        f"import sys; sys.argv = ['approxmm', '--version']\ntry:\n    {start}\nexcept SystemExit:\n    pass\n{REPORT}"
    )


def seen(code, given=None):
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    environment |= {} if given is None else {VARIABLE: given}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


def openblas_runs(core):
    return seen(REPORT, core)[1:] == [core]


@NEEDS_AVX512
@pytest.mark.parametrize("start", [SCRIPT, MODULE], ids=["script", "module"])
def test_command_line_asks_for_avx512_and_gets_it(start):
    variable, *used = seen(after(start))
    assert variable == "'SkylakeX'"
    if openblas_runs("SkylakeX"):  # NumPy may have been built on another BLAS
        assert used == ["SkylakeX"]


@pytest.mark.parametrize("given", ["Haswell", "NoSuchCore", ""])
def test_what_the_user_set_stays(given):
    assert seen(after(SCRIPT), given)[0] == repr(given)


def test_the_library_leaves_the_environment_alone():
    code = "import approxmm, approxmm.cli; approxmm.get_method('dropout', 0.5)\n" + REPORT
    assert seen(code)[0] == "None"


@pytest.mark.parametrize(
    ("processor", "wanted"),
    [
        (AMD, True),
        ({**AMD, "vendor_id": "GenuineIntel"}, False),
        ({**AMD, "flags": "fpu avx2 avx512f"}, False),
        ({"vendor_id": "AuthenticAMD"}, False),
        ({}, False),
    ],
)
def test_which_processors_are_meant(processor, wanted):
    assert wants_avx512(processor) is wanted


def test_first_processor_is_read_and_a_missing_file_is_no_processor(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu {NEEDED}\n\nvendor_id\t: Other\n")
    assert _first_processor(str(file)) == {"processor": "0", "vendor_id": "AuthenticAMD", "flags": f"fpu {NEEDED}"}
    assert _first_processor(str(tmp_path / "none")) == {}


@pytest.mark.parametrize(
    ("system", "machine", "processor", "loaded", "given", "asked"),
    [
        ("linux", "x86_64", AMD, False, None, True),
        ("linux", "x86_64", AMD, True, None, False),
        ("linux", "x86_64", AMD, False, "", False),
        ("linux", "x86_64", {}, False, None, False),
        ("linux", "aarch64", AMD, False, None, False),
        ("darwin", "x86_64", AMD, False, None, False),
    ],
)
def test_when_nothing_is_asked(monkeypatch, system, machine, processor, loaded, given, asked):
    monkeypatch.setattr(kernels, "_first_processor", lambda: processor)
    monkeypatch.setattr(kernels.sys, "platform", system)
    monkeypatch.setattr(kernels.os, "uname", lambda: type("Uname", (), {"machine": machine}))
    monkeypatch.setattr(kernels.sys, "modules", {"numpy": None} if loaded else {})
    # Set first, so that what the function writes is taken back too.
    monkeypatch.setenv(VARIABLE, "" if given is None else given)
    if given is None:
        monkeypatch.delenv(VARIABLE)
    assert prefer_avx512() is asked
    assert os.environ.get(VARIABLE) == ("SkylakeX" if asked else given)


@pytest.mark.parametrize(
    ("used", "variable", "processor", "expected"),
    [
        (
            "Haswell",
            "Haswell",
            AMD,
            "AVX2 kernels (Haswell) on a processor with AVX-512 because OPENBLAS_CORETYPE=Haswell",
        ),
        ("Zen", None, AMD, "set OPENBLAS_CORETYPE=SkylakeX before Python starts"),
        ("SkylakeX", "SkylakeX", AMD, "AVX-512 kernels because OPENBLAS_CORETYPE=SkylakeX is set"),
        ("Cooperlake", None, AMD, None),
        ("Haswell", None, {"vendor_id": "AuthenticAMD", "flags": "avx2"}, None),
    ],
)
def test_note_says_what_is_in_use_and_what_to_do(monkeypatch, used, variable, processor, expected):
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: [{"internal_api": "openblas", "architecture": used}])
    monkeypatch.setattr(kernels, "_first_processor", lambda: processor)
    monkeypatch.delenv(VARIABLE, raising=False)
    if variable is not None:
        monkeypatch.setenv(VARIABLE, variable)
    note = kernel_note()
    assert note is None if expected is None else expected in note and "\n" not in note
