"""The order of layers whose file keeps none: by their numbers, and by the shapes, which must chain."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from itertools import pairwise

from approxmm.errors import DataError

__all__ = ["chain_order", "natural_key"]

_MOST_STATES = 20_000
_MOST_SERIES = 50


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key under which ``fc2`` stands before ``fc10``."""
    return [(0, int(piece), "") if piece.isdigit() else (1, 0, piece) for piece in re.split(r"(\d{1,15})", name)]


def chain_order(shapes: dict[str, tuple[int, int]], source: str, stored: bool) -> list[str]:
    """Return the names in the one order in which the shapes chain.

    Names that differ in their numbers alone stay in the order of these. Where several orders remain, the file's own is
    taken if it is meaningful and among them.

    Parameters
    ----------
    shapes : dict
        (n_in, n_out) of every layer, in the file's order.
    source : str
        What messages call the file.
    stored : bool
        Whether the file's order is the order of definition.

    Raises
    ------
    DataError
        If no order chains, or several do; the message names two of them.
    """
    names = list(shapes)
    if stored and _chains(names, shapes) and _respects(names):
        return names
    orders = _Orders(shapes).first_two()
    if len(orders) == 1:
        return orders[0]
    if not orders:
        turned = {name: shape[::-1] for name, shape in shapes.items()}
        hint = (
            "transpose them, they chain the other way round"
            if _Orders(turned).first_two()
            else ("name those that do, in order, by --layers (layers=… in Python)")
        )
        listing = ", ".join(f"{name} {n}→{m}" for name, (n, m) in sorted(shapes.items(), key=_by_name)[:8])
        raise DataError(f"{source}: the shapes of its {len(shapes)} layers chain in no order ({listing}); {hint}")
    first, second = (" → ".join(_shortened(order)) for order in orders)
    raise DataError(
        f"{source}: its names and shapes leave the order of the layers open ({first}, or {second}); give the right one "
        "by --layers (layers=… in Python)"
    )


class _Orders:
    """Orders of layers that chain, found depth first; layers of one series keep their order."""

    def __init__(self, shapes: dict[str, tuple[int, int]]) -> None:
        self.shapes = shapes
        series: dict[Hashable, list[str]] = defaultdict(list)
        for name in sorted(shapes, key=natural_key):
            series[re.sub(r"\d+", "#", name)].append(name)
        self.series = list(series.values())
        self.visited = 0

    def first_two(self) -> list[list[str]]:
        """Return no order, the only one, or two."""
        found: list[list[str]] = []
        stack: list[tuple[tuple[int, ...], list[str]]] = [((0,) * len(self.series), [])]
        total = len(self.shapes)
        while stack and len(found) < 2:
            used, order = stack.pop()
            self.visited += 1
            if self.visited > _MOST_STATES or len(self.series) > _MOST_SERIES:
                raise DataError(
                    f"{total} layers can be ordered in too many ways; name them in order by --layers (layers=…)"
                )
            if len(order) == total:
                found.append(order)
            stack.extend(self._steps(used, order))
        return found

    def _steps(self, used: tuple[int, ...], order: list[str]) -> list[tuple[tuple[int, ...], list[str]]]:
        steps = []
        for i, count in reversed(list(enumerate(used))):
            if count == len(self.series[i]):
                continue
            name = self.series[i][count]
            if not order or self.shapes[order[-1]][1] == self.shapes[name][0]:
                steps.append(((*used[:i], count + 1, *used[i + 1 :]), [*order, name]))
        return steps


def _chains(names: Sequence[str], shapes: dict[str, tuple[int, int]]) -> bool:
    return all(shapes[a][1] == shapes[b][0] for a, b in pairwise(names))


def _respects(names: Sequence[str]) -> bool:
    """Return whether names that differ in numbers alone stand in their order."""
    last: dict[str, list[tuple[int, int, str]]] = {}
    for name in names:
        series, key = re.sub(r"\d+", "#", name), natural_key(name)
        if key < last.get(series, key):
            return False
        last[series] = key
    return True


def _by_name(item: tuple[str, tuple[int, int]]) -> list[tuple[int, int, str]]:
    return natural_key(item[0])


def _shortened(order: list[str]) -> list[str]:
    return order if len(order) <= 6 else [*order[:3], "…", *order[-2:]]
