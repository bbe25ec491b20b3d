"""PyTorch's training steps in a process of its own, and the kernels that it is given."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from approxmm.errors import MissingError

__all__ = ["torch_stepper", "wide_kernels"]

# The C library gives large blocks back to the system when PyTorch frees its gradients, and gets them again, page by
# page and cleared, at the next step: up to half of a step at batch 1. With these settings it keeps them.
_KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**26),
}

_Stepper = tuple[Callable[[int], float], str]

# MKL asks this function whether the processor is Intel's, and takes AVX2 kernels on all others.
_ALWAYS_INTEL = "int mkl_serv_intel_cpu_true(void) { return 1; }\n"


def wide_kernels(folder: Path) -> Path | None:
    """Return a library to preload that lets PyTorch's MKL use AVX-512 on processors of other makers.

    None where there is nothing to gain or no C compiler: not Linux on x86-64, no AVX-512, an Intel processor.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or platform.machine() != "x86_64" or compiler is None:
        return None
    described = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    if "avx512f" not in described or "GenuineIntel" in described:
        return None
    source, library = folder / "always_intel.c", folder / "always_intel.so"
    source.write_text(_ALWAYS_INTEL, encoding="utf-8")
    made = subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=False)
    return library if made.returncode == 0 else None


@contextmanager
def torch_stepper(
    settings: dict[str, Any], preload: Path | None = None
) -> Iterator[tuple[Callable[[int], float], str]]:
    """Start PyTorch with `settings` (see `approxmm.bench._torch_steps`).

    Yields
    ------
    run, version
        A function that takes a number of steps and returns their seconds, and PyTorch's version.

    Raises
    ------
    MissingError
        If the process ends early.
    """
    environment = {**os.environ, **_KEEP_MEMORY, "OMP_NUM_THREADS": str(settings["threads"])}
    if preload is not None:
        environment["LD_PRELOAD"] = str(preload)
    process = subprocess.Popen(
        [sys.executable, "-m", "approxmm.bench._torch_steps"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def ask(question: str) -> str:
        stdin.write(question + "\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise MissingError("PyTorch's process ended early; try `python -m approxmm.bench._torch_steps` by hand")
        return answer

    try:
        version = json.loads(ask(json.dumps(settings)))["version"]

        def run(steps: int) -> float:
            return float(ask(str(steps)))

        run(2)
        yield run, version
    finally:
        stdin.close()
        process.wait(timeout=30)
        stdout.close()
