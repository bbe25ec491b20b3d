from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from approxmm.data import available, check_data, data_folder, load_data
from approxmm.data.digits import SIZES, load_raw_digits
from approxmm.data.location import VARIABLE
from approxmm.errors import DataError, InputError, MissingError

TRAIN_IMAGES = "train-images-idx3-ubyte"


def splits(data):
    return data.train, data.validation, data.test


def rows(split):
    return {row.tobytes() for row in split.x}


def test_digits():
    data = load_data()
    assert tuple(len(s) for s in splits(data)) == SIZES == (1259, 179, 359)
    for split in splits(data):
        assert split.x.shape == (len(split), 64)
        assert split.x.dtype == np.float32
        assert split.y.dtype == np.int64
        assert split.x.flags.c_contiguous
        assert split.x.flags.writeable
        assert np.isfinite(split.x).all()
    assert abs(data.train.x.mean(dtype=np.float64)) < 1e-6
    assert abs(data.train.x.std(dtype=np.float64) - 1) < 1e-6
    assert data.features == 64
    assert data.classes == tuple("0123456789")


def test_digits_are_stratified_and_complete():
    data = load_data("digits", standardise="unit", dtype=np.float64)
    raw = load_raw_digits()
    whole = np.bincount(raw.labels)
    parts = [np.bincount(s.y, minlength=10) for s in splits(data)]
    assert np.array_equal(sum(parts), whole)
    for part, share in zip(parts, (0.7, 0.1, 0.2), strict=True):
        assert np.all(np.abs(part - share * whole) <= 1)
    together = np.concatenate([s.x for s in splits(data)]) * 16
    assert sorted(map(bytes, together.astype(np.uint8))) == sorted(map(bytes, raw.pixels))


def test_digits_statistics_come_from_the_training_split_alone():
    unit = load_data("digits", standardise="unit", dtype=np.float64)
    scalar = load_data("digits", dtype=np.float64).standardisation
    assert float(scalar.mean) == pytest.approx(16 * unit.train.x.mean(), rel=1e-14)
    assert float(scalar.scale) == pytest.approx(16 * unit.train.x.std(), rel=1e-14)
    feature = load_data("digits", standardise="feature", dtype=np.float64)
    assert feature.train.x[:, 0].tolist() == [0.0] * SIZES[0]
    assert feature.standardisation.scale[0] == 1


def test_split_depends_on_the_split_seed_alone():
    first, again, other = load_data(), load_data(), load_data(split_seed=1)
    for a, b, c in zip(splits(first), splits(again), splits(other), strict=True):
        assert np.array_equal(a.x, b.x)
        assert np.array_equal(a.y, b.y)
        assert not np.array_equal(a.y, c.y)
    assert hashlib.sha256(first.validation.y.astype("<i8").tobytes()).hexdigest()[:16] == "032dba558e03328b"


def test_repr():
    text = repr(load_data())
    assert "train 1,259, validation 179, test 359; 64 features (8 × 8), 10 classes, float32" in text
    assert "70 / 10 / 20 within every class (split seed 0)" in text
    assert "CC BY 4.0" in text
    assert repr(load_data().train) == "Split(1,259 × 64 float32)"


