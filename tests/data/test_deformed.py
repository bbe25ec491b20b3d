from __future__ import annotations

import dataclasses
import hashlib
import itertools

import numpy as np
import pytest
from scipy.interpolate import BSpline
from scipy.ndimage import map_coordinates

from approxmm.data import deformed, load_data
from approxmm.data.deform import _deform, _spline, deform_images
from approxmm.data.digits import load_raw_digits
from approxmm.data.drawing import DEFORMED
from approxmm.data.source import RawSplit
from approxmm.errors import InputError, MissingError
from approxmm.random import Stream, make_key, uniform


@pytest.fixture(scope="module")
def base():
    """Return forty smooth images of 28 × 20 pixels, with their labels."""
    y, x = np.mgrid[:28, :20]
    spots = [np.exp(-((y - 8 - i % 10) ** 2 + (x - 10) ** 2) / (6 + i)) for i in range(40)]
    return RawSplit(np.rint(255 * np.reshape(spots, (40, -1))).astype(np.uint8), np.arange(40) % 10)


def displacements(seed, item, rows, columns):
    """Return the displacements (down, across) of an example, from the description and SciPy's B-splines."""
    draws = 2 * uniform(make_key(seed, Stream.EXAMPLES, layer=DEFORMED, item=item), 104) - 1
    knots = np.arange(-3.0, 8.0)
    sides, grid = (rows, columns), np.mgrid[:rows, :columns].astype(float)
    weights = [BSpline(knots, np.eye(7), 3)((np.arange(n) + 0.5) * 4 / n) for n in sides]
    centred = [grid[d] - (sides[d] - 1) / 2 for d in range(2)]
    out = []
    for d in range(2):
        field = weights[0] @ draws[49 * d : 49 * (d + 1)].reshape(7, 7) @ weights[1].T
        linear = draws[98 + 2 * d] * centred[0] + draws[99 + 2 * d] * centred[1]
        out.append(sides[d] * (field / 8 + draws[102 + d] / 20) + linear / 10)
    return grid, np.array(out)


@pytest.mark.parametrize("strength", [1.0, 0.3])
def test_against_a_slow_twin(base, strength):
    copies = deform_images(base, (28, 20), 7, 60, 80, strength)
    for i, (pixels, label) in enumerate(zip(copies.pixels, copies.labels, strict=True), start=60):
        assert label == base.labels[i % 40]
        grid, moved = displacements(7, i, 28, 20)
        source = base.pixels[i % 40].reshape(28, 20).astype(float)
        values = map_coordinates(source, grid + strength * moved, order=1, mode="grid-constant", cval=0)
        assert np.abs(pixels.reshape(28, 20) - values).max() <= 0.5 + 1e-9
        if strength == 1:
            unmoved = map_coordinates(source, grid + 0.9 * moved, order=1, mode="grid-constant", cval=0)
            assert np.abs(pixels.reshape(28, 20) - unmoved).max() > 1


def test_fields_are_small_and_smooth():
    moved = np.array([displacements(0, i, 28, 28)[1] for i in range(100)])
    assert np.abs(moved).max() < 28 * (1 / 8 + 1 / 20) + 14 * 2 / 10
    splines = _spline(28)
    assert np.allclose(splines.sum(1), 1, rtol=0, atol=1e-15)
    deviation = 28 / 8 / np.sqrt(3) * np.mean(np.square(splines).sum(1))
    assert 0.9 < deviation < 1.05  # pixels: "about 1/29 of the side"


def test_no_strength_changes_nothing(base):
    copies = deform_images(base, (28, 20), 0, 0, 80, 0.0)
    assert np.array_equal(copies.pixels, np.tile(base.pixels, (2, 1)))
    assert np.array_equal(copies.labels, np.tile(base.labels, 2))


def test_the_examples_are_the_same_on_every_machine():
    copies = deform_images(load_raw_digits(), (8, 8), 0, 0, 500, 1.0)
    assert hashlib.sha256(copies.pixels.tobytes()).hexdigest()[:16] == "2577a1457cd66c57"


