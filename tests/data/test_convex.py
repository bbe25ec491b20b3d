from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from approxmm.data import load_data
from approxmm.data.convex import _cut, _draw_examples, draw_regions
from approxmm.data.convexity import _rows_fill_hull, is_convex
from approxmm.random import Stream, make_key

SIGMAS = 6.2  # of a normal distribution: false alarm below 1e-9


def turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def chain(points):
    """Return one side of the hull of sorted points (Andrew's monotone chain, whole numbers)."""
    side = []
    for point in points:
        while len(side) > 1 and turn(side[-2], side[-1], point) <= 0:
            side.pop()
        side.append(point)
    return side


def convex_by_hull(image):
    """Return whether no black pixel lies in the hull of the white ones: hull first, then every pixel against it."""
    white = [(int(x), int(y)) for y, x in np.argwhere(image)]
    if len(white) < 2:
        return True
    ordered = sorted(white)
    hull = chain(ordered)[:-1] + chain(ordered[::-1])[:-1]
    y, x = np.nonzero(np.asarray(image) == 0)
    if len(hull) == 2:
        (a, b) = sorted(hull)
        return not any(turn(a, b, p) == 0 and a < p < b for p in zip(x.tolist(), y.tolist(), strict=True))
    return not np.all([turn(a, b, (x, y)) >= 0 for a, b in itertools.pairwise([*hull, hull[0]])], axis=0).any()


def triangles(points):
    """Return each triangle (or segment, or point) of `points` with all of the points in it, as sets of bits."""

    def inside(p, a, b, c):
        turns = (turn(a, b, p), turn(b, c, p), turn(c, a, p))
        if turn(a, b, c) != 0:
            return min(turns) >= 0 or max(turns) <= 0
        return turns == (0, 0, 0) and min(a, b, c) <= p <= max(a, b, c)

    for corners in itertools.combinations_with_replacement(points, 3):
        own = sum(1 << i for i, p in enumerate(points) if p in corners)
        yield own, sum(1 << i for i, p in enumerate(points) if inside(p, *corners))


def test_all_small_images():
    """By Carathéodory a point of a hull lies in a triangle of the set's points."""
    covers = list(triangles([(x, y) for y in range(3) for x in range(3)]))
    verdicts = []
    for bits in range(512):
        image = np.array([bits >> i & 1 for i in range(9)], np.uint8).reshape(3, 3)
        expected = not any(own & ~bits == 0 and hull & ~bits for own, hull in covers)
        assert is_convex(image) == convex_by_hull(image) == expected
        verdicts.append(expected)
    assert 0 < sum(verdicts) < 512
    apart = np.array([[1, 0], [0, 0], [0, 1]], np.uint8)
    assert is_convex(apart)
    assert not is_convex(np.array([[1, 0, 0], [0, 0, 0], [0, 0, 1]], np.uint8))


@settings(deadline=None, max_examples=150)
@given(image=hnp.arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 1)))
def test_any_image(image):
    assert is_convex(image) == convex_by_hull(image)
    assert is_convex(image) == is_convex(np.ascontiguousarray(image.T)) == is_convex(image[::-1].copy())