def test_real_mnist(real_mnist):
    data = load_data("mnist", data_dir=real_mnist)
    assert [len(s) for s in splits(data)] == [55_000, 5_000, 10_000]
    assert data.features == 784
    assert abs(data.train.x.mean(dtype=np.float64)) < 1e-6
    assert abs(data.train.x.std(dtype=np.float64) - 1) < 1e-6
    assert data.test.y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(np.concatenate([data.train.y, data.validation.y])).tolist() == [
        *(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
    ]
    assert not rows(data.train) & rows(data.validation)


def test_real_mnist_is_the_published_one(real_mnist):
    result = check_data("mnist", real_mnist)
    assert [file.checksum for file in result.files] == ["ok"] * 4
    assert result.ok
    assert result.summary == "60,000 training and 10,000 test examples, 784 features, 10 classes"


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_made_up_set(write_set, name, pack):
    data = load_data(name, data_dir=write_set(name, pack=pack), standardise="unit", dtype=np.float64)
    assert [len(s) for s in splits(data)] == [22, 2, 10]
    assert data.test.y.tolist() == list(range(10))
    images = np.random.default_rng(7).integers(0, 256, (24, 28, 28), dtype=np.uint8).reshape(24, -1)
    both = np.concatenate([data.train.x, data.validation.x])
    assert sorted(map(bytes, np.rint(both * 255).astype(np.uint8))) == sorted(map(bytes, images))


def test_emnist_letters_are_transposed_and_count_from_1(write_set):
    folder = write_set("emnist_letters", prefix="emnist-letters-", test="test", first=1, classes=26, train=26)
    data = load_data("emnist_letters", data_dir=folder, standardise="unit")
    assert sorted([*data.train.y, *data.validation.y]) == list(range(26))
    images = np.random.default_rng(7).integers(0, 256, (26, 28, 28), dtype=np.uint8)
    letter = data.train.y[0]
    assert np.array_equal(np.rint(data.train.x[0] * 255), images[letter].T.ravel())


@pytest.mark.parametrize("suffix", [".gz", ""])
def test_dotted_names(write_set, suffix):
    folder = write_set(pack=gzip.compress if suffix else bytes)
    for path in list((folder / "mnist").iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert (folder / "mnist" / f"train-images.idx3-ubyte{suffix}").exists()
    assert len(load_data("mnist", data_dir=folder).test) == 10


def test_folder_argument_then_environment_then_cache(write_set, monkeypatch, tmp_path):
    folder = write_set()
    monkeypatch.setenv(VARIABLE, str(folder))
    assert data_folder() == folder
    assert len(load_data("mnist").test) == 10
    assert data_folder(tmp_path) == tmp_path
    monkeypatch.setenv(VARIABLE, "")
    assert data_folder().name == "approxmm"


def test_missing_set(tmp_path):
    message = (
        r"data set 'mnist': no train-images-idx3-ubyte.gz \(or train-images-idx3-ubyte\) in '.*mnist'; "
        r"run `approxmm data fetch mnist`, or let --data-dir or APPROXMM_DATA_DIR name the folder that holds mnist/$"
    )
    with pytest.raises(MissingError, match=message):
        load_data("mnist", data_dir=tmp_path)


def test_one_file_missing(write_set):
    folder = write_set()
    (folder / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(MissingError, match=r"no t10k-labels-idx1-ubyte\.gz"):
        load_data("mnist", data_dir=folder)


@pytest.mark.parametrize(
    ("file", "array", "reason"),
    [
        ("train_labels_idx1_ubyte", np.zeros(23, np.uint8), r"has 24 images, '.*' has 23 labels, and they must be"),
        ("t10k_labels_idx1_ubyte", np.full(10, 11, np.uint8), r"label 11 at index 0, labels of 'mnist' are 0 to 9"),
        ("train_labels_idx1_ubyte", np.zeros((24, 1), np.uint8), "has 2 dimensions, labels have 1"),
        ("train_images_idx3_ubyte", np.zeros((24, 8, 8), np.uint8), r"shape \(24, 8, 8\), images of 'mnist' have"),
        ("train_images_idx3_ubyte", np.zeros((24, 784), np.uint8), r"shape \(24, 784\), images of 'mnist' have"),
        ("train_images_idx3_ubyte", np.zeros((24, 28, 28), np.int16), "holds int16, the MNIST family holds uint8"),
    ],
)
def test_files_that_do_not_belong(write_set, file, array, reason):
    with pytest.raises(DataError, match=reason):
        load_data("mnist", data_dir=write_set(**{file: array}))


def test_empty_set(write_set):
    with pytest.raises(DataError, match="has 0 images, at least 1 is needed"):
        load_data("mnist", data_dir=write_set(train=0))


def test_truncated_file(write_set):
    folder = write_set(pack=bytes)
    path = folder / "mnist" / TRAIN_IMAGES
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"promises 18832 bytes .*, the file has 18831"):
        load_data("mnist", data_dir=folder)


@pytest.mark.parametrize(("name", "close"), [("mnits", "mnist"), ("Fashion-MNIST", "fashion_mnist")])
def test_unknown_name(name, close):
    with pytest.raises(InputError, match=rf"unknown data set '{name}', known are digits, .*; did you mean '{close}'\?"):
        load_data(name)


def test_other_bad_arguments():
    with pytest.raises(InputError, match=r"unknown data set 'zzz', known are [a-z_0-9, ]+$"):
        load_data("zzz")
    with pytest.raises(InputError, match="standardise is 'x'"):
        load_data(standardise="x")
    with pytest.raises(InputError, match="dtype is"):
        load_data(dtype=np.int32)
    with pytest.raises(InputError, match="split_seed is -1"):
        load_data(split_seed=-1)


def test_unreadable_folder(tmp_path, monkeypatch):
    def refuse(_self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.is_file", refuse)
    with pytest.raises(InputError, match=r"cannot look into '.*': Permission denied; name a folder that can be read"):
        load_data("mnist", data_dir=tmp_path)


def test_available(write_set):
    listed = {info.name: info for info in available(write_set("kmnist"))}
    files = ["mnist", "fashion_mnist", "kmnist", "emnist_letters", "small_norb", "cifar10"]
    generated = ["rectangles", "convex", "digits_deformed", "mnist_deformed"]
    assert list(listed) == ["digits", *files, *generated]
    assert [name for name, info in listed.items() if info.origin == "files"] == files
    assert [name for name, info in listed.items() if info.origin == "generated"] == generated
    present = ["digits", "kmnist", "rectangles", "convex", "digits_deformed"]
    assert [name for name, info in listed.items() if info.present] == present
    assert listed["digits"].sizes == SIZES
    assert listed["mnist"].sizes == (55_000, 5_000, 10_000)
    assert listed["emnist_letters"].sizes == (114_400, 10_400, 20_800)
    assert listed["small_norb"].shape == (2, 32, 32)
    assert listed["small_norb"].options == {"side": 32, "cameras": 2}


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("mnist", {"side": 3}, "data set 'mnist' has no option 'side'; it has none"),
        ("small_norb", {"size": 3}, "has no option 'size'; its options are side, cameras"),
        (
            "small_norb:side=33",
            {},
            r"side=33 of data set 'small_norb' \(rows .*\) must be one of 96, 48, 32, 24, 16, 12, 8; ",
        ),
        ("small_norb", {"cameras": True}, "cameras=True of data set 'small_norb'"),
        ("convex:examples=11", {}, "examples=11 .* must be an integer from 12 to 1000000; the default is 8000"),
        ("convex:examples=x", {}, "examples='x' of data set 'convex'"),
        ("convex:examples", {}, "cannot read 'examples' in the data set 'convex:examples'; write name:option=value"),
        ("convex:", {}, "cannot read '' in the data set 'convex:'"),
        ("convex:examples=12", {"examples": 12}, "option 'examples' is in the name .* and given besides; give it once"),
        ("convx:examples=12", {}, "unknown data set 'convx', .*did you mean 'convex'"),
    ],
)
def test_bad_options(name, options, reason):
    with pytest.raises(InputError, match=reason):
        load_data(name, **options)


def test_import_is_light():
    heavy = ("sklearn", "pooch", "requests", "scipy", "numba")
    code = f"import sys, approxmm.data; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert run.stdout.strip() == "[]"
