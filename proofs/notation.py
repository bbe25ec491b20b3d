"""LaTeX of expressions, with sums over several indices written one after the other."""

from __future__ import annotations

import sympy as sp
from sympy.printing.latex import LatexPrinter

__all__ = ["latex"]


class _Printer(LatexPrinter):  # type: ignore[misc]  # SymPy has no type information
    def _print_Sum(self, expr: sp.Sum) -> str:  # noqa: N802 - SymPy's naming of printer methods
        signs = [
            rf"\sum_{{{self._print(index)}={self._print(low)}}}^{{{self._print(high)}}}"
            for index, low, high in reversed(expr.limits)
        ]
        body = self._print(expr.function)
        return " ".join(signs) + " " + (rf"\left({body}\right)" if isinstance(expr.function, sp.Add) else body)


def latex(expr: object) -> str:
    """Return the LaTeX of an expression; invalid sides of a claim are shown as they are."""
    converted = sp.sympify(expr)
    return str(_Printer().doprint(converted))