@settings(deadline=None, max_examples=100)
@given(planes=st.lists(st.tuples(*[st.integers(-9, 9)] * 3), max_size=5), flip=st.integers(0, 99))
def test_intersections_of_half_planes_are_convex(planes, flip):
    y, x = np.mgrid[:10, :10]
    image = np.all([a * x + b * y >= 5 * c for a, b, c in [*planes, (0, 0, 0)]], axis=0).astype(np.uint8)
    assert is_convex(image)
    image[flip // 10, flip % 10] ^= 1
    assert is_convex(image) == convex_by_hull(image)


def test_labels_are_exact():
    sample = draw_regions(3, 0, 0, 300)
    images = sample.pixels.reshape(-1, 28, 28)
    assert set(np.unique(images)) == {0, 255}
    for image, label in zip(images, sample.labels, strict=True):
        assert convex_by_hull(image) == label
    sizes = (sample.pixels > 0).sum(1)
    assert sizes[sample.labels == 1].min() >= 19
    assert sizes[sample.labels == 0].min() >= 10


def balanced(sizes, labels):
    """Return whether both classes may have the same mean number of white pixels (false alarm 1e-9)."""
    parts = [sizes[labels == k] for k in (0, 1)]
    error = np.sqrt(sum(part.var() / len(part) for part in parts))
    return abs(parts[0].mean() - parts[1].mean()) < SIGMAS * error


def test_classes_are_equally_likely_and_equally_white():
    sample = draw_regions(0, 0, 0, 10_000)
    sizes = (sample.pixels > 0).sum(1)
    assert abs(sample.labels.mean() - 0.5) < SIGMAS * 0.5 / 100
    assert balanced(sizes, sample.labels)
    rest = sizes < 784  # without whole images, that is without K = 0
    assert not balanced(sizes[rest], sample.labels[rest])


def test_half_planes_pass_through_uniform_points_in_uniform_directions():
    """A line through p separates two pixels with a chance of their angle at p over π; p is uniform."""
    count, pixels = 20_000, ((0, 0), (27, 27), (9, 20))
    words, used, spans = np.empty(4, np.uint64), np.empty(2, np.int64), np.empty((28, 2), np.int64)
    inside = np.empty((count, len(pixels)), bool)
    for i in range(count):
        used[:], spans[:, 0], spans[:, 1] = (4, 0), 0, 28
        _cut(make_key(2, Stream.EXAMPLES, item=i), words, used, 28, spans)
        inside[i] = [spans[y, 0] <= x < spans[y, 1] for y, x in pixels]
    assert np.all(np.abs(inside.mean(0) - 0.5) < SIGMAS * 0.5 / np.sqrt(count))
    places = (np.arange(400) + 0.5) * 28 / 400
    for j, k in itertools.combinations(range(len(pixels)), 2):
        (ya, xa), (yb, xb) = np.add(pixels[j], 0.5), np.add(pixels[k], 0.5)
        towards = np.arctan2(ya - places[:, None], xa - places), np.arctan2(yb - places[:, None], xb - places)
        angle = np.abs(np.angle(np.exp(1j * (towards[0] - towards[1]))))
        chance = angle.mean() / np.pi
        seen = (inside[:, j] != inside[:, k]).mean()
        assert abs(seen - chance) < SIGMAS * np.sqrt(chance * (1 - chance) / count) + 1e-4


def test_an_example_does_not_depend_on_its_neighbours():
    whole = draw_regions(1, 0, 0, 1200)
    parts = [draw_regions(1, 0, a, b) for a, b in ((0, 1), (1, 700), (700, 1200))]
    assert np.array_equal(whole.pixels, np.concatenate([part.pixels for part in parts]))
    assert np.array_equal(whole.labels, np.concatenate([part.labels for part in parts]))
    for other in (draw_regions(2, 0, 0, 1200), draw_regions(1, 1, 0, 1200)):
        assert (whole.pixels != other.pixels).any(1).mean() > 0.8


def test_the_examples_are_the_same_on_every_machine():
    sample = draw_regions(0, 0, 0, 500)
    assert hashlib.sha256(sample.pixels.tobytes()).hexdigest()[:16] == "db68e5c07efb0794"


def test_kernels_run_uncompiled():
    images, labels = np.zeros((3, 28, 28), np.uint8), np.empty(3, np.int64)
    _draw_examples.py_func(make_key(1, Stream.EXAMPLES, layer=1), 5, images, labels)
    expected = draw_regions(1, 0, 5, 8)
    assert np.array_equal(images.reshape(3, -1), expected.pixels)
    assert np.array_equal(labels, expected.labels)
    for image in expected.pixels.reshape(-1, 28, 28):
        assert is_convex.py_func(image) == is_convex(image)
    rows = np.array([0, 9, 1]), np.array([0, -1, 1]), np.array([1, 0, 1])
    assert _rows_fill_hull.py_func(*rows)


@pytest.mark.parametrize(("text", "sizes"), [("convex:examples=100", (75, 25)), ("convex", (6000, 2000))])
def test_data_set(text, sizes, monkeypatch):
    monkeypatch.setattr("approxmm.data.shapes.TEST_EXAMPLES", 50)
    data = load_data(text, standardise="unit")
    assert (len(data.train), len(data.validation), len(data.test)) == (*sizes, 50)
    assert data.classes == ("not convex", "convex")
    assert np.array_equal(data.test.x * 255, draw_regions(0, 1, 0, 50).pixels)
    assert np.array_equal(data.train.x[:75] * 255, draw_regions(0, 0, 0, 75).pixels)
