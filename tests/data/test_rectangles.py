from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy.stats import chi2

from approxmm.data import load_data
from approxmm.data.rectangles import _SIZES, _draw_outlines, draw_rectangles
from approxmm.data.shapes import TEST_EXAMPLES
from approxmm.errors import InputError
from approxmm.random import Stream, make_key

ALARM = 1e-9


def boxes(pixels):
    """Return top, left, height and width of the white pixels of each image."""
    white = pixels.reshape(-1, 28, 28) > 0
    rows, columns = white.any(2), white.any(1)
    top, left = rows.argmax(1), columns.argmax(1)
    return top, left, 28 - rows[:, ::-1].argmax(1) - top, 28 - columns[:, ::-1].argmax(1) - left


def outline(top, left, height, width):
    image = np.zeros((28, 28), np.uint8)
    image[top : top + height, left : left + width] = 255
    image[top + 1 : top + height - 1, left + 1 : left + width - 1] = 0
    return image


def fits(counts, expected):
    """Return whether counts agree with their expectations (false alarm 1e-9)."""
    return ((counts - expected) ** 2 / expected).sum() < chi2.isf(ALARM, len(counts) - 1)


def test_every_image_is_an_outline_and_its_label_is_exact():
    sample = draw_rectangles(3, 0, 0, 1000)
    for image, label, box in zip(sample.pixels, sample.labels, zip(*boxes(sample.pixels), strict=True), strict=True):
        assert np.array_equal(image.reshape(28, 28), outline(*box))
        _, _, height, width = box
        assert abs(height - width) >= 3
        assert label == (width > height)


def test_sizes_and_places_are_uniform():
    top, left, height, width = boxes(draw_rectangles(0, 0, 0, 65_000).pixels)
    pairs = np.array([np.count_nonzero((height == h) & (width == w)) for h, w in _SIZES])
    assert len(pairs) == 650
    assert fits(pairs, np.full(650, 100.0))
    share = np.bincount(_SIZES[:, 0], minlength=29) / 650
    for place, size in ((top, height), (left, width)):
        cells = [(s, p) for s in range(1, 29) for p in range(29 - s)]
        counts = np.array([np.count_nonzero((size == s) & (place == p)) for s, p in cells])
        assert fits(counts, np.array([65_000 * share[s] / (29 - s) for s, _ in cells]))
    assert not fits(pairs, np.where(np.abs(_SIZES[:, 0] - _SIZES[:, 1]) == 3, 0.5, 1.04) * 100)


def test_an_example_does_not_depend_on_its_neighbours():
    whole = draw_rectangles(1, 0, 0, 1200)
    parts = [draw_rectangles(1, 0, a, b) for a, b in ((0, 1), (1, 700), (700, 1200))]
    assert np.array_equal(whole.pixels, np.concatenate([part.pixels for part in parts]))
    assert np.array_equal(whole.labels, np.concatenate([part.labels for part in parts]))
    for other in (draw_rectangles(2, 0, 0, 1200), draw_rectangles(1, 1, 0, 1200)):
        assert (whole.pixels != other.pixels).any(1).mean() > 0.9


def test_the_examples_are_the_same_on_every_machine():
    sample = draw_rectangles(0, 0, 0, 500)
    assert hashlib.sha256(sample.pixels.tobytes()).hexdigest()[:16] == "4d544b6af2abc09a"


def test_the_kernel_runs_uncompiled():
    images, labels = np.zeros((20, 28, 28), np.uint8), np.empty(20, np.int64)
    _draw_outlines.py_func(make_key(1, Stream.EXAMPLES), 5, _SIZES, images, labels)
    expected = draw_rectangles(1, 0, 5, 25)
    assert np.array_equal(images.reshape(20, -1), expected.pixels)
    assert np.array_equal(labels, expected.labels)


def test_data_set():
    data = load_data("rectangles:examples=600", standardise="unit", split_seed=4)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [500, 100, TEST_EXAMPLES]
    assert data.classes == ("tall", "wide")
    assert data.split_description == (
        "600 examples drawn for training, the last 100 of which validate; 50,000 for the test"
    )
    drawn = draw_rectangles(4, 0, 0, 600)
    assert np.array_equal(np.concatenate([data.train.x, data.validation.x]) * 255, drawn.pixels)
    assert np.array_equal(np.concatenate([data.train.y, data.validation.y]), drawn.labels)
    with pytest.raises(InputError, match="seed="):
        load_data("rectangles", split_seed=2**63)
