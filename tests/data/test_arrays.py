from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from approxmm.data.arrays import check_finite, load_inputs
from approxmm.errors import DataError, InputError, MissingError

FINITE = {"allow_nan": False, "allow_infinity": False}


@pytest.fixture
def save(tmp_path):
    def save(array, **options):
        path = tmp_path / "x.npy"
        np.save(path, array, **options)
        return path

    return save


@settings(deadline=None)
@given(
    array=hnp.arrays(
        np.float64, hnp.array_shapes(min_dims=2, max_dims=2), elements={"allow_nan": False, "allow_infinity": False}
    )
)
def test_round_trip(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("npy") / "x.npy"
    np.save(path, array)
    assert load_inputs(path, features=array.shape[1]).tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("stored", "loaded"),
    [("f2", "f4"), ("f4", "f4"), (">f4", "f4"), ("f8", "f8"), (">f8", "f8"), ("u1", "f8"), (">i4", "f8")],
)
def test_types_and_layout(save, stored, loaded):
    array = np.asfortranarray(np.arange(6).reshape(2, 3).astype(stored))
    back = load_inputs(save(array))
    assert back.dtype == np.dtype(loaded)
    assert back.dtype.isnative
    assert back.flags.c_contiguous
    assert back.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros(3), r"it has 1 dimension\(s\), shape \(3,\), and must have 2"),
        (np.zeros((2, 2, 2)), r"it has 3 dimension\(s\), shape \(2, 2, 2\)"),
        (np.float64(1.0), r"it has 0 dimension\(s\)"),
        (np.zeros((0, 3)), r"it is empty, shape \(0, 3\)"),
        (np.zeros((3, 0)), r"it is empty, shape \(3, 0\)"),
        (np.zeros((1, 2), bool), "type bool and must be real numbers"),
        (np.zeros((1, 2), complex), "type complex128 and must be real numbers"),
        (np.array([["a"]]), "type <U1 and must be real numbers"),
        (np.zeros(2, dtype=[("a", "f8")]), "must be real numbers"),
    ],
)
def test_wrong_content(save, array, reason):
    with pytest.raises(DataError, match=reason):
        load_inputs(save(array))


def test_wrong_width(save):
    with pytest.raises(InputError, match="have 3 features, the network expects 64; give inputs of that width"):
        load_inputs(save(np.zeros((2, 3))), features=64)


def test_pickle_inside(save):
    with pytest.raises(DataError, match=r"pickled Python objects, which are never loaded; write it with numpy.save"):
        load_inputs(save(np.array([[1, "a"]], dtype=object), allow_pickle=True))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_first_bad_index(save, value):
    array = np.zeros((4, 5), np.float32)
    array[2, 3] = array[3, 0] = value
    with pytest.raises(DataError, match=rf"has 2 value\(s\) .* the first is {value} at index \(2, 3\)"):
        load_inputs(save(array))


def test_check_finite_takes_integers_and_empty_arrays():
    check_finite(np.arange(3), "x")
    check_finite(np.zeros((0, 2)), "x")


def test_truncated_and_oversized(save):
    path = save(np.zeros((2, 3)))
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"promises 176 bytes \(shape \(2, 3\), float64\), the file has 175"):
        load_inputs(path)
    path.write_bytes(content + b"x")
    with pytest.raises(DataError, match=r"promises 176 bytes .*, the file has 177"):
        load_inputs(path)
    path.write_bytes(content[:30])
    with pytest.raises(DataError, match="its header is damaged"):
        load_inputs(path)
    path.write_bytes(content[:7])
    with pytest.raises(DataError, match="its header is damaged"):
        load_inputs(path)


@pytest.mark.parametrize("shape", [(2**40, 2**40), (-1, 3)])
def test_absurd_shape(tmp_path, shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"shape": shape, "fortran_order": False, "descr": "<f8"})
    path = tmp_path / "x.npy"
    path.write_bytes(stream.getvalue())
    with pytest.raises(DataError, match=r"promises 9671406556917033397649536 bytes|negative count, shape \(-1, 3\)"):
        load_inputs(path)


@pytest.mark.parametrize(
    ("content", "found"), [(b"1,2\n", "text, a pickle"), (b"", "text"), (b"PK\x03\x04", "zip archive")]
)
def test_another_format(tmp_path, content, found):
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(DataError, match=found):
        load_inputs(path)


def test_version_3_of_the_format_is_refused(save):
    path = save(np.zeros((2, 2)))
    content = path.read_bytes()
    path.write_bytes(content[:6] + b"\x03" + content[7:])
    with pytest.raises(DataError, match="its header is damaged"):
        load_inputs(path)


def test_missing_and_folder(tmp_path):
    with pytest.raises(MissingError, match=r"no such file; name a \.npy file that exists"):
        load_inputs(tmp_path / "absent.npy")
    with pytest.raises(InputError, match="is not a regular file"):
        load_inputs(tmp_path)
