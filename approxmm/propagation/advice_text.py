"""Advice in words: a table by layer, the two plans side by side, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from approxmm.propagation.advice_search import output_error

if TYPE_CHECKING:
    from approxmm.propagation.advice import Advice, BudgetPlan

__all__ = ["described", "statements"]


def described(advice: Advice) -> str:
    """Return the advice as plain text."""
    asked = (
        f"a relative error of {advice.target:g} at the output"
        if advice.target is not None
        else f"{advice.cost_limit:g} of the exact products' cost"
    )
    title = f"Budgets for {asked}: {advice.method}, {advice.network}, {advice.settings.get('inputs')} inputs"
    parts = [title, _layers(advice), _plans(advice), "\n".join(statements(advice))]
    return "\n\n".join(part for part in parts if part)


def statements(advice: Advice) -> tuple[str, ...]:
    """Return what follows from the figures, one sentence each."""
    follows = _on_target(advice, advice.target) if advice.target is not None else _on_cost(advice)
    return (*follows, *_on_depth(advice), *_on_counting(advice))


def _on_target(advice: Advice, target: float) -> Iterator[str]:
    equal, unequal = advice.equal, advice.unequal
    if equal is None:
        most = advice.depths.shares[-1]
        limit = f" of up to {most:g} draws a pair" if most > 1 else ""
        yield f"No equal budget{limit} reaches an error of {target:g}."
    elif equal.counted >= 1.0:
        yield (
            f"Equal budgets that reach {target:g} come to {_share(advice, equal):.3g} items for each item of the side "
            f"and cost {equal.counted:.3f} times the exact products: sampling every layer alike does not pay."
        )
    if advice.draws is not None and advice.draws >= 1.0:
        yield (
            f"With every layer sampled and each draw paid for, the cheapest budgets cost {advice.draws:.3g} times the "
            "exact products (model)."
        )
    if unequal is None:
        yield f"No budgets reach an error of {target:g}."
    elif unequal.counted >= 1.0 or not unequal.samples_something:
        yield f"No budgets below the exact products' cost that reach {target:g} were found: leave the products exact."
    elif equal is None or equal.counted >= 1.0:
        yield f"It pays to sample {_listed(unequal)} only, at {unequal.counted:.1%} of the exact cost."
    elif unequal.counted >= equal.counted:
        yield "No unequal budgets were found that are cheaper than equal ones."
    else:
        yield f"Unequal budgets save {1.0 - unequal.counted / equal.counted:.1%} of the equal budgets' cost."
    if target >= 1.0:
        yield "An output of zero has a relative error of 1: the target asks for no more than that."


def _on_cost(advice: Advice) -> Iterator[str]:
    equal, unequal = advice.equal, advice.unequal
    if unequal is None:
        yield f"No budgets cost as little as {advice.cost_limit:g} of the exact products."
    elif equal is None:
        yield "No equal budget costs as little; the unequal ones leave layers exact or differ."
    elif unequal.error >= equal.error:
        yield "No unequal budgets were found that have a smaller error than equal ones."
    elif equal.error > 0.0:
        yield f"Unequal budgets have {unequal.error / equal.error:.3g} times the error of equal ones."


def _on_depth(advice: Advice) -> Iterator[str]:
    largest = advice.depths.largest
    if largest is None:
        yield "Even the smallest budget costs as much as the exact products: sampling never pays."
        return
    if advice.target is None:
        return
    depth, share = advice.depths.paying_depth(advice.target), _share(advice, largest)
    if depth == largest.simulated.depth:
        yield f"Equal budgets below the exact cost keep the error at {advice.target:g} to the last layer ({depth})."
        return
    error = largest.simulated.relative_error[depth]
    beyond = f"beyond depth {depth}" if depth else "at any depth"
    yield (
        f"Sampling every layer alike does not pay {beyond}: with {share:.4g} of the side, the largest budget that "
        f"costs less than the exact products, the error after layer {depth + 1} is {error:.3g} (simulated)."
    )


def _on_counting(advice: Advice) -> Iterator[str]:
    plans = (advice.unequal, advice.equal, advice.depths.largest)
    plan = next((plan for plan in plans if plan is not None and plan.samples_something), None)
    if advice.counts_upkeep:
        yield "Counted are product, selection, and the upkeep after a change of all weights."
    elif plan is not None:
        yield (
            "Counted are product and selection; upkeep after a change of all weights would add "
            f"{plan.cost.upkeep:.3g} of the exact products."
        )


def _share(advice: Advice, plan: BudgetPlan) -> float:
    pairs = [(count, size) for count, size in zip(plan.counts, advice.sizes, strict=True) if count and size]
    return sum(count for count, _ in pairs) / max(1, sum(size for _, size in pairs))


def _listed(plan: BudgetPlan) -> str:
    layers = [str(k) for k, count in enumerate(plan.counts, start=1) if count is not None]
    return f"layer{'s' if len(layers) > 1 else ''} {', '.join(layers)}"


def _layers(advice: Advice) -> str:
    header = ["layer", "size", "gain", "equal", "cost", "unequal", "cost"]
    rows = []
    for k, size in enumerate(advice.sizes):
        row = [str(k + 1), "–" if size is None else str(size), "–" if size is None else f"{advice.gains[k]:.3g}"]
        for plan in (advice.equal, advice.unequal):
            if plan is None:
                row += ["–", "–"]
            else:
                count = plan.counts[k]
                row += ["exact" if count is None else str(count), f"{plan.layer_costs[k]:.3f}"]
        rows.append(row)
    return _table(header, rows)


def _plans(advice: Advice) -> str:
    rows = []
    for name, plan in (("equal", advice.equal), ("unequal", advice.unequal)):
        if plan is not None:
            low, high = plan.interval
            rows.append(
                [
                    name,
                    f"{plan.counted:.4f}",
                    f"{output_error(plan.predicted):.4g}",
                    f"{plan.error:.4g}",
                    f"[{low:.4g}, {high:.4g}]",
                    _verdict(plan),
                ]
            )
    header = ["budgets", "cost/exact", f"predicted ({advice.engine})", "simulated", "95 % interval", "prediction"]
    return _table(header, rows) if rows else ""


def _verdict(plan: BudgetPlan) -> str:
    predicted = output_error(plan.predicted)
    ratio = f"{predicted / plan.error:.3g} of the simulated" if plan.error > 0 else "–"
    return f"{ratio}; budgets corrected" if plan.corrected else ratio


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows)
    )
