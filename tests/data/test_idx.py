from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from approxmm.data.idx import TYPES, read_idx
from approxmm.errors import DataError, InputError, MissingError

DTYPES = [np.dtype(name) for name in TYPES.values()]


@pytest.fixture
def write(tmp_path):
    def write(content, name="x-idx"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@st.composite
def arrays(draw):
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=5))
    return draw(hnp.arrays(dtype, shape))


@settings(deadline=None)
@given(array=arrays(), compress=st.booleans())
def test_round_trip(tmp_path_factory, idx_bytes, array, compress):
    content = idx_bytes(array)
    path = tmp_path_factory.mktemp("idx") / "x"
    path.write_bytes(gzip.compress(content, mtime=0) if compress else content)
    back = read_idx(path)
    assert back.dtype == array.dtype
    assert back.dtype.isnative
    assert back.shape == array.shape
    assert back.flags.c_contiguous
    assert back.flags.writeable
    assert back.tobytes() == array.tobytes()


@settings(deadline=None)
@given(content=st.binary(max_size=40), compress=st.booleans())
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory, idx_bytes, content, compress):
    path = tmp_path_factory.mktemp("idx") / "x"
    path.write_bytes(gzip.compress(content, mtime=0) if compress else content)
    try:
        back = idx_bytes(read_idx(path))
    except DataError as error:
        back = None
        message = str(error)
    assert back == content if back is not None else "\n" not in message


def test_golden_bytes(write):
    path = write(bytes.fromhex("00000b02 00000002 00000001 ffff 0102"))
    assert read_idx(path).tolist() == [[-1], [0x0102]]


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it has 0 bytes, an IDX header has at least 4"),
        (b"\x00\x00\x08", "it has 3 bytes, an IDX header has at least 4"),
        (b"PK\x03\x04aaaa", "it starts with 0x504b, an IDX file starts with 0x0000"),
        (b"\x00\x00\x0a\x01\x00\x00\x00\x01a", "type code 0x0a is not one of 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e"),
        (b"\x00\x00\x08\x00", "it has 0 dimensions, supported are 1 to 32"),
        (b"\x00\x00\x08\x21" + bytes(4 * 33), "it has 33 dimensions, supported are 1 to 32"),
        (b"\x00\x00\x08\x02\x00\x00\x00\x01", "it ends inside its header, after 8 of 12 bytes"),
    ],
)
def test_bad_header(write, content, reason, compress):
    path = write(gzip.compress(content) if compress else content)
    with pytest.raises(DataError, match=reason):
        read_idx(path)


@pytest.mark.parametrize("compress", [False, True])
def test_truncated_and_oversized(write, idx_bytes, compress):
    content = idx_bytes(np.arange(12, dtype=np.int16).reshape(3, 4))
    pack = gzip.compress if compress else bytes
    with pytest.raises(DataError, match=r"promises 36 bytes \(shape \(3, 4\), int16\), the file has 35; fetch or copy"):
        read_idx(write(pack(content[:-1])))
    with pytest.raises(DataError, match=r"promises 36 bytes .*, the file has (37|more)"):
        read_idx(write(pack(content + b"\0")))


@pytest.mark.parametrize("compress", [False, True])
def test_absurd_header_allocates_nothing(write, idx_bytes, compress, monkeypatch):
    monkeypatch.setattr(np, "empty", lambda *_a, **_k: pytest.fail("allocated before the header was checked"))
    pack = gzip.compress if compress else bytes
    huge = write(pack(b"\x00\x00\x0e\x03" + b"\xff" * 12 + b"data"))
    with pytest.raises(DataError, match=r"promises 6338.* bytes .*, the limit is 2147483648"):
        read_idx(huge)
    large = write(pack(b"\x00\x00\x08\x01\x40\x00\x00\x00" + b"data"))
    with pytest.raises(DataError, match=r"the (file has 12|compressed file can hold at most)"):
        read_idx(large)
    with pytest.raises(DataError, match=r"promises 14 bytes .*, the limit is 5;"):
        read_idx(write(pack(idx_bytes(np.zeros(6, np.uint8)))), max_bytes=5)


def test_bomb_is_not_unpacked(write, idx_bytes):
    bomb = gzip.compress(idx_bytes(np.zeros(3, np.uint8)) + bytes(50_000_000))
    with pytest.raises(DataError, match=r"promises 11 bytes .*, the file has more"):
        read_idx(write(bomb))


def test_damaged_gzip(write, idx_bytes):
    good = gzip.compress(idx_bytes(np.arange(200, dtype=np.uint8)), mtime=0)
    with pytest.raises(DataError, match="gzip stream is damaged or cut short"):
        read_idx(write(good[:-12]))
    with pytest.raises(DataError, match=r"gzip stream is damaged .*CRC"):
        read_idx(write(good[:-8] + b"\0\0\0\0" + good[-4:]))
    with pytest.raises(DataError, match="gzip stream is damaged"):
        read_idx(write(good[:10] + b"\xff" * 40))
    with pytest.raises(DataError, match="gzip stream is damaged"):
        read_idx(write(good[:2]))


def test_no_such_file_and_no_file(tmp_path):
    with pytest.raises(MissingError, match=r"cannot read '.*absent': no such file; name an IDX file that exists"):
        read_idx(tmp_path / "absent")
    with pytest.raises(InputError, match="is not a regular file; name an IDX file"):
        read_idx(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Not a directory"):
        read_idx(tmp_path / "file" / "x")
