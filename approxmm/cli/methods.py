"""``approxmm methods``: what there is to choose from."""

from __future__ import annotations

import textwrap
from typing import Any

from approxmm.cli.console import emit, guarded, text_table
from approxmm.cli.options import AsJson, Debug, Quiet, Seed

__all__ = ["methods"]

_BATCH, _SIZE, _BUDGET = 20, 1000, 0.1


@guarded
def methods(as_json: AsJson = False, quiet: Quiet = False, debug: Debug = False, seed: Seed = 0) -> None:
    """List every sampling method: side, claims, options, cost, source.

    Costs are multiplications of one product relative to the exact one, selection and upkeep
    included, for a batch of 20, 1000 x 1000 weights and a budget of 10 %.

    Example: approxmm methods --json
    """
    from approxmm.methods import available_methods

    entries = [_entry(name) for name in available_methods()]
    rows = [
        [
            entry["name"],
            entry["side"],
            "unbiased" if entry["unbiased"] else "biased",
            entry["reads"].replace("_", "-"),
            f"{entry['cost_fraction']:.3f}",
            entry["citation"],
        ]
        for entry in entries
    ]
    table = text_table(["method", "side", "mean", "law reads", "cost", "source"], rows)
    text = f"{table}\n\nOptions (--option name=value) and their defaults:\n" + "\n".join(_option_lines(entries))
    emit({"methods": entries}, text, as_json=as_json, quiet=quiet)


def _option_lines(entries: list[dict[str, Any]]) -> list[str]:
    """Return a paragraph a method that has options, wrapped with a hanging indent."""
    lines = []
    for entry in entries:
        if entry["options"]:
            settings = ", ".join(f"{option}={value}" for option, value in entry["options"].items())
            lines.append(textwrap.fill(f"  {entry['name']}: {settings}", width=100, subsequent_indent="    "))
    return lines


def _entry(name: str) -> dict[str, Any]:
    from approxmm.methods import get_method

    method = get_method(name, _BUDGET)
    claims = method.claims
    options = {k: v for k, v in method.describe().items() if k not in ("name", "budget")}
    return {
        "name": name,
        "title": method.title,
        "side": claims.side,
        "unbiased": claims.unbiased,
        "deterministic": claims.deterministic,
        "reads": claims.reads,
        "exact_at_full_budget": claims.exact_at_full_budget,
        "products": sorted(claims.products),
        "budget": claims.budget,
        "options": options,
        "cost_fraction": method.cost(_BATCH, _SIZE, _SIZE).total / (_BATCH * _SIZE * _SIZE),
        "citation": claims.citation,
    }
