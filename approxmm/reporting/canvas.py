"""Figures without pyplot: one look, and files that are the same bytes for the same records.

Matplotlib's settings are global to the process, so drawing and saving happen under one
lock; nothing here opens a window or needs a display.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["drawing", "label", "new_figure", "save"]

_LOCK = threading.Lock()
_DPI = 160  # of the PNG; the SVG has no pixels
_LOOK: Any = {
    "svg.hashsalt": "approxmm",
    "svg.fonttype": "path",
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.7,
    "axes.edgecolor": "#444444",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.which": "major",
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.labelcolor": "#222222",
    "ytick.labelcolor": "#222222",
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@contextmanager
def drawing() -> Iterator[None]:
    """Hold the lock and the look while figures are drawn and saved."""
    import matplotlib as mpl

    with _LOCK, warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; that is no reason to stop.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(_LOOK)
            yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches, laid out so that nothing overlaps."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


def label(text: str) -> str:
    """Return the text such that matplotlib takes no part of it for a formula and no legend drops it."""
    return text.lstrip("_").replace("\\", "＼").replace("$", r"\$")


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write ``<name>.svg`` and ``<name>.png``, with nothing in them that changes from run to run."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    # The canvases' own writers draw once each; savefig would draw, and lay out, every figure four times.
    agg: Any = FigureCanvasAgg(figure)
    agg.print_png(png, metadata={"Software": None})
    figure.set_layout_engine("none")  # the second file keeps the layout of the first
    vector: Any = FigureCanvasSVG(figure)
    vector.print_svg(svg, metadata={"Date": None, "Creator": None})
    return svg, png
