"""``approxmm law``: the theorem's compounding."""

from __future__ import annotations

from typing import Annotated

import typer

from approxmm.cli.console import emit, guarded, text_table
from approxmm.cli.options import AsJson, Debug, Quiet, Seed
from approxmm.errors import InputError

__all__ = ["law"]


@guarded
def law(
    ratio: Annotated[str, typer.Option(help="Ratio c of active to inactive sums; one number, or one a layer: 5,4,3.")],
    depth: Annotated[int | None, typer.Option(help="Number of layers (default: as many as ratios).")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
    seed: Seed = 0,
) -> None:
    """Compound the error of a perfect active set with depth (the negative result).

    With linear activations and active nodes whose sum is c times the inactive nodes' sum, the error after k layers
    is ((c+1)/c)^k - 1 relative to the estimate and 1 - (c/(c+1))^k relative to the exact value. Both are
    errors of the norm, not of its square.

    Example: approxmm law --ratio 5 --depth 7
    """
    from approxmm.propagation.law import compounding

    result = compounding(_ratios(ratio), depth)
    layers = [
        {"layer": k + 1, "ratio": c, "relative_to_estimate": estimate, "relative_to_exact": exact, "log_growth": growth}
        for k, (c, estimate, exact, growth) in enumerate(
            zip(result.ratios, result.relative_to_estimate, result.relative_to_exact, result.log_growth, strict=True)
        )
    ]
    document = {
        "ratio": list(result.ratios),
        "depth": len(layers),
        "relative_to_estimate": list(result.relative_to_estimate),
        "relative_to_exact": list(result.relative_to_exact),
        "layers": layers,
    }
    rows = [
        [str(x["layer"]), f"{x['ratio']:g}", f"{x['relative_to_estimate']:.8g}", f"{x['relative_to_exact']:.8g}"]
        for x in layers
    ]
    table = text_table(["layer", "ratio c", "error / estimate", "error / exact"], rows)
    emit(document, table, as_json=as_json, quiet=quiet)


def _ratios(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"ratio={text!r} is not a number or a comma-separated list; for example --ratio 5") from None
