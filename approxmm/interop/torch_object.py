"""A live PyTorch module: a `Sequential` says what follows what; any other module is read as a state dict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from approxmm.interop.mapping_object import stored_tensor
from approxmm.interop.named import named_parts
from approxmm.interop.parts import Affine, Head, Inert, Obstacle, Part, Phi, dense
from approxmm.interop.reading import Reading, Source

__all__ = ["read"]


def read(source: Source) -> Reading:
    """Return the layers of a module. No code of the module runs: its forward pass is not seen."""
    module = source.given
    if type(module).__name__ in _HANDLERS:
        return Reading(_parts("", module), f"torch.nn.{type(module).__name__}")
    stored = {name: stored_tensor(name, tensor) for name, tensor in module.state_dict().items()}
    parts = named_parts(stored, source.name, stored_order=True, layers=source.layers)
    note = "only a torch.nn.Sequential says what stands between its layers; of other modules the weights alone are read"
    return Reading(parts, f"torch module {source.name}", [note], by_name=True)


def _parts(name: str, module: Any) -> list[Part]:
    kind = type(module).__name__
    handler = _HANDLERS.get(kind)
    if handler is None or not type(module).__module__.startswith("torch.nn."):
        tensors = list(module.parameters())
        return [
            Obstacle(
                name=name,
                kind=kind,
                shape=tuple(tensors[0].shape) if tensors else (),
                parameters=sum(tensor.numel() for tensor in tensors),
                reason="it is neither a dense layer nor an activation that the package has",
                remedy="only dense layers can be propagated; of an activation, name a substitute by activation=…",
                stand_in=not tensors and type(module).__module__ == "torch.nn.modules.activation",
            )
        ]
    return handler(name, module)


def _sequential(name: str, module: Any) -> list[Part]:
    return [part for key, child in module.named_children() for part in _parts(f"{name}.{key}".strip("."), child)]


def _linear(name: str, module: Any) -> list[Part]:
    bias = None if module.bias is None else stored_tensor("bias", module.bias)
    return [dense(name, stored_tensor("weight", module.weight), bias, kind="Linear", transposed=True)]


def _phi(activation: str) -> Callable[[str, Any], list[Part]]:
    return lambda name, module: [Phi(name=name, kind=type(module).__name__, activation=activation)]


def _leaky(name: str, module: Any) -> list[Part]:
    return [Phi(name=name, kind="LeakyReLU", activation=f"leaky_relu({float(module.negative_slope)!r})")]


def _gelu(name: str, module: Any) -> list[Part]:
    if module.approximate == "none":
        return [Phi(name=name, kind="GELU", activation="gelu")]
    return [
        Obstacle(
            name=name,
            kind="GELU",
            reason=f"it is approximated by {module.approximate}, up to 5e-4 away from the exact function",
            remedy="take the exact function in its place by activation='gelu'",
            stand_in=True,
        )
    ]


def _inert(name: str, module: Any) -> list[Part]:
    return [Inert(name=name, kind=type(module).__name__)]


def _head(name: str, module: Any) -> list[Part]:
    return [Head(name=name, kind=type(module).__name__)]


def _flatten(name: str, module: Any) -> list[Part]:
    if module.start_dim == 1 and module.end_dim == -1:
        return _inert(name, module)
    return [
        Obstacle(
            name=name,
            kind="Flatten",
            reason="it mixes examples or keeps an axis",
            remedy="flatten from axis 1 to the last",
        )
    ]


def _batch_norm(name: str, module: Any) -> list[Part]:
    if module.running_var is None:
        return [
            Obstacle(
                name=name,
                kind="BatchNorm1d",
                reason="without running statistics it depends on the batch",
                remedy="train it with track_running_stats=True",
            )
        ]
    mean, var = (t.detach().cpu().double().numpy() for t in (module.running_mean, module.running_var))
    one = np.ones_like(mean)
    gain, shift = (one if t is None else t.detach().cpu().double().numpy() for t in (module.weight, module.bias))
    scale = gain / np.sqrt(var + module.eps)
    offset = (0.0 * one if module.bias is None else shift) - mean * scale
    return [Affine(name=name, kind="BatchNorm1d", parameters=4 * mean.size, scale=scale, shift=offset)]


_HANDLERS: dict[str, Callable[[str, Any], list[Part]]] = {
    "Sequential": _sequential,
    "Linear": _linear,
    "ReLU": _phi("relu"),
    "LeakyReLU": _leaky,
    "Tanh": _phi("tanh"),
    "Sigmoid": _phi("sigmoid"),
    "GELU": _gelu,
    "Identity": _inert,
    "Dropout": _inert,
    "AlphaDropout": _inert,
    "Flatten": _flatten,
    "BatchNorm1d": _batch_norm,
    "Softmax": _head,
    "LogSoftmax": _head,
}
