"""Counter-based random streams: a draw is a function of what it is for.

Every random number is Philox-4x64-10 (Salmon, Moraes, Dror, Shaw 2011) evaluated
at a key that names its purpose: (seed, stream, step, layer, item). There is no
state to advance, so results do not depend on the order of execution, on the
number of threads, or on whether a run was interrupted. The bits are those of
`numpy.random.Philox` with ``key=[seed, stream]`` and
``counter=[0, item, layer, step]``, in Python and in compiled code alike.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from approxmm.compile import compiled
from approxmm.errors import InputError

__all__ = ["Key", "Stream", "fill_uniform", "generator", "make_key", "philox4x64", "uniform"]

_MASK = (1 << 64) - 1
_M0, _M1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_W0, _W1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_TO_UNIT = 2.0**-53
_SHIFT = np.uint64(11)


class Stream:
    """The purposes that random numbers are drawn for; each has bits of its own."""

    WEIGHTS = 0
    INPUTS = 1
    SHUFFLE = 2
    SELECT = 3
    BUILD = 4
    PROBE = 5
    EXAMPLES = 6


class Key(NamedTuple):
    """What a draw is for. All fields are integers in [0, 2**63)."""

    seed: int
    stream: int
    step: int
    layer: int
    item: int


def make_key(seed: int, stream: int = 0, step: int = 0, layer: int = 0, item: int = 0) -> Key:
    """Return the `Key` with these fields, checked.

    Raises
    ------
    InputError
        If a field is not an integer in [0, 2**63).
    """
    fields = {"seed": seed, "stream": stream, "step": step, "layer": layer, "item": item}
    for name, value in fields.items():
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise InputError(f"{name}={value!r} is not an integer in [0, 2**63); choose a non-negative integer")
    return Key(*(int(value) for value in fields.values()))


def generator(key: Key) -> np.random.Generator:
    """Return a NumPy generator over the bits of `key` (for use outside compiled code)."""
    return np.random.Generator(
        np.random.Philox(
            key=np.array([key.seed, key.stream], dtype=np.uint64),
            counter=np.array([0, key.item, key.layer, key.step], dtype=np.uint64),
        )
    )


def _mulhilo(a: Any, b: Any) -> tuple[Any, Any]:
    """Return the high and the low 64 bits of the 128-bit product of two uint64."""
    product = int(a) * int(b)
    return np.uint64(product >> 64), np.uint64(product & _MASK)


@intrinsic
def _mulhilo_intrinsic(typingctx: Any, a: Any, b: Any) -> Any:
    """One widening multiplication: Numba has no 128-bit integers, LLVM does."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        from llvmlite import ir

        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        high = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))
        low = builder.trunc(product, ir.IntType(64))
        return context.make_tuple(builder, signature.return_type, (high, low))

    pair: Any = types.UniTuple
    return pair(types.uint64, 2)(types.uint64, types.uint64), codegen


@overload(_mulhilo, strict=False)
def _mulhilo_overload(a: Any, b: Any) -> Any:
    multiply: Any = _mulhilo_intrinsic
    return lambda a, b: multiply(a, b)


def _wrapping_add(a: Any, b: Any) -> Any:
    """Return a + b modulo 2**64 (NumPy scalars would warn of the overflow that is meant here)."""
    return np.uint64((int(a) + int(b)) & _MASK)


@overload(_wrapping_add, strict=False)
def _wrapping_add_overload(a: Any, b: Any) -> Any:
    return lambda a, b: a + b


@compiled
def philox4x64(key: Key, block: int) -> tuple[Any, Any, Any, Any]:
    """Return the four uint64 of block number `block` (0, 1, ...) of the stream named by `key`.

    Parameters
    ----------
    key : Key
        What the numbers are for.
    block : int
        NumPy increments the counter before it computes, so block 0 has counter word 1.

    Returns
    -------
    tuple of four uint64
        Equal to ``numpy.random.Philox(...).random_raw(4)`` after `block` blocks.
    """
    c0, c1, c2, c3 = np.uint64(block + 1), np.uint64(key.item), np.uint64(key.layer), np.uint64(key.step)
    k0, k1 = np.uint64(key.seed), np.uint64(key.stream)
    for _ in range(10):
        high0, low0 = _mulhilo(_M0, c0)
        high1, low1 = _mulhilo(_M1, c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = _wrapping_add(k0, _W0), _wrapping_add(k1, _W1)
    return c0, c1, c2, c3


@compiled
def fill_uniform(key: Key, out: np.ndarray) -> None:
    """Fill the 1-D float array `out` with uniforms in [0, 1): the first ``out.size`` of the stream, 53 bits each."""
    n = out.size
    whole = n // 4
    for block in range(whole):
        r0, r1, r2, r3 = philox4x64(key, block)
        out[4 * block] = (r0 >> _SHIFT) * _TO_UNIT
        out[4 * block + 1] = (r1 >> _SHIFT) * _TO_UNIT
        out[4 * block + 2] = (r2 >> _SHIFT) * _TO_UNIT
        out[4 * block + 3] = (r3 >> _SHIFT) * _TO_UNIT
    if 4 * whole < n:
        rest = philox4x64(key, whole)
        for i in range(n - 4 * whole):
            out[4 * whole + i] = (rest[i] >> _SHIFT) * _TO_UNIT


def uniform(key: Key, size: int) -> np.ndarray:
    """Return `size` float64 uniforms in [0, 1), the same numbers that compiled code draws for `key`."""
    out = np.empty(size)
    fill_uniform(key, out)
    return out
