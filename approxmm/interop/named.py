"""Arrays by name, as state dicts and `.npz` files hold them: which belong together, what they are, in which order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from approxmm.errors import DataError, InputError
from approxmm.interop.labels import label
from approxmm.interop.order import chain_order, natural_key
from approxmm.interop.parts import Dense, Inert, Obstacle, Part, Phi, dense
from approxmm.interop.stored import Stored

__all__ = ["named_parts", "with_activations"]

_NUMBERED = re.compile(r"([Wb])([1-9]\d{0,8})")
_MATRICES = ("weight", "kernel")  # out × in as in PyTorch, in × out as in Flax and Keras
_EXPORT = "export the model to ONNX, which says what stands where"
_DENSE_ONLY = (
    "only dense layers can be propagated; name a chain of dense layers of this model by --layers (layers=… in Python)"
)
_CHOOSE = f"{_EXPORT}, or name the dense layers, in order, by --layers (layers=… in Python)"
_Group = dict[str, Stored]


def named_parts(
    arrays: Mapping[str, Stored],
    source: str,
    *,
    stored_order: bool,
    layers: Sequence[str] | None = None,
    activation: str | Sequence[str] | None = None,
) -> list[Part]:
    """Return the layers that arrays with names such as ``fc1.weight`` make up, and everything else that is there.

    Parameters
    ----------
    arrays : mapping
        ``Wk``, ``bk`` (n_in × n_out); or ``prefix.weight`` (n_out × n_in), ``prefix.kernel`` (n_in × n_out), each with
        ``prefix.bias`` of size n_out.
    source : str
        What messages call the file.
    stored_order : bool
        Whether the file's order is the order of definition.
    layers : sequence of str, optional
        Names of the layers to take, in order; all others are not used.
    activation : str or sequence of str, optional
        What the file says to stand between the layers.

    Raises
    ------
    DataError
        If there is no array, or nothing says in which order the layers follow each other.
    InputError
        If `layers` names something that is no dense layer of the file.
    """
    if not arrays:
        raise DataError(f"{source} holds no arrays; save a network's weights in it")
    parts = {name: _part(name, group, layers is not None) for name, group in _grouped(arrays).items()}
    found = {name: part for name, part in parts.items() if isinstance(part, Dense)}
    if layers is not None:
        order = _chosen(layers, found, parts, source)
        rest: list[Part] = [
            Inert(name=p.name, kind=p.kind, shape=p.shape, parameters=p.parameters, dtype=p.dtype, role="not used")
            for name, p in parts.items()
            if name not in order
        ]
    else:
        rest = [part for part in parts.values() if not isinstance(part, Dense)]
        shapes = {name: (part.weight.shape[0], part.weight.shape[1]) for name, part in found.items()}
        if any(isinstance(part, Obstacle) for part in rest):
            return sorted(parts.values(), key=lambda part: natural_key(part.name))
        order = chain_order(shapes, source, stored_order) if found else []
    return [*with_activations([found[name] for name in order], activation), *rest]


def with_activations(layers: Sequence[Part], activation: str | Sequence[str] | None) -> list[Part]:
    """Put activations between layers: one name, one a hidden layer, or None where the model does not say it.

    Raises
    ------
    DataError
        If there are not as many names as hidden layers.
    """
    hidden = len(layers) - 1
    names = (activation,) * hidden if activation is None or isinstance(activation, str) else tuple(activation)
    if layers and len(names) != hidden:
        raise DataError(f"it states {len(names)} activations for {hidden} hidden layers; write it again")
    parts: list[Part] = []
    for k, layer in enumerate(layers):
        if k:
            kind = names[k - 1] or "not stored"
            parts.append(Phi(name=f"after {layers[k - 1].name}", kind=kind, activation=names[k - 1]))
        parts.append(layer)
    return parts


def _grouped(arrays: Mapping[str, Stored]) -> dict[str, _Group]:
    """Return the arrays by the layer that they belong to: the name without its last piece."""
    groups: dict[str, _Group] = {}
    for full, array in arrays.items():
        name = label(full).removesuffix(":0")  # TensorFlow numbers a variable's outputs
        match = _NUMBERED.fullmatch(name)
        if match:
            prefix, leaf = f"W{match[2]}", "kernel" if match[1] == "W" else "bias"
        else:
            prefix, leaf = ([*re.split(r"[./](?=[^./]*$)", name), ""] if re.search(r"[./]", name) else ["", name])[:2]
        groups.setdefault(prefix or leaf, {})[leaf] = array
    return groups


def _chosen(layers: Sequence[str], found: Mapping[str, Dense], parts: Mapping[str, Part], source: str) -> list[str]:
    known = {alias: name for name in found for alias in (name, f"{name}.weight", f"{name}.kernel")}
    for name in layers:
        if name not in known:
            why = f" ({parts[name]})" if isinstance(parts.get(name), Obstacle) else ""
            listing = ", ".join(list(found)[:12]) or "none"
            raise InputError(f"layers: {name!r} is no dense layer of {source}{why}; its dense layers are {listing}")
    if not layers or len(set(layers)) != len(layers):
        raise InputError(f"layers={list(layers)!r} must name at least one layer, and none twice")
    return [known[name] for name in layers]


def _part(name: str, group: _Group, trusted: bool) -> Part:
    """Return the dense layer that a group of arrays is, or why it is none: by its name only if not `trusted`."""
    matrices = [leaf for leaf in _MATRICES if leaf in group]
    if len(matrices) == 1 and len(group[matrices[0]].shape) == 2 and set(group) <= {*matrices, "bias"}:
        for pattern, kind, reason, remedy in () if trusted else _NAMED:
            if re.search(pattern, name, re.IGNORECASE):
                return _obstacle(name, group, kind, reason, remedy)
        weight = group[matrices[0]]
        turned = matrices[0] == "weight"
        return dense(name, weight, group.get("bias"), kind="Linear" if turned else "dense", transposed=turned)
    for applies, kind, reason, remedy in _LAYERS:
        if applies(group):
            return _obstacle(name, group, kind, reason, remedy)
    return _obstacle(
        name, group, "unknown", f"its arrays {sorted(group)[:4]} are not those of a dense layer (weight, bias)", _CHOOSE
    )


def _obstacle(name: str, group: _Group, kind: str, reason: str, remedy: str) -> Obstacle:
    largest = max(group.values(), key=lambda array: array.size)
    return Obstacle(
        name=name,
        kind=kind,
        shape=largest.shape,
        parameters=sum(array.size for array in group.values()),
        dtype=largest.dtype,
        reason=reason,
        remedy=remedy,
    )


def _has(*leaves: str) -> Callable[[_Group], bool]:
    return lambda group: any(leaf in group for leaf in leaves)


def _starts(*stems: str) -> Callable[[_Group], bool]:
    return lambda group: any(leaf.startswith(stems) for leaf in group)


def _rank(low: int, high: int) -> Callable[[_Group], bool]:
    return lambda group: any(low <= len(group[leaf].shape) <= high for leaf in _MATRICES if leaf in group)


_ATTENTION = "attention multiplies activations with activations, a product of another law"
_QUANTISED = "its numbers are codes of a quantisation, without their scale"
_STATISTIC = "it divides by a statistic of each input, or is an activation with parameters of its own"
# A matrix that its name tells to be something else than a dense layer.
_NAMED = (
    (r"embed|(^|[._/])wt?[ep]e?($|[._/])", "embedding", "a table of vectors is looked up, not multiplied", _DENSE_ONLY),
    (r"attn|attention|(^|[._/])(q|k|v|o|qkv)_?proj|(^|[._/])(query|key|value)($|[._/])", "attention", _ATTENTION,
     _DENSE_ONLY),
)  # fmt: skip
# What else a group of arrays may be, tried in this order.
_LAYERS: tuple[tuple[Callable[[_Group], bool], str, str, str], ...] = (
    (
        _has("running_mean", "running_var", "moving_mean", "moving_variance"),
        "batch normalisation",
        "these arrays say neither its ε nor whether it stands before or after the activation",
        f"{_EXPORT} (there it is folded into its layer, exactly)",
    ),
    (
        _starts("weight_ih", "weight_hh", "bias_ih", "bias_hh", "recurrent_kernel"),
        "recurrent layer",
        "its output is fed back",
        _DENSE_ONLY,
    ),
    (_starts("in_proj_", "q_proj", "k_proj", "v_proj"), "attention", _ATTENTION, _DENSE_ONLY),
    (
        _has("weight_g", "weight_v", "weight_orig", "weight_mask", "original0", "original1", "original"),
        "reparametrised weight",
        "its weight is computed from other arrays",
        "remove the reparametrisation before saving (torch.nn.utils.parametrize.remove_parametrizations, prune.remove)",
    ),
    (lambda group: set(group) <= {"scale", "bias"}, "normalisation", _STATISTIC, _DENSE_ONLY),
    (
        _starts("_packed", "packed", "qweight", "qzeros", "scale", "zero_point", "weight_scale", "weight_zero"),
        "quantised layer",
        _QUANTISED,
        "export the model in float32, before it is quantised",
    ),
    (_rank(3, 5), "convolution", "its weights are shared over positions, and its product is not a dense matrix product",
     _DENSE_ONLY),
    (_rank(1, 1), "normalisation", _STATISTIC, _DENSE_ONLY),
)  # fmt: skip
