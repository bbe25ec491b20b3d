"""What Numba does less of for our kernels: the same comes out, and nothing of it is seen by others."""

from __future__ import annotations

import gc
from typing import NamedTuple

import numba
import numpy as np
import pytest
from llvmlite import ir
from numba.core import codegen, compiler, cpu, types
from numba.core.registry import cpu_target
from numba.core.runtime import _nrt_python, rtsys
from numba.core.runtime.context import NRTContext
from numba.extending import overload

from approxmm import parts, translation
from approxmm.compile import compiled

pytestmark = pytest.mark.skipif(not parts._SUPPORTED, reason="this version of Numba translates in its own way")


class Inner(NamedTuple):
    size: int
    values: np.ndarray


class Outer(NamedTuple):
    first: Inner
    flag: bool
    table: np.ndarray
    second: Inner


_FLAT, _TABLE = types.Array(types.float32, 1, "C"), types.Array(types.int64, 2, "C")
_INNER = types.NamedTuple([types.int64, _FLAT], Inner)
_OUTER = types.NamedTuple([_INNER, types.boolean, _TABLE, _INNER], Outer)


def _taken_out(references: type[NRTContext], kind: types.Type) -> tuple[list[tuple[types.Type, list[int]]], int]:
    """Return each counter's type and place in a value, and how many instructions it took."""
    context = cpu_target.target_context
    function = ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), [context.get_value_type(kind)]), "f")
    builder = ir.IRBuilder(function.append_basic_block())
    found = []
    for owner, counter in references(context, True).get_meminfos(builder, kind, function.args[0]):
        place: list[int] = []
        while counter is not function.args[0]:
            place[:0] = counter.indices
            counter = counter.operands[0]
        found.append((owner, place))
    return found, len(builder.block.instructions)


@pytest.mark.parametrize("kind", [_OUTER, _FLAT, types.UniTuple(_TABLE, 3), types.int64, types.Tuple(())], ids=str)
def test_the_counters_are_those_that_numba_finds(kind: types.Type):
    own, few = _taken_out(translation._Counted, kind)
    numbas, many = _taken_out(NRTContext, kind)
    assert own == numbas
    assert len(own) <= few <= many
    assert (few < many) == bool(own)


@compiled
def pairs(outer, count):
    """Hands arrays out of tuples on, and back."""
    kept = (outer.first.values, outer.second.values)
    for i in range(count):
        fresh = np.full(3, np.float32(i))
        kept = (kept[1], fresh)
    return kept, outer.table


def test_every_reference_is_counted_and_given_back():
    _nrt_python.memsys_enable_stats()
    before = rtsys.get_allocation_stats()
    outer = Outer(Inner(1, np.ones(2, np.float32)), True, np.zeros((2, 2), np.int64), Inner(1, np.ones(2, np.float32)))
    for count in (0, 1, 5):
        kept, table = pairs(outer, count)
        expected = pairs.py_func(outer, count)[0]
        assert all(np.array_equal(a, b) for a, b in zip(kept, expected, strict=True))
        assert table is outer.table
        del kept, table
    after = rtsys.get_allocation_stats()
    _nrt_python.memsys_disable_stats()
    assert after.alloc - before.alloc == after.free - before.free > 0
    assert after.mi_alloc - before.mi_alloc == after.mi_free - before.mi_free > 0


def _spread(x):
    """Calls what Numba compiles of NumPy."""
    return np.sum(np.clip(x, 0.25, 0.75)) + np.ptp(x)


def test_what_kernels_call_of_numpy_is_no_machine_code_of_its_own(monkeypatch: pytest.MonkeyPatch):
    made: list[str] = []
    inner = codegen.JITCodeLibrary._finalize_specific
    monkeypatch.setattr(
        codegen.JITCodeLibrary, "_finalize_specific", lambda self: (made.append(self.name), inner(self))
    )
    x = np.linspace(0.0, 1.0, 7)

    @compiled
    def own(x):
        return _own_spread(x) + 1.0

    _own_spread = compiled(_spread)
    assert own(x) == pytest.approx(_spread(x) + 1.0, rel=1e-14)
    by_us = set(made)
    made.clear()
    plain = numba.njit(_spread)
    assert plain(x) == pytest.approx(_spread(x), rel=1e-14)  # after us, and with nothing of ours
    functions = {"np_clip.<locals>.np_clip_ss", "np_ptp.<locals>.np_ptp_impl", "prepare_ptp_input"}
    assert functions <= set(made)
    assert not functions & by_us


def test_settings_are_equal_if_the_same_ones_were_set_and_no_other():
    strict, fast = (_inherited(fastmath=fast) for fast in (False, {"nnan"}))
    assert strict == _inherited(fastmath=False)
    assert hash(strict) == hash(_inherited(fastmath=False))
    assert strict != fast
    assert strict != _inherited()
    assert strict != compiler.Flags(strict)
    assert _inherited(release_gil=True, no_cpython_wrapper=False) == _inherited(release_gil=False)
    assert strict.copy().fastmath == strict.fastmath
    assert strict.no_cfunc_wrapper


def _inherited(**set_to):
    flags = translation._Settings()
    for name, value in set_to.items():
        setattr(flags, name, cpu.FastMathOptions(value) if name == "fastmath" else value)
    return flags.copy()


@pytest.mark.parametrize(
    ("usual", "inside"), [((700, 10, 10), (10_000, 10, 1_000_000)), ((20_000, 5, 5), (20_000, 5, 5)), ((0, 9, 9),) * 2]
)
def test_collections_are_rare_while_kernels_are_translated_and_no_longer(usual, inside):
    seen = []

    def look():
        """Called by kernels."""

    @overload(look)
    def _look():
        seen.append(gc.get_threshold())
        return lambda: None

    def watched(x):
        look()
        return x

    def broken(x):
        look()
        return x.no_such_thing

    before = gc.get_threshold()
    try:
        gc.set_threshold(*usual)
        assert compiled(watched)(1) == 1
        assert gc.get_threshold() == usual
        with pytest.raises(numba.TypingError):
            compiled(broken)(1.0)
        assert gc.get_threshold() == usual
    finally:
        gc.set_threshold(*before)
    assert set(seen) == {inside}
