from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approxmm.data import check_data, load_data
from approxmm.data.norb import SMALL_NORB, block_means
from approxmm.data.registry import resolve
from approxmm.errors import DataError, MissingError

CODES = {"uint8": 0x1E3D4C55, "int32": 0x1E3D4C54, "float32": 0x1E3D4C51}
HEADER = 24


def matrix_bytes(array):
    """Write a matrix as the set's page describes it: magic, dimensions (at least three numbers), elements."""
    sizes = [*array.shape, 1, 1][: max(3, array.ndim)]
    head = struct.pack(f"<I{1 + len(sizes)}I", CODES[array.dtype.name], array.ndim, *sizes)
    return head + array.astype(array.dtype.newbyteorder("<")).tobytes()


def images(count, seed=3):
    return np.random.default_rng(seed).integers(0, 256, (count, 2, 96, 96), dtype=np.uint8)


def categories(count):
    return (np.arange(count) % 5).astype(np.int32)


@pytest.fixture
def write_norb(tmp_path):
    """Return a writer of a made-up set: four matrix files, any of which can be replaced."""

    def write(pack=gzip.compress, train=12, test=5, **replaced):
        folder = tmp_path / "data" / "small_norb"
        folder.mkdir(parents=True, exist_ok=True)
        files = iter(SMALL_NORB.files)
        for kind, count in (("train", train), ("test", test)):
            for part, array in (("images", images(count)), ("labels", categories(count))):
                name = next(files).name
                content = replaced.get(f"{kind}_{part}", matrix_bytes(array))
                suffix = ".gz" if pack is gzip.compress else ""
                (folder / f"{name}{suffix}").write_bytes(pack(content))
        return tmp_path / "data"

    return write


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_load(write_norb, pack):
    data = load_data("small_norb", data_dir=write_norb(pack), standardise="unit", dtype=np.float64)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [11, 1, 5]
    assert data.image_shape == (2, 32, 32)
    assert data.features == 2048
    assert "2,048 features (2 × 32 × 32), 5 classes" in repr(data)
    assert data.test.y.tolist() == [0, 1, 2, 3, 4]
    means = images(5).reshape(5, 2, 32, 3, 32, 3).mean((3, 5))
    assert np.array_equal(np.rint(255 * data.test.x), np.rint(means).reshape(5, -1))


@pytest.mark.parametrize(("side", "cameras"), [(96, 2), (48, 1), (8, 2), (96, 1)])
def test_options(write_norb, side, cameras):
    folder = write_norb(bytes)
    data = load_data(f"small_norb:side={side}", data_dir=folder, standardise="unit", cameras=cameras)
    assert data.image_shape == ((side, side) if cameras == 1 else (2, side, side))
    block = 96 // side
    sums = images(5)[:, :cameras].reshape(5, cameras, side, block, side, block).sum((3, 5), dtype=int)
    expected = np.floor(sums / block**2 + 0.5).reshape(5, -1)
    assert np.array_equal(np.rint(255 * data.test.x), expected)


def test_the_full_set_never_is_in_memory_at_full_resolution(write_norb, monkeypatch):
    seen = []

    def watch(rows, side):
        seen.append(rows.size)
        return block_means(rows, side)

    monkeypatch.setattr("approxmm.data.norb.block_means", watch)
    load_data("small_norb", data_dir=write_norb(bytes, train=300))
    assert sum(seen) == 305 * 2 * 96 * 96
    assert max(seen) == 128 * 2 * 96 * 96


