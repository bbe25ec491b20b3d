"""What ``approxmm train`` is asked for: given options, then a checkpoint's settings or a preset's, then defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from approxmm.cli.options import parse_options
from approxmm.errors import InputError

__all__ = ["list_presets", "requested"]

_DEFAULTS = {"data": "digits", "method": "exact", "standardise": "scalar"}
_CHECKPOINT = ("checkpoint", "checkpoint_seconds", "resume")


def requested(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings as plain values: data, standardise, start, and what `train_arguments` takes.

    Parameters
    ----------
    given : mapping
        The command's options; None is one that was not given.
    """
    asked = {name: value for name, value in given.items() if value is not None}
    asked["options"] = parse_options(asked.pop("option", None))
    if "sampled" in asked:
        asked["sampled"] = [name.strip() for name in asked["sampled"].split(",")]
    if "measure_at" in asked:
        asked["measure_at"] = _steps(asked["measure_at"])
    base = _base(asked)
    if base.get("method", asked.get("method")) == asked.get("method", base.get("method")):
        asked["options"] = {**base.get("options", {}), **asked["options"]}
    else:
        base.pop("budget", None)  # of another method
    return _DEFAULTS | base | asked


def _steps(text: str) -> list[int]:
    try:
        return [int(step) for step in text.split(",")]
    except ValueError as error:
        raise InputError(f"--measure-at {text}: must be numbers of steps between commas, as in 0,100,1000") from error


def _base(asked: dict[str, Any]) -> dict[str, Any]:
    name = asked.pop("preset", None)
    if asked.get("resume"):
        if name is not None:
            raise InputError(f"--preset {name} with --resume: the checkpoint has its settings; leave the preset out")
        return _of_checkpoint(asked.get("checkpoint"))
    if name is None:
        return {}
    from approxmm.engine.presets import get_preset

    return dict(get_preset(name).settings)


def _of_checkpoint(path: Path | None) -> dict[str, Any]:
    from approxmm.engine.arguments import plain_settings
    from approxmm.engine.checkpoint import read_checkpoint
    from approxmm.errors import DataError

    if path is None:
        raise InputError("--resume needs the checkpoint to continue from: --checkpoint FILE")
    try:
        return plain_settings(read_checkpoint(path).settings)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"checkpoint {path} is damaged: its settings do not describe a run") from error


def list_presets() -> tuple[list[dict[str, Any]], str]:
    """Return the presets as plain values, and as text."""
    from approxmm.engine.presets import PRESETS

    document = [
        {
            "name": name,
            "title": found.title,
            "source": found.source,
            "settings": dict(found.settings),
            "deviations": list(found.deviations),
        }
        for name, found in PRESETS.items()
    ]
    return document, "\n\n".join(_preset_text(name, found) for name, found in PRESETS.items())


def _preset_text(name: str, found: Any) -> str:
    options = found.settings.get("options", {})
    plain = {k: ",".join(v) if isinstance(v, list) else v for k, v in found.settings.items()}
    flags = [f"--{k.replace('_', '-')} {v}" for k, v in plain.items() if k != "options"]
    flags += [f"--option {k}={v}" for k, v in options.items()]
    lines = [f"{name}: {found.title}", f"  {found.source}", f"  {' '.join(flags)}"]
    return "\n".join([*lines, *(f"  Not reproduced: {deviation}." for deviation in found.deviations)])
