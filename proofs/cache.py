"""Results on disk, as JSON, keyed by the content of this package and the versions of what it calculates with."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from functools import cache
from pathlib import Path

import mpmath
import sympy as sp

from .model import TheoremResult

__all__ = ["content_key", "default_directory", "load", "store"]


@cache
def content_key() -> str:
    """Return a hash of all sources of this package, SymPy's, mpmath's and Python's versions."""
    digest = hashlib.sha256(f"{sp.__version__} {mpmath.__version__} {sys.version_info[:2]}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:24]


def default_directory() -> Path:
    """Return the user's cache directory for proofs (XDG_CACHE_HOME, the platform's place, or ~/.cache)."""
    if os.environ.get("XDG_CACHE_HOME"):
        base = Path(os.environ["XDG_CACHE_HOME"])
    elif os.name == "nt" and os.environ.get("LOCALAPPDATA"):
        base = Path(os.environ["LOCALAPPDATA"])
    else:
        base = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return base / "approxmm" / "proofs"


def load(directory: Path, name: str) -> TheoremResult | None:
    """Return the stored result for the present content, or None (also if the file is damaged)."""
    try:
        document = json.loads((directory / f"{name}-{content_key()}.json").read_text(encoding="utf-8"))
        result = TheoremResult.from_dict(document, cached=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return result if result.name == name else None


def store(directory: Path, result: TheoremResult) -> None:
    """Write a result to a temporary name and rename it; drop results of other contents. A full disk is no error."""
    target = directory / f"{result.name}-{content_key()}.json"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=directory, suffix=".tmp", delete=False, encoding="utf-8") as file:
            json.dump(result.to_dict(), file)
        Path(file.name).replace(target)
        for stale in directory.glob(f"{result.name}-*.json"):
            if stale != target:
                stale.unlink(missing_ok=True)
    except OSError:
        return  # without a cache the next run is only slower
