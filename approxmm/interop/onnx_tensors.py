"""The constant tensors of an ONNX model, sizes checked before values are touched."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from approxmm.errors import DataError
from approxmm.interop.stored import Stored

__all__ = ["Tensors"]

# The type's number in onnx.proto, its name, bytes an element, and the fields that hold elements if not `raw_data`.
_REAL = {
    1: ("float32", 4, "float_data"),
    11: ("float64", 8, "double_data"),
    10: ("float16", 2, "int32_data"),
    16: ("bfloat16", 2, "int32_data"),
}
_WHOLE = {7: ("int64", 8, "int64_data"), 9: ("bool", 1, "int32_data")}
_MOST_WHOLE_NUMBERS = 64  # a shape, never a weight
_EXTERNAL = 1


class Tensors:
    """Reads tensors of one model.

    Parameters
    ----------
    folder : Path
        Where the model lies. Data outside the model's file are read from a regular file in this very folder only.
    source : str
        What messages call the model.
    max_bytes : int
        The most that all tensors together may take.
    """

    def __init__(self, folder: Path, source: str, max_bytes: int) -> None:
        self.folder = folder
        self.source = source
        self.max_bytes = max_bytes
        self.used = 0

    def stored(self, tensor: Any) -> Stored:
        """Return a tensor with its values, if these are floats or a few whole numbers.

        Raises
        ------
        DataError
            If its shape is not what it holds, or its external data are elsewhere or of another size.
        """
        from onnx import TensorProto, numpy_helper

        shape = tuple(int(n) for n in tensor.dims)
        if any(n < 0 for n in shape) or len(shape) > 8:
            self._refuse(tensor, f"has shape {shape[:9]}")
        count = math.prod(shape)
        if tensor.data_type in _WHOLE and count <= _MOST_WHOLE_NUMBERS:
            name, size, field = _WHOLE[tensor.data_type]
            if self._held(tensor, size, field) != count:
                self._refuse(tensor, f"claims shape {shape} and holds another number of elements")
            return Stored(name, shape, numpy_helper.to_array(tensor))
        if tensor.data_type not in _REAL:
            codes = dict(zip(TensorProto.DataType.values(), TensorProto.DataType.keys(), strict=True))
            return Stored(codes.get(tensor.data_type, "unknown").lower(), shape, np.empty(0))
        name, size, field = _REAL[tensor.data_type]
        self.used += count * max(size, 4)  # counted at every use: layers that share a weight get a copy each
        if self.used > self.max_bytes:
            self._refuse(tensor, f"claims shape {shape}; with it the tensors take more than {self.max_bytes} bytes")
        if tensor.data_location == _EXTERNAL:
            self._check_external(tensor, count * size)
        elif self._held(tensor, size, field) != count:
            self._refuse(tensor, f"claims shape {shape} and holds another number of elements")
        array = np.asarray(numpy_helper.to_array(tensor, base_dir=str(self.folder)))
        return Stored(name, shape, array.astype(np.float32) if name == "bfloat16" else array)

    def _held(self, tensor: Any, size: int, field: str) -> float:
        """Return how many elements lie in the model itself."""
        if tensor.data_location == _EXTERNAL:
            return -1
        return len(tensor.raw_data) / size if tensor.raw_data else len(getattr(tensor, field))

    def _check_external(self, tensor: Any, size: int) -> None:
        """Refuse data outside the model's folder, and a size that the file does not have."""
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        path = self.folder / location
        if not location or len(Path(location).parts) != 1 or location in (".", "..") or "\\" in location:
            self._refuse(
                tensor, f"points to data at {location[:80]!r}, outside the model's folder, which is never followed"
            )
        if path.is_symlink() or not path.is_file():
            self._refuse(tensor, f"points to data in {location[:80]!r}, which is no regular file beside the model")
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", size))
        except ValueError:
            offset, length = -1, -1
        if offset < 0 or length != size or offset + length > os.path.getsize(path):
            self._refuse(tensor, f"claims {size} bytes that {location[:80]!r} does not hold where it says")

    def _refuse(self, tensor: Any, what: str) -> None:
        raise DataError(
            f"{self.source}: tensor {tensor.name[:60]!r} {what}; export the model again, in one file "
            "(onnx.save without external data)"
        )
