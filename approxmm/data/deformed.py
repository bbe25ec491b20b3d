"""Endless deformed copies of images: as a data set of a chosen size, or chunk by chunk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from approxmm.data.dataset import Dataset, Split
from approxmm.data.digits import DIGITS
from approxmm.data.idx_sources import IDX_SOURCES
from approxmm.data.source import FileSource, Option, Parts, RawSplit, Source
from approxmm.errors import InputError

__all__ = ["DIGITS_DEFORMED", "MNIST_DEFORMED", "DeformedSource", "deformed"]


def deformed(
    data: Dataset, seed: int = 0, *, chunk: int = 1000, start: int = 0, stop: int | None = None, strength: float = 1.0
) -> Iterator[Split]:
    """Yield deformed copies of the training images, chunk by chunk, without end.

    Example i is a copy of training image i modulo their number, deformed by
    random numbers keyed by (seed, i): the same whatever `chunk`, `start` and
    `stop`. Every pass over the images deforms them anew.

    Parameters
    ----------
    data : Dataset
        Images whose background is 0 (what moves in from outside is 0), with
        whole pixel values, as `load_data` returns them.
    seed : int
        From 0 to 2**63 - 1.
    chunk : int
        Examples at a time.
    start, stop : int
        First example, and the one after the last; None goes on for ever.
    strength : float
        Factor of all displacements, at least 0; 0 returns the images as they are.

    Yields
    ------
    Split
        `chunk` examples (fewer at the end), standardised as `data` is.

    Raises
    ------
    InputError
        If an argument is not accepted, or `data` does not hold whole pixels.

    Notes
    -----
    A displacement of a pixel is the sum of a translation of up to 1/20 of the
    side, a linear map whose entries differ from the identity's by up to 1/10,
    and a smooth field: cubic B-splines on 4 × 4 cells with coefficients of up to 1/8
    of the side, all uniform. The field has a standard deviation of about 1/29 of
    the side (1 pixel of 28). Values are interpolated linearly and rounded. The
    purpose is that of MNIST8M (G. Loosli, S. Canu and L. Bottou, "Training
    invariant support vector machines using selective sampling", 2007), where
    tangent vectors and stored fields are used: its images are not reproduced.
    """
    _check_span(chunk, start, stop, strength)
    base = RawSplit(_whole_pixels(data), data.train.y)
    return _chunks(data, base, seed, chunk, start, stop, strength)


def _chunks(
    data: Dataset, base: RawSplit, seed: int, chunk: int, start: int, stop: int | None, strength: float
) -> Iterator[Split]:
    from approxmm.data.deform import deform_images

    while stop is None or start < stop:
        end = start + chunk if stop is None else min(start + chunk, stop)
        raw = deform_images(base, data.image_shape, seed, start, end, strength)
        yield Split(data.standardisation.apply(raw.pixels, data.train.x.dtype), raw.labels)
        start = end


def _check_span(chunk: int, start: int, stop: int | None, strength: float) -> None:
    if chunk < 1 or start < 0 or (stop is not None and stop < start):
        raise InputError(f"chunk={chunk}, start={start}, stop={stop} must satisfy chunk ≥ 1 and 0 ≤ start ≤ stop")
    if not 0 <= strength < np.inf:
        raise InputError(f"strength={strength!r} must be a finite number from 0; 1 is the default")


def _whole_pixels(data: Dataset) -> NDArray[np.uint8]:
    """Undo the standardisation of the training images."""
    pixels = np.empty(data.train.x.shape, dtype=np.uint8)
    for first in range(0, len(pixels), 1000):
        rows = slice(first, first + 1000)
        values = data.train.x[rows].astype(np.float64) * data.standardisation.scale + data.standardisation.mean
        whole = np.rint(values)
        if not (
            np.abs(values - whole).max(initial=0) < 0.01 and 0 <= whole.min(initial=0) <= whole.max(initial=0) < 256
        ):
            raise InputError(f"the training inputs of {data.name!r} are not whole pixels from 0 to 255; give images")
        pixels[rows] = whole
    return pixels


@dataclass(frozen=True, kw_only=True)
class DeformedSource(Source):
    """Deformed copies of another set's training split, with the others as they are.

    Attributes
    ----------
    base : Source
        The other set.
    """

    base: Source

    def sizes(self, options: Mapping[str, int]) -> tuple[int, int, int]:
        """Return the number of copies, and the other set's sizes."""
        return options["examples"], *self.base.sizes(self.base.defaults())[1:]

    def image_shape(self, options: Mapping[str, int]) -> tuple[int, ...]:
        """Return the other set's."""
        return self.base.image_shape(self.base.defaults())

    def file_source(self) -> FileSource | None:
        """Return the set whose files the other one needs."""
        return self.base.file_source()

    def read(self, data_dir: str | os.PathLike[str] | None, seed: int, options: Mapping[str, int]) -> Parts:
        """Return examples 0 to `examples` of `deformed` for the seed of the split."""
        from approxmm.data.deform import deform_images

        parts = self.base.read(data_dir, seed, self.base.defaults())
        train = deform_images(parts.train, self.image_shape(options), seed, 0, options["examples"], 1.0)
        words = f"{len(train.labels):,} deformed copies of the training split of {self.base.name} ({parts.description})"
        return Parts(train, parts.validation, parts.test, words)


def _deformed(base: Source, examples: int) -> DeformedSource:
    return DeformedSource(
        name=f"{base.name}_deformed",
        title=f"deformed copies of {base.name}",
        classes=base.classes,
        homepage=f"drawn by approxmm.data.deform from {base.name}, {base.homepage}",
        citation=f"{base.citation}; in the manner of G. Loosli, S. Canu and L. Bottou, Training invariant support "
        "vector machines using selective sampling, in Large-Scale Kernel Machines, 2007",
        licence=base.licence,
        pixel_max=base.pixel_max,
        options={"examples": Option(examples, range(1, 10**6 + 1), "deformed copies for training")},
        base=base,
    )


DIGITS_DEFORMED = _deformed(DIGITS, 12_590)
"""Ten copies of each training image."""

MNIST_DEFORMED = _deformed(IDX_SOURCES[0], 110_000)
"""Two copies of each training image."""
