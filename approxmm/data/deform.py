"""Small random deformations of images: a linear map, a translation and a smooth field of displacements."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from approxmm.compile import compiled
from approxmm.data.drawing import DEFORMED, draw_in_blocks
from approxmm.data.source import RawSplit
from approxmm.random import Key, fill_uniform

__all__ = ["deform_images"]

_CELLS = 4  # of the spline, along each side
_POINTS = _CELLS + 3
_FIELD, _LINEAR, _SHIFT = 1 / 8, 1 / 10, 1 / 20  # largest values; lengths as shares of the side
_DRAWS = 2 * _POINTS * _POINTS + 4 + 2


def deform_images(
    base: RawSplit, shape: tuple[int, ...], seed: int, start: int, stop: int, strength: float
) -> RawSplit:
    """Return deformed copies `start` to `stop` of an endless sequence.

    Parameters
    ----------
    base : RawSplit
        Example i is a copy of its image i modulo their number.
    shape : tuple of int
        Rows and columns, or planes, rows and columns; planes move together.
    seed, start, stop, strength : int, int, int, float
        As for `approxmm.data.deformed.deformed`.
    """
    planes = (-1, *(shape if len(shape) == 3 else (1, *shape)))
    images, weights = base.pixels.reshape(planes), (_spline(shape[-2]), _spline(shape[-1]))

    def draw(key: Key, first: int, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        chosen = np.arange(first, first + len(labels)) % len(images)
        labels[:] = base.labels[chosen]
        _deform(key, first, images, chosen, *weights, strength, pixels.reshape(planes))

    return draw_in_blocks(draw, seed, DEFORMED, 0, (start, stop), base.pixels.shape[1])


def _spline(size: int) -> NDArray[np.float64]:
    """Return the cubic B-splines on `_CELLS` cells at the centres of `size` pixels, shape (size, points)."""
    place = (np.arange(size) + 0.5) * _CELLS / size
    away = np.abs(place[:, None] + 1 - np.arange(_POINTS))
    outer, inner = np.maximum(2 - away, 0) ** 3 / 6, np.maximum(1 - away, 0) ** 3 * (4 / 6)
    return np.asarray(outer - inner)


@compiled
def _deform(
    key: Key,
    first: int,
    images: np.ndarray,
    chosen: np.ndarray,
    down: np.ndarray,
    across: np.ndarray,
    strength: float,
    out: np.ndarray,
) -> None:
    """Write a deformed copy of image ``chosen[i]`` into ``out[i]``, by the draws of item `first` + i."""
    rows, columns = images.shape[2], images.shape[3]
    draws = np.empty(_DRAWS)
    half = np.empty((2, rows, _POINTS))
    moved = np.empty((2, columns))
    for i in range(len(chosen)):
        fill_uniform(Key(key.seed, key.stream, key.step, key.layer, first + i), draws)
        for j in range(_DRAWS):
            draws[j] = (2.0 * draws[j] - 1.0) * strength
        _along_rows(draws, down, half)
        for y in range(rows):
            _along_columns(draws, half, across, y, rows, moved)
            for plane in range(images.shape[1]):
                for x in range(columns):
                    value = _interpolate(images[chosen[i], plane], y + moved[0, x], x + moved[1, x])
                    out[i, plane, y, x] = np.uint8(value + 0.5)


@compiled
def _along_rows(draws: np.ndarray, down: np.ndarray, half: np.ndarray) -> None:
    """Sum the field's coefficients over the rows of the grid of points, for every row of pixels."""
    for d in range(2):
        for y in range(down.shape[0]):
            for q in range(_POINTS):
                total = 0.0
                for p in range(_POINTS):
                    total += down[y, p] * draws[(d * _POINTS + p) * _POINTS + q]
                half[d, y, q] = total


@compiled
def _along_columns(
    draws: np.ndarray, half: np.ndarray, across: np.ndarray, y: int, rows: int, moved: np.ndarray
) -> None:
    """Write the displacements (down, across) in pixels of row `y`: linear map, translation and field."""
    columns = across.shape[0]
    for d in range(2):
        side = rows if d == 0 else columns
        linear, shift = _DRAWS - 6 + 2 * d, _DRAWS - 2 + d
        fixed = _SHIFT * side * draws[shift] + _LINEAR * draws[linear] * (y - 0.5 * (rows - 1))
        for x in range(columns):
            total = 0.0
            for q in range(_POINTS):
                total += across[x, q] * half[d, y, q]
            moved[d, x] = fixed + _LINEAR * draws[linear + 1] * (x - 0.5 * (columns - 1)) + _FIELD * side * total


@compiled
def _interpolate(image: np.ndarray, y: float, x: float) -> float:
    """Return the image at a place between pixels, linearly; outside it is 0."""
    top, left = math.floor(y), math.floor(x)
    below, right = y - top, x - left
    total = 0.0
    for r in range(2):
        for c in range(2):
            if 0 <= top + r < image.shape[0] and 0 <= left + c < image.shape[1]:
                share = (below if r == 1 else 1.0 - below) * (right if c == 1 else 1.0 - right)
                total += share * image[top + r, left + c]
    return total
