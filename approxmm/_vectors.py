"""Vector code for Numba: what the inner loops of matrix products are built of, as LLVM instructions.

LLVM's automatic vectoriser keeps no tile of a product in registers, which is where the factor of two or three against
a general BLAS at small batches comes from. So these loops are written as instructions on vectors of 64 bytes;
where the machine's registers are shorter LLVM splits them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from llvmlite import ir
from numba.core import cgutils as _cgutils

__all__ = ["VECTOR_BYTES", "Emitter", "counted_loop"]

VECTOR_BYTES = 64
cgutils = cast(Any, _cgutils)  # typed in some versions of Numba only
_CONTRACT = ("contract",)  # a multiplication and an addition may become one instruction; sums keep their order
_I32, _I64 = ir.IntType(32), ir.IntType(64)


class Emitter:
    """Emits loads, stores and arithmetic on vectors of one element type.

    Parameters
    ----------
    builder : llvmlite IRBuilder
    element : llvmlite type
        ``float`` or ``double``.
    lanes : int, optional
        Elements a vector; by default as many as 64 bytes hold.
    """

    def __init__(self, builder: Any, element: Any, lanes: int | None = None) -> None:
        self.builder, self.element = builder, element
        self.size = 4 if isinstance(element, ir.FloatType) else 8
        self.lanes = lanes or VECTOR_BYTES // self.size
        self.vector = ir.VectorType(element, self.lanes)
        self.zero = ir.Constant(self.vector, [0.0] * self.lanes)

    def at(self, pointer: Any, *offsets: Any) -> Any:
        """Return the address of the element at the sum of `offsets` (whole numbers or values)."""
        for offset in offsets:
            pointer = self.builder.gep(pointer, [_I64(offset) if isinstance(offset, int) else offset])
        return pointer

    def load(self, pointer: Any, mask: Any = None) -> Any:
        """Load a vector; lanes outside `mask` are 0 and not touched."""
        address = self.builder.bitcast(pointer, self.vector.as_pointer())
        if mask is None:
            return self.builder.load(address, align=self.size)
        return self.builder.call(
            self._masked("load", self.vector, [address.type, _I32, mask.type, self.vector]),
            [address, _I32(self.size), mask, self.zero],
        )

    def store(self, vector: Any, pointer: Any, mask: Any = None) -> None:
        """Store a vector; lanes outside `mask` are not touched."""
        address = self.builder.bitcast(pointer, vector.type.as_pointer())
        if mask is None:
            self.builder.store(vector, address, align=self.size)
            return
        self.builder.call(
            self._masked("store", ir.VoidType(), [self.vector, address.type, _I32, mask.type]),
            [vector, address, _I32(self.size), mask],
        )

    def _masked(self, what: str, result: Any, arguments: Sequence[Any]) -> Any:
        kind = f"v{self.lanes}f{8 * self.size}"
        function_type = ir.FunctionType(result, arguments)
        return cgutils.get_or_insert_function(self.builder.module, function_type, f"llvm.masked.{what}.{kind}.p0")

    def prefetch(self, pointer: Any, *, write: bool = False) -> None:
        """Ask for the cache line at `pointer`, to `write` there too; any address will do."""
        address = self.builder.bitcast(pointer, ir.IntType(8).as_pointer())
        function_type = ir.FunctionType(ir.VoidType(), [address.type, _I32, _I32, _I32])
        prefetch = cgutils.get_or_insert_function(self.builder.module, function_type, "llvm.prefetch.p0")
        self.builder.call(prefetch, [address, _I32(int(write)), _I32(3), _I32(1)])  # into all levels, data

    def first_lanes(self, count: Any) -> Any:
        """Return the mask of the first `count` (an int64 value) lanes."""
        narrow = ir.VectorType(_I32, self.lanes)
        numbers = ir.Constant(narrow, list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self._repeat(self.builder.trunc(count, _I32), narrow))

    def splat(self, scalar: Any) -> Any:
        """Return a vector of copies of `scalar`."""
        return self._repeat(scalar, self.vector)

    def _repeat(self, scalar: Any, vector: Any) -> Any:
        undefined = ir.Constant(vector, ir.Undefined)
        single = self.builder.insert_element(undefined, scalar, _I32(0))
        picks = ir.Constant(ir.VectorType(_I32, vector.count), [0] * vector.count)
        return self.builder.shuffle_vector(single, undefined, picks)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """Return a·b + c."""
        return self.builder.fadd(self.builder.fmul(a, b, flags=_CONTRACT), c, flags=_CONTRACT)

    def totals(self, vectors: Sequence[Any]) -> Any:
        """Return the sums of the lanes of four vectors, as one vector of four.

        Lanes are folded by halves to four, and these added as (0 + 1) + (2 + 3).
        """
        folded = [self._fold(vector) for vector in vectors]
        low, high = (self._add(folded[i], folded[i + 1], (0, 4, 2, 6), (1, 5, 3, 7)) for i in (0, 2))
        return self._add(low, high, (0, 1, 4, 5), (2, 3, 6, 7))

    def total(self, vector: Any) -> Any:
        """Return the sum of the lanes of one vector, added in the order of `totals`."""
        folded = self._fold(vector)
        pairs = self._add(folded, folded, (0, 2), (1, 3))
        return self.builder.extract_element(self._add(pairs, pairs, (0,), (1,)), _I32(0))

    def _fold(self, vector: Any) -> Any:
        lanes = self.lanes
        while lanes > 4:
            lanes //= 2
            vector = self._add(vector, vector, tuple(range(lanes)), tuple(range(lanes, 2 * lanes)))
        return vector

    def _add(self, a: Any, b: Any, first: Sequence[int], second: Sequence[int]) -> Any:
        """Return the sum of two selections of the lanes of a and b."""
        picked = [
            self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, len(lanes)), list(lanes)))
            for lanes in (first, second)
        ]
        return self.builder.fadd(*picked)


def counted_loop(
    builder: Any, count: Any, initial: Sequence[Any], body: Callable[[Any, list[Any]], Sequence[Any]], step: int = 1
) -> list[Any]:
    """Emit ``for i in range(0, count, step)`` over values held in registers.

    Parameters
    ----------
    builder : llvmlite IRBuilder
    count : int64 value
    initial : list of values
        Before the first turn.
    body : callable (i, values) -> values
        Emits one turn; must not branch.
    step : int

    Returns
    -------
    list of values
        After the last turn; the initial ones if there was none.
    """
    entry = builder.block
    turn, done = builder.append_basic_block("turn"), builder.append_basic_block("done")
    builder.cbranch(builder.icmp_signed(">", count, _I64(0)), turn, done)
    builder.position_at_end(turn)
    i = builder.phi(_I64)
    carried = [builder.phi(value.type) for value in initial]
    new = list(body(i, carried))
    following = builder.add(i, _I64(step))
    i.add_incoming(_I64(0), entry)
    i.add_incoming(following, turn)
    for phi, before, after in zip(carried, initial, new, strict=True):
        phi.add_incoming(before, entry)
        phi.add_incoming(after, turn)
    builder.cbranch(builder.icmp_signed("<", following, count), turn, done)
    builder.position_at_end(done)
    results = [builder.phi(value.type) for value in initial]
    for phi, before, after in zip(results, initial, new, strict=True):
        phi.add_incoming(before, entry)
        phi.add_incoming(after, turn)
    return results
