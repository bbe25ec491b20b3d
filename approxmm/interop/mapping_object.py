"""A mapping of names to arrays, such as a state dict in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from approxmm.errors import InputError
from approxmm.interop.named import named_parts
from approxmm.interop.reading import Reading, Source
from approxmm.interop.stored import Stored

__all__ = ["read", "stored_tensor"]


def read(source: Source) -> Reading:
    """Return the layers of a mapping of names to NumPy arrays or PyTorch tensors."""
    stored = {str(name): stored_tensor(str(name), value) for name, value in source.given.items()}
    parts = named_parts(stored, source.name, stored_order=True, layers=source.layers)
    return Reading(parts, f"mapping of {len(stored)} arrays", by_name=True)


def stored_tensor(name: str, value: Any) -> Stored:
    """Return a NumPy array or a PyTorch tensor with the name of its type.

    Raises
    ------
    InputError
        If it is neither.
    """
    if isinstance(value, np.ndarray):
        return Stored.of(value)
    if not hasattr(value, "detach"):
        raise InputError(f"{name} is of type {type(value).__name__}, which is no array; give names and arrays only")
    dtype, shape = str(value.dtype).removeprefix("torch."), tuple(int(n) for n in value.shape)
    if dtype not in ("float16", "bfloat16", "float32", "float64"):
        return Stored(dtype, shape, np.empty(0))  # never read: not real
    # NumPy has no bfloat16, so 16 bits are widened here, exactly.
    wide = value.detach().cpu().to_dense().double() if dtype == "float64" else value.detach().cpu().to_dense().float()
    return Stored(dtype, shape, wide.numpy())
