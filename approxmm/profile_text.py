"""Error profiles to read: plain text for terminals, HTML for notebooks. Long ones are abbreviated."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Callable

import numpy as np

from approxmm.profile import ErrorProfile, LayerError, Metrics

__all__ = ["notebook_html", "plain_text"]

_WHOLE = 24  # layers that are listed one by one; longer profiles are abbreviated
_ENDS, _BETWEEN = 5, 9
_HEADER = ("layer", "relative error", "95 % interval", "cosine", "norm ratio")


def plain_text(profile: ErrorProfile) -> str:
    """Return the profile as text, one line a layer; of a long one the first, the last and some between."""
    lines = [_heading(profile), "layer  relative error  95 % interval             cosine  norm ratio"]
    lines += _rows(profile, lambda row: "{:>5}  {:>14}  {:24}  {:>6}  {:>10}".format(*row), "    …")
    return "\n".join([*lines, *_note(profile), *_gradient_lines(profile)])


def _gradient_lines(profile: ErrorProfile) -> list[str]:
    """Return a table of the gradients' errors, where the profile has them, for the layers that are listed."""
    lines = []
    for layer in (profile.layers[at] for at in _chosen(profile.depth)):
        if layer.weight_gradient is not None:
            figures, delta = layer.weight_gradient, layer.delta
            of_delta = "–" if delta is None else _number(delta.relative_error, delta.log10_relative_error, 4)
            bias = f"{layer.extra['gradient_bias']:.4g}" if "gradient_bias" in layer.extra else "–"
            lines.append(
                f"{layer.layer:5d}  {_number(figures.relative_error, figures.log10_relative_error, 6):>14}  "
                f"{_interval(figures):24}  {figures.cosine:6.4f}  "
                f"{of_delta:>11}  {bias:>13}"
            )
    header = "layer  gradient error  95 % interval             cosine  delta error  gradient bias"
    return [header, *lines] if lines else []


def notebook_html(profile: ErrorProfile) -> str:
    """Return the profile as HTML, everything escaped: a heading, a picture, the table of `plain_text`."""
    header = "".join(f"<th>{name}</th>" for name in _HEADER)
    body = _rows(
        profile,
        lambda row: "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>",
        f'<tr><td colspan="{len(_HEADER)}">…</td></tr>',
    )
    notes = "".join(f"<p>{note}</p>" for note in _note(profile))
    return (
        f"<p><b>{html.escape(profile.source)}</b> {html.escape(_described(profile))}</p>{_picture(profile)}"
        f"<table><thead><tr>{header}</tr></thead><tbody>{''.join(body)}</tbody></table>{notes}"
    )


def _note(profile: ErrorProfile) -> list[str]:
    """Return what is said below an abbreviated table; nothing below a whole one."""
    listed = len(_chosen(profile.depth))
    left_out = listed < profile.depth
    return [f"({listed} of {profile.depth} layers; to_pandas() holds them all)"] if left_out else []


def _heading(profile: ErrorProfile) -> str:
    settings = f"  ({_described(profile)})" if profile.settings else ""
    return f"{profile.source}: error by layer{settings}"


def _described(profile: ErrorProfile) -> str:
    return ", ".join(f"{name} {_shortened(setting)}" for name, setting in profile.settings.items())


def _shortened(setting: object) -> str:
    """Return a setting as text; a list with an entry a layer would fill the screen."""
    if isinstance(setting, (list, tuple)) and len(setting) > _WHOLE:
        return f"[{setting[0]}, {setting[1]}, …, {setting[-1]}]"
    return str(setting)


def _rows(profile: ErrorProfile, written: Callable[[list[str]], str], gap: str) -> list[str]:
    """Return the chosen layers in order, with `gap` where the whole blocks at both ends stop."""
    chosen = _chosen(profile.depth)
    rows = [written(_cells(profile.layers[at])) for at in chosen]
    return rows if len(chosen) == profile.depth else [*rows[:_ENDS], gap, *rows[_ENDS:-_ENDS], gap, *rows[-_ENDS:]]


def _chosen(depth: int) -> list[int]:
    """Return positions of the first and last layers, and of some between at even ratios."""
    if depth <= _WHOLE:
        return list(range(depth))
    between = np.geomspace(_ENDS + 1, depth - _ENDS, _BETWEEN + 2)[1:-1].astype(int) - 1
    return sorted({*range(_ENDS), *(int(at) for at in between), *range(depth - _ENDS, depth)})


def _cells(layer: LayerError) -> list[str]:
    figures = layer.output
    return [
        str(layer.layer),
        _number(figures.relative_error, figures.log10_relative_error, 6),
        _interval(figures),
        f"{figures.cosine:.4f}",
        _number(figures.norm_ratio, figures.log10_norm_ratio, 4),
    ]


def _interval(figures: Metrics) -> str:
    return "–" if figures.ci95 is None else f"[{figures.ci95[0]:.4g}, {figures.ci95[1]:.4g}]"


def _number(value: float, log10: float, digits: int) -> str:
    """Return a number, from its logarithm where float64 has no place for it."""
    if (math.isfinite(value) and value != 0.0) or not math.isfinite(log10):
        return f"{value:.{digits}g}"
    exponent = math.floor(log10)
    return f"{10.0 ** (log10 - exponent):.3f}e{exponent:+d}"


def _picture(profile: ErrorProfile) -> str:
    """Return the plot as an image with its data inside, so that nothing of it can clash with the page."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from approxmm.profile_plot import plot_profiles

    figure, buffer = Figure(figsize=(4.6, 2.6), layout="constrained"), io.BytesIO()
    plot_profiles([profile], ax=figure.subplots())
    with rc_context({"svg.fonttype": "none"}):  # letters as letters: a quarter of the size of outlines
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="relative error by layer" src="data:image/svg+xml;base64,{data}">'
