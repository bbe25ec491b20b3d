"""Safetensors: values as their library reads them, and headers that lie."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("safetensors")
from safetensors.numpy import save, save_file

from approxmm import read_model
from approxmm.errors import DataError

RNG = np.random.default_rng(3)


def encoded(header, data=b"", length=None):
    """Return a file with this header and, if given, a false length of it."""
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(2, 3), start=0, end=24):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_come_back_bit_for_bit(tmp_path, dtype):
    arrays = {
        f"{k}.weight": RNG.normal(size=s).astype(dtype) for k, s in (("10", (3, 4)), ("2", (4, 5)), ("0", (5, 6)))
    }
    arrays["0.bias"] = RNG.normal(size=5).astype(dtype)
    save_file(arrays, tmp_path / "m.safetensors")
    model = read_model(tmp_path / "m.safetensors", activation="relu")
    wide = np.float64 if dtype == np.float64 else np.float32
    assert model.network.dtype == wide
    for name, W in zip(("0", "2", "10"), model.network.weights, strict=True):
        np.testing.assert_array_equal(W, arrays[f"{name}.weight"].T.astype(wide))
    np.testing.assert_array_equal(model.network.biases[0], arrays["0.bias"].astype(wide))
    assert bool(model.notes) == (dtype == np.float16)


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    W = (RNG.normal(size=(2, 3)).astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    raw = (W.view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "m.safetensors").write_bytes(encoded({"a.weight": entry("BF16", end=12)}, raw))
    model = read_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(model.network.weights[0], W.T)
    assert model.notes == ("bfloat16 weights are computed with in float32",)


def test_a_file_without_its_suffix_is_told_by_its_content(tmp_path):
    (tmp_path / "m.bin").write_bytes(save({"a.weight": np.eye(3)}))
    assert read_model(tmp_path / "m.bin").format == "safetensors file of 1 arrays"


@pytest.mark.parametrize("code", ["I8", "U8", "I64", "F8_E4M3", "BOOL"])
def test_codes_of_a_quantisation_are_named(tmp_path, code):
    size = 8 if code == "I64" else 1
    (tmp_path / "m.safetensors").write_bytes(encoded({"a.weight": entry(code, end=6 * size)}, bytes(6 * size)))
    obstacle = read_model(tmp_path / "m.safetensors").obstacles[0]
    assert f"stored as {code}" in obstacle.reason
    assert "before it is quantised" in obstacle.remedy


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (encoded({}, length=2**60), "claims 1152921504606846976 bytes"),
        (encoded({}, bytes(30), length=2**63), "claims 9223372036854775808 bytes"),
        (encoded({"a.weight": entry()}, bytes(23)), "not a readable .safetensors file"),
        (encoded({"a.weight": entry()}, bytes(25)), "not a readable .safetensors file"),
        (encoded({"a.weight": entry(shape=(2**40, 2**40))}, bytes(24)), "not a readable"),
        (encoded({"a.weight": entry(shape=(2, 4))}, bytes(24)), "not a readable"),
        (encoded({"a.weight": entry(), "b.weight": entry(start=12, end=36)}, bytes(36)), "not a readable"),
        (encoded({"a.weight": entry(), "b.weight": entry(start=30, end=54)}, bytes(54)), "not a readable"),
        (encoded({"a.weight": entry(start=24, end=0)}, bytes(24)), "not a readable"),
        (encoded({"a.weight": entry(dtype="F7")}, bytes(24)), "not a readable"),
        (encoded(b"[" * 4000), "not a readable"),
        (encoded(b"\xff\xfe{}"), "not a readable"),
        (b"{", "the file has 1"),
        (b"a text that was renamed, no more", "header claims"),
        (encoded({}), "holds no arrays"),
    ],
)
def test_hostile_headers(tmp_path, content, words):
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_model(tmp_path / "m.safetensors")
    assert "\n" not in str(caught.value)
