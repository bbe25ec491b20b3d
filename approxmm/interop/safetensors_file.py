"""A `.safetensors` file, parsed by its library after a look at what its header claims."""

from __future__ import annotations

import numpy as np

from approxmm.data.files import open_binary
from approxmm.errors import DataError
from approxmm.interop.named import named_parts
from approxmm.interop.reading import Reading, Source, optional_package
from approxmm.interop.stored import Stored

__all__ = ["read"]

_LONGEST_HEADER = 4 * 2**20  # some 40,000 arrays; the library would parse 100 MB to objects
_TYPES = {"F64": ("float64", "<f8"), "F32": ("float32", "<f4"), "F16": ("float16", "<f2"), "BF16": ("bfloat16", "<u2")}


def read(source: Source) -> Reading:
    """Return the layers of a `.safetensors` file.

    Raises
    ------
    NotAvailableError
        If the package safetensors is not installed.
    DataError
        If the file is damaged, or its arrays are not those of a chain.
    """
    safetensors = optional_package("safetensors", source)
    with open_binary(source.path, "a .safetensors file") as file:
        content = file.read()
    deserialize = safetensors.deserialize
    length = int.from_bytes(content[:8], "little")
    if length > min(_LONGEST_HEADER, len(content) - 8):
        raise DataError(
            f"{source.name} is not a readable .safetensors file (its header claims {length} bytes, the file has "
            f"{len(content)}, the limit is {_LONGEST_HEADER}); save it again with safetensors"
        )
    try:
        arrays = {name: _stored(tensor) for name, tensor in deserialize(content)}
    except Exception as error:  # the library has an exception of its own, and the header may hold anything
        raise DataError(
            f"{source.name} is not a readable .safetensors file ({' '.join(str(error).split())[:200]}); "
            "save it again with safetensors"
        ) from error
    parts = named_parts(arrays, source.name, stored_order=False, layers=source.layers)
    return Reading(parts, f"safetensors file of {len(arrays)} arrays", by_name=True)


def _stored(tensor: dict[str, object]) -> Stored:
    code, shape = str(tensor["dtype"]), tuple(int(n) for n in tensor["shape"])  # type: ignore[attr-defined]
    if code not in _TYPES:
        return Stored(code, shape, np.empty(0))
    dtype, raw = _TYPES[code]
    return Stored(dtype, shape, np.frombuffer(tensor["data"], raw))  # type: ignore[call-overload]
