"""Set up what must be set before anything is imported: the compile cache, the shared helpers, hypothesis."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def _compile_cache() -> Path:
    """Return a cache folder for the sources as they are now.

    Numba notices edits of a kernel's own file only, so the folder is named by all of the package's sources. Parallel
    workers of one run get a folder each: two processes that number their files alike would overwrite each other's.
    """
    digest = hashlib.sha256()
    for source in sorted((TESTS.parent / "approxmm").rglob("*.py")):
        digest.update(source.relative_to(TESTS.parent).as_posix().encode() + b"\0" + source.read_bytes())
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return TESTS.parent / ".pytest_cache" / "numba" / digest.hexdigest()[:16] / worker


assert "numba" not in sys.modules, "numba was imported before the tests could name its cache folder"
os.environ["NUMBA_CACHE_DIR"] = str(_compile_cache())
os.environ.setdefault("MPLBACKEND", "Agg")

sys.path.insert(0, str(TESTS / "support"))  # import-mode=importlib puts nothing on the path
pytest.register_assert_rewrite("enumeration")

from hypothesis import HealthCheck, settings  # noqa: E402

# The first example of a kernel pays for its compilation, so neither deadlines nor "too slow" mean anything here.
settings.register_profile(
    "approxmm", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("approxmm")


@pytest.fixture(autouse=True)
def no_figure_left_open():
    """Close what a test has drawn."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