@settings(deadline=None)
@given(block=st.sampled_from([1, 2, 3, 4]), side=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_block_means_are_rounded_halves_up(block, side, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (2, block * side, block * side), dtype=np.uint8)
    for image, small in zip(pixels, block_means(pixels, side), strict=True):
        for y in range(side):
            for x in range(side):
                total = int(image[y * block : (y + 1) * block, x * block : (x + 1) * block].sum())
                assert small[y, x] == (2 * total + block**2) // (2 * block**2)


def test_check(write_norb):
    folder = write_norb()
    result = check_data("small_norb", folder)
    assert result.ok
    assert [file.checksum for file in result.files] == ["unknown"] * 4
    assert result.summary == "12 training and 5 test examples, 2048 features, 5 classes"
    path = folder / "small_norb" / f"{SMALL_NORB.test_labels.name}.gz"
    path.write_bytes(path.read_bytes()[:-9])
    result = check_data("small_norb", folder)
    assert [file.checksum for file in result.files] == ["unknown"] * 3 + ["bad"]
    assert not result.ok


def test_missing(tmp_path):
    with pytest.raises(
        MissingError, match=r"no smallnorb-5x46789x9x18x6x2x96x96-training-dat\.mat\.gz \(or .*data fetch"
    ):
        load_data("small_norb", data_dir=tmp_path)


GOOD = matrix_bytes(images(5))


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (GOOD[:7], "it has 7 bytes, a header has at least 20"),
        (GOOD[:20], "it ends inside its header, after 20 of 24 bytes"),
        (
            b"\x1e\x3d\x4c\x55" + GOOD[4:],
            r"0x554c3d1e at offset 0, expected 0x1e3d4c55 \(its bytes are in big-endian order\)",
        ),
        (b"MATLAB 5.0 MAT-file", "magic number 0x4c54414d at offset 0, expected 0x1e3d4c55;"),
        (
            matrix_bytes(categories(5)),
            r"it holds int32 \(magic number 0x1e3d4c54 at offset 0\), expected uint8 \(0x1e3d4c55\)",
        ),
        (GOOD[:4] + b"\x09\0\0\0" + GOOD[8:], r"it has 9 dimensions \(offset 4\), supported are 1 to 8"),
        (matrix_bytes(images(5)[:, :1]), r"its shape is \(5, 1, 96, 96\) \(offset 8\), expected \(n, 2, 96, 96\)"),
        (matrix_bytes(images(0)), r"its shape is \(0, 2, 96, 96\)"),
        (
            GOOD[:-1],
            r"its header promises 92184 bytes \(shape \(5, 2, 96, 96\), uint8\), the file has 92183; fetch or copy",
        ),
        (GOOD + b"x", r"its header promises 92184 bytes .*, the file has (92185|more)"),
        (
            GOOD[:8] + b"\xff\xff\xff\xff" + GOOD[12:],
            r"promises 79164837181464 bytes .* the (file has|compressed file can)",
        ),
    ],
)
def test_damaged_images(write_norb, pack, content, reason):
    with pytest.raises(
        DataError, match=rf"'.*testing-dat\.mat(\.gz)?' is not a sound NORB matrix file: .*{reason}"
    ) as caught:
        load_data("small_norb", data_dir=write_norb(pack, test_images=content))
    assert "\n" not in str(caught.value)


def test_labels_that_do_not_belong(write_norb):
    with pytest.raises(DataError, match="label 5 at index 4, labels of 'small_norb' are 0 to 4"):
        load_data("small_norb", data_dir=write_norb(test_labels=matrix_bytes(np.array([0, 1, 2, 3, 5], np.int32))))
    with pytest.raises(DataError, match=r"has 5 images, .* has 4 labels"):
        load_data("small_norb", data_dir=write_norb(test_labels=matrix_bytes(categories(4))))
    with pytest.raises(DataError, match=r"its shape is .* expected \(n, \) with n at least 1"):
        load_data("small_norb", data_dir=write_norb(test_labels=matrix_bytes(np.zeros((5, 2), np.int32))))


LABELS = matrix_bytes(categories(9))


@settings(deadline=None, max_examples=60)
@given(data=st.data(), compress=st.booleans())
def test_any_damage_is_refused_in_one_line(tmp_path_factory, data, compress):
    """Cut, extend or change a header byte of a file of categories: it is refused, or says the same."""
    position = data.draw(st.integers(0, 19))
    damaged = data.draw(
        st.sampled_from(
            [
                LABELS[:position],
                LABELS[: len(LABELS) - 1 - position],
                LABELS + bytes(position + 1),
                LABELS[:position] + bytes([LABELS[position] ^ data.draw(st.integers(1, 255))]) + LABELS[position + 1 :],
            ]
        )
    )
    path = tmp_path_factory.mktemp("norb") / "x-cat.mat"
    path.write_bytes(gzip.compress(damaged, mtime=0) if compress else damaged)
    source, _ = resolve("small_norb", {})
    filler = damaged[:12] + damaged[20:] == LABELS[:12] + LABELS[20:]  # numbers beyond the dimensions mean nothing
    if filler:
        source.check_file(path)
        return
    with pytest.raises(DataError) as caught:
        source.check_file(path)
    assert "\n" not in str(caught.value)
