"""``approxmm inspect``: what is in a model file, what can be propagated, what cannot and why."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from approxmm.cli.console import emit, guarded, text_table
from approxmm.cli.model import Activation, LayerNames, open_model
from approxmm.cli.options import AsJson, Debug, Quiet

if TYPE_CHECKING:
    from approxmm.interop import Model

__all__ = ["inspect"]

_DATA_BY_WIDTH = {64: "digits", 784: "mnist"}


@guarded
def inspect(
    model: Annotated[Path, typer.Argument(help="A file: .npz, .safetensors, .onnx, .pt or .pth.")],
    activation: Activation = None,
    layers: LayerNames = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Say what is in a model file, what of it can be propagated, what cannot and why.

    A damaged file is an error (exit code 1); a sound one that cannot be propagated is a report (exit code 0).

    Example: approxmm inspect model.safetensors --activation gelu
    """
    found = open_model(model, activation, layers)
    command = _next_command(found, str(model), activation, layers)
    emit({**found.to_dict(), "next": command}, _text(found, command), as_json=as_json, quiet=quiet)


def _text(model: Model, command: str | None) -> str:
    document = model.to_dict()
    pieces = [f"{model.source}: {model.format}, {document['parameters']:,} parameters", _table(document["layers"])]
    network = model.chain
    if network is not None:
        widths = " – ".join(map(str, _ends(network.widths)))
        weights = _bytes(sum(W.nbytes for W in network.weights))
        what = f"{network.depth} layers, {widths}, {network.dtype}, {weights} of weights"
        pieces.append(f"Can be propagated: {what}." if document["propagates"] else _normalised(network.normalise, what))
    if model.notes:
        pieces.append("\n".join(_wrapped("Note: ", note) for note in model.notes))
    if model.obstacles:
        lines = [
            _wrapped("  ", f"{o.name} ({o.kind}): {o.reason}.")
            + "\n"
            + _wrapped("    What would help: ", f"{o.remedy}.")
            for o in model.obstacles
        ]
        pieces.append("Cannot be propagated:\n" + "\n".join(lines))
    if command is not None:
        pieces.append(f"Next: {command}")
    return "\n\n".join(pieces)


def _normalised(name: str, what: str) -> str:
    return _wrapped(
        "",
        f"A network of {what}, that normalises each hidden layer's output ({name}): it can be evaluated and trained, "
        "but errors are propagated through networks without normalisation only.",
    )


def _table(entries: list[dict[str, Any]]) -> str:
    """Return one line for each thing found; sizes of the weights only where there are any."""
    header = ["name", "kind", "shape", "parameters", "type", "becomes"]
    sized = any("frobenius_norm" in entry for entry in entries)
    rows = [_row(entry, sized) for entry in entries]
    return text_table([*header, "‖W‖", "row norm", "memory"] if sized else header, rows)


def _row(entry: dict[str, Any], sized: bool) -> list[str]:
    is_layer, number = entry["role"] == "layer", entry["layer"]
    becomes = {
        "layer": f"layer {number}",
        "folded": f"folded into layer {number}",
        "activation": f"activation {entry['activation']}",
    }.get(entry["role"], entry["role"])
    row = [
        _short(entry["name"]),
        _short(entry["kind"]),
        " × ".join(map(str, entry["shape"])),
        f"{entry['parameters']:,}" if entry["parameters"] else "",
        entry["dtype"],
        becomes,
    ]
    if not sized:
        return row
    if not is_layer:
        return [*row, "", "", ""]
    return [*row, _number(entry["frobenius_norm"]), _number(entry["mean_row_norm"]), _bytes(entry["bytes"])]


def _next_command(model: Model, path: str, activation: str | None, layers: str | None) -> str | None:
    """Return a command that propagates the model; None where it cannot be."""
    if model.chain is None or model.chain.normalise != "none":
        return None
    options = [f" --activation {activation}" if activation else "", f" --layers {layers}" if layers else ""]
    data = _DATA_BY_WIDTH.get(model.chain.widths[0])
    inputs = f" --data {data}" if data else ""
    return f"approxmm propagate {path}{''.join(options)}{inputs} --method bernoulli --budget 0.25"


def _ends(widths: tuple[int, ...]) -> list[Any]:
    return list(widths) if len(widths) <= 10 else [*widths[:4], "…", *widths[-3:]]


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:24]}…{text[-15:]}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _bytes(count: int) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024  # type: ignore[assignment]
    return f"{count:.4g} GiB"


def _wrapped(start: str, text: str) -> str:
    return textwrap.fill(text, width=100, initial_indent=start, subsequent_indent=" " * len(start))
