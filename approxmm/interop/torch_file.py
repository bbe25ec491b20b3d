"""A PyTorch state dict in a file, read by the user's own torch, which then unpickles numbers and names only."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

from approxmm.data.files import open_binary
from approxmm.data.npz import check_members
from approxmm.errors import DataError, NotAvailableError
from approxmm.interop.mapping_object import stored_tensor
from approxmm.interop.named import named_parts
from approxmm.interop.reading import Reading, Source

__all__ = ["read"]

_NESTED = ("state_dict", "model_state_dict", "model", "net", "network", "params")
_LARGEST_PICKLE = 64 * 2**20
_REMEDY = "save it by torch.save(model.state_dict(), path)"


def read(source: Source) -> Reading:
    """Return the layers of a state dict, or of the state dict inside a checkpoint.

    Raises
    ------
    NotAvailableError
        If torch is not installed.
    DataError
        If the file is damaged, holds anything but tensors and names, or unpacks to more than the limit.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its optional parts
            import torch
    except ImportError as error:
        raise NotAvailableError(
            f"reading {source.name} needs PyTorch, which is not installed; install torch, or convert the file where "
            "it is: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')"
        ) from error
    try:
        _check_archive(source)
        content = torch.load(source.path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch, zipfile and the restricted unpickler raise a dozen kinds
        reason = " ".join(str(error).split(". ")[0].split())[:200]
        raise DataError(
            f"{source.name} is not a state dict that can be read without running code ({reason}); {_REMEDY}"
        ) from error
    tensors, notes = _state_dict(content, source)
    claimed = sum(tensor.numel() * max(tensor.element_size(), 4) for tensor in tensors.values())
    if claimed > source.max_bytes:
        raise DataError(f"{source.name} unfolds to {claimed} bytes, the limit is {source.max_bytes}; {_REMEDY}")
    stored = {name: stored_tensor(name, tensor) for name, tensor in tensors.items()}
    parts = named_parts(stored, source.name, stored_order=True, layers=source.layers)
    return Reading(parts, f"PyTorch state dict of {len(stored)} tensors", notes, by_name=True)


def _check_archive(source: Source) -> None:
    """Hold the archive's claims against its size before torch unpacks it."""
    with open_binary(source.path, "a .pt file") as file:
        try:
            archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            raise ValueError("it is no archive, or one of a PyTorch older than 1.6") from error
        with archive:
            for member in check_members(archive, file, source.max_bytes):
                if member.filename.endswith(".pkl") and member.file_size > _LARGEST_PICKLE:
                    raise ValueError(f"its index takes {member.file_size} bytes, the limit is {_LARGEST_PICKLE}")


def _state_dict(content: Any, source: Source) -> tuple[dict[str, Any], list[str]]:
    """Return the tensors by name, and a note where they lay deeper in a checkpoint."""
    notes = []
    for key in _NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            notes.append(f"taken from {key!r} of a checkpoint that holds {', '.join(map(repr, list(content)[:6]))}")
            content = content[key]
    if not isinstance(content, Mapping):
        raise DataError(f"{source.name} holds a {type(content).__name__}, not a state dict; {_REMEDY}")
    others = [str(name) for name, value in content.items() if not hasattr(value, "numel")]
    if others:
        notes.append(f"not tensors, and not used: {', '.join(others[:6])}")
    return {str(name): value for name, value in content.items() if hasattr(value, "numel")}, notes
