"""Which kernels OpenBLAS runs: chosen before NumPy is loaded, in the command line only.

OpenBLAS picks its kernels when it is loaded, from what it knows of the processor; one that is newer than the library
may get the AVX2 kernels although it has AVX-512, at half the speed. The environment variable OPENBLAS_CORETYPE
overrules the choice. The kernels named SkylakeX need five parts of AVX-512 and nothing else; an OpenBLAS that was built
without them takes its AVX2 kernels, and what is not OpenBLAS ignores the variable. (The libraries in NumPy's wheels
since 1.26 recognise AMD's family 26 themselves, and then the variable changes nothing.)

Results change by rounding alone, as they do between machines. `import approxmm` changes nothing: a library does not
decide on the BLAS of its user's process.
"""

from __future__ import annotations

import os
import sys

__all__ = ["VARIABLE", "kernel_note", "prefer_avx512", "wants_avx512"]

VARIABLE, _CORE = "OPENBLAS_CORETYPE", "SkylakeX"
_NEEDED = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
_AVX2_KERNELS = {"Haswell", "Zen"}


def prefer_avx512() -> bool:
    """Ask OpenBLAS for its AVX-512 kernels where it would miss them; return whether it was asked.

    Nothing is done if the user has set the variable (to anything), if NumPy is loaded already, or on other systems than
    Linux on x86-64. Child processes inherit the variable and so compute with the same kernels.
    """
    if VARIABLE in os.environ or "numpy" in sys.modules:
        return False
    if not sys.platform.startswith("linux") or os.uname().machine != "x86_64" or not wants_avx512(_first_processor()):
        return False
    os.environ[VARIABLE] = _CORE
    return True


def wants_avx512(processor: dict[str, str]) -> bool:
    """Return whether a processor, as /proc/cpuinfo describes it, has all of AVX-512 that is needed, and is not Intel's.

    Intel's are recognised by OpenBLAS itself, which knows which of them slow down under AVX-512.
    """
    return _has_avx512(processor) and processor.get("vendor_id") != "GenuineIntel"


def kernel_note() -> str | None:
    """Return one line on the kernels in use if there is something to do or to know, None otherwise."""
    from threadpoolctl import threadpool_info

    used = {str(info.get("architecture")) for info in threadpool_info() if info["internal_api"] == "openblas"}
    if not _has_avx512(_first_processor()):
        return None
    if slow := sorted(used & _AVX2_KERNELS):
        given = os.environ.get(VARIABLE)
        reason = f" because {VARIABLE}={given} is set" if given else ""
        return (
            f"OpenBLAS runs its AVX2 kernels ({', '.join(slow)}) on a processor with AVX-512{reason}; "
            f"set {VARIABLE}={_CORE} before Python starts for the faster ones"
        )
    if os.environ.get(VARIABLE) == _CORE:
        return (
            f"OpenBLAS runs its AVX-512 kernels because {VARIABLE}={_CORE} is set, here by the command line if not by "
            "you; a Python session must have it set before NumPy is loaded"
        )
    return None


def _has_avx512(processor: dict[str, str]) -> bool:
    return set(processor.get("flags", "").split()) >= _NEEDED


def _first_processor(path: str = "/proc/cpuinfo") -> dict[str, str]:
    """Return the fields of the first processor; nothing where there is no such file."""
    fields = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, colon, value = line.partition(":")
                if not colon:
                    break
                fields[name.strip()] = value.strip()
    except OSError:
        return {}
    return fields