def test_planes_move_together(base):
    three = RawSplit(np.tile(base.pixels, (1, 3)), base.labels)
    copies = deform_images(three, (3, 28, 20), 1, 0, 50, 1.0).pixels.reshape(50, 3, -1)
    assert np.array_equal(copies[:, 0], deform_images(base, (28, 20), 1, 0, 50, 1.0).pixels)
    assert np.array_equal(copies[:, 0], copies[:, 1])
    assert np.array_equal(copies[:, 0], copies[:, 2])


def test_the_kernel_runs_uncompiled(base):
    out, splines = np.zeros((2, 1, 28, 20), np.uint8), (_spline(28), _spline(20))
    key = make_key(3, Stream.EXAMPLES, layer=DEFORMED)
    _deform.py_func(key, 5, base.pixels.reshape(-1, 1, 28, 20), np.array([5, 6]), *splines, 1.0, out)
    assert np.array_equal(out.reshape(2, -1), deform_images(base, (28, 20), 3, 5, 7, 1.0).pixels)


def collect(chunks):
    parts = list(chunks)
    return np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts])


@pytest.mark.parametrize("standardise", ["scalar", "feature", "unit"])
def test_chunks(standardise):
    data = load_data("digits", standardise=standardise)
    whole, labels = collect(deformed(data, 3, stop=1400))
    assert whole.dtype == np.float32
    assert np.array_equal(labels, np.resize(data.train.y, 1400))
    pieces = [deformed(data, 3, chunk=700, stop=701), deformed(data, 3, chunk=97, start=701, stop=1400)]
    again, same = collect(itertools.chain(*pieces))
    assert np.array_equal(whole, again)
    assert np.array_equal(labels, same)
    assert (collect(deformed(data, 4, stop=100))[0] != whole[:100]).any(1).all()
    assert (whole[1259:] != whole[:141]).any(1).all()
    assert np.array_equal(next(deformed(data, strength=0)).x, data.train.x[:1000])


def test_it_does_not_end():
    chunks = list(itertools.islice(deformed(load_data("digits"), chunk=500), 6))
    assert [len(chunk) for chunk in chunks] == [500] * 6
    far = next(deformed(load_data("digits"), start=10**12, chunk=3))
    assert far.y.tolist() == load_data("digits").train.y[np.arange(10**12, 10**12 + 3) % 1259].tolist()


def test_data_set():
    digits = load_data("digits", standardise="unit", split_seed=2)
    data = load_data("digits_deformed:examples=1500", standardise="unit", split_seed=2)
    assert len(data.train) == 1500
    assert np.array_equal(data.train.x, collect(deformed(digits, 2, stop=1500))[0])
    assert np.array_equal(data.test.x, digits.test.x)
    assert np.array_equal(data.validation.y, digits.validation.y)
    assert data.split_description == (
        "1,500 deformed copies of the training split of digits (70 / 10 / 20 within every class)"
    )
    scaled = load_data("digits_deformed", examples=1500)
    assert abs(scaled.train.x.mean(dtype=float)) < 1e-6


def test_a_set_in_files(write_set, tmp_path):
    folder = write_set()
    data = load_data("mnist_deformed", data_dir=folder, examples=50)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [50, 2, 10]
    assert np.array_equal(data.train.y, np.resize(load_data("mnist", data_dir=folder).train.y, 50))
    with pytest.raises(MissingError, match="run `approxmm data fetch mnist`"):
        load_data("mnist_deformed", data_dir=tmp_path / "nowhere")


def test_bad_arguments():
    data = load_data("digits")
    for bad in ({"chunk": 0}, {"start": -1}, {"start": 5, "stop": 4}):
        with pytest.raises(InputError, match="must satisfy chunk ≥ 1 and 0 ≤ start ≤ stop"):
            deformed(data, **bad)
    for strength in (-1, np.inf, np.nan):
        with pytest.raises(InputError, match="must be a finite number from 0"):
            deformed(data, strength=strength)
    shifted = dataclasses.replace(data, train=dataclasses.replace(data.train, x=data.train.x + 0.01))
    with pytest.raises(InputError, match="the training inputs of 'digits' are not whole pixels"):
        deformed(shifted)
    with pytest.raises(InputError, match="seed=-1"):
        next(deformed(data, -1))
