"""How much of a protobuf-encoded ONNX model is structure rather than numbers, counted without building anything.

A parser makes an object of 150 bytes of every empty node, which takes two bytes
in the file. Numbers, in contrast, take what they take; so the limit is on the rest.
"""

from __future__ import annotations

__all__ = ["structure_bytes"]

# Field numbers of onnx.proto that lead to tensors (ModelProto, GraphProto, NodeProto, AttributeProto), and a tensor's
# own float_data, double_data and raw_data.
_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR = range(5)
_CHILDREN: dict[int, dict[int, int]] = {
    _MODEL: {7: _GRAPH},
    _GRAPH: {1: _NODE, 5: _TENSOR},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR},
    _TENSOR: {},
}
_NUMBERS = (4, 9, 10)
_FIELD = 8  # bytes that a field counts for: an empty one takes two, and an object in memory


def structure_bytes(data: bytes, limit: int) -> int:
    """Return how many bytes of an encoded model are not the numbers of its tensors.

    Stops with more than `limit` once there are too many fields for it.

    Raises
    ------
    ValueError
        If a field claims to end beyond its message, or the encoding is broken.
    """
    numbers, fields = 0, 0
    stack = [(_MODEL, 0, len(data))]
    while stack:
        kind, start, end = stack.pop()
        while start < end:
            fields += 1
            if _FIELD * fields > limit:
                return _FIELD * fields
            field, first, start = _next_field(data, start, end)
            if kind == _TENSOR and field in _NUMBERS:
                numbers += start - first
            elif field in _CHILDREN[kind]:
                stack.append((_CHILDREN[kind][field], first, start))
    return len(data) - numbers


def _next_field(data: bytes, start: int, end: int) -> tuple[int, int, int]:
    """Return the field's number, and where its content begins and ends."""
    tag, first = _varint(data, start, end)
    wire = tag & 7
    if wire == 0:
        _, last = _varint(data, first, end)
    elif wire == 2:
        length, first = _varint(data, first, end)
        last = first + length
    elif wire in (1, 5):
        last = first + (8 if wire == 1 else 4)
    else:
        raise ValueError(f"byte {start} begins no field")
    if last > end:
        raise ValueError(f"a field at byte {start} claims to end at byte {last} of {end}")
    return tag >> 3, first, last


def _varint(data: bytes, start: int, end: int) -> tuple[int, int]:
    value = 0
    for i, byte in enumerate(data[start : min(start + 10, end)]):
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value, start + i + 1
    raise ValueError(f"byte {start} begins a number without end")
