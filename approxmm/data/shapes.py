"""RECTANGLES and CONVEX as data sets: sizes, facts and citation."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from approxmm.data.source import Option, Parts, RawSplit, Source

__all__ = ["CONVEX", "RECTANGLES", "TEST_EXAMPLES", "ShapeSource"]

TEST_EXAMPLES = 50_000
"""As in the original sets."""

_TRAIN, _TEST = 0, 1  # sequences of examples
_PAPER = (
    "H. Larochelle, D. Erhan, A. Courville, J. Bergstra and Y. Bengio, An empirical evaluation of deep architectures "
    "on problems with many factors of variation, ICML 2007"
)


@dataclass(frozen=True, kw_only=True)
class ShapeSource(Source):
    """A set that is drawn at random, with the answer known.

    Attributes
    ----------
    draw : function
        Returns the examples of (seed, sequence, start, stop).
    share : int
        The last ``examples // share`` of those for training validate.
    """

    draw: Callable[[int, int, int, int], RawSplit]
    share: int

    def sizes(self, options: Mapping[str, int]) -> tuple[int, int, int]:
        """Return the numbers of training, validation and test examples."""
        held = options["examples"] // self.share
        return options["examples"] - held, held, TEST_EXAMPLES

    def image_shape(self, options: Mapping[str, int]) -> tuple[int, ...]:
        """Return rows and columns."""
        return 28, 28

    def read(self, data_dir: str | os.PathLike[str] | None, seed: int, options: Mapping[str, int]) -> Parts:
        """Return the splits, drawn by the seed; no file is read."""
        train, held, test = self.sizes(options)
        words = (
            f"{train + held:,} examples drawn for training, the last {held:,} of which validate; {test:,} for the test"
        )
        return Parts(
            self.draw(seed, _TRAIN, 0, train),
            self.draw(seed, _TRAIN, train, train + held),
            self.draw(seed, _TEST, 0, test),
            words,
        )


def _rectangles(seed: int, part: int, start: int, stop: int) -> RawSplit:
    from approxmm.data.rectangles import draw_rectangles

    return draw_rectangles(seed, part, start, stop)


def _regions(seed: int, part: int, start: int, stop: int) -> RawSplit:
    from approxmm.data.convex import draw_regions

    return draw_regions(seed, part, start, stop)


def _examples(default: int) -> dict[str, Option]:
    return {"examples": Option(default, range(12, 10**6 + 1), "examples drawn for training and validation")}


RECTANGLES = ShapeSource(
    name="rectangles",
    title="RECTANGLES, outlines that are tall or wide",
    classes=("tall", "wide"),
    homepage="drawn by approxmm.data.rectangles",
    citation=_PAPER,
    licence="none needed",
    options=_examples(12_000),
    draw=_rectangles,
    share=6,
)
"""12,000 examples, as in the evaluation of hashing; the original set has 1,200 for training."""

CONVEX = ShapeSource(
    name="convex",
    title="CONVEX, regions that are convex or not",
    classes=("not convex", "convex"),
    homepage="drawn by approxmm.data.convex",
    citation=_PAPER,
    licence="none needed",
    options=_examples(8_000),
    draw=_regions,
    share=4,
)
"""8,000 examples of which 2,000 validate, as in the original set."""
