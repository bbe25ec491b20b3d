"""The recall study: how many of the truly active nodes each index finds, as a report."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from approxmm.parallel import single_threaded_blas
from approxmm.studies.environment import describe_environment
from approxmm.studies.recall import recall_of_active_sets
from approxmm.studies.settings import RecallSettings
from approxmm.studies.study import Study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["recall_study"]

_CAPTION = (
    "Recall of the nodes with the truly largest pre-activations on networks trained with exact products. alsh_union: "
    "everything that the hash tables hold, whatever its size (column active), with the closed form's expectation over "
    "hyperplanes beside it; alsh: the most frequent of these, filled at random up to the budget; subspace_screen: the "
    "top scores in the principal subspace of training inputs. chance: the recall of a random set of the same size."
)


def recall_study(
    settings: RecallSettings,
    *,
    workers: int | None = None,
    progress: Callable[[float, float, str], None] | None = None,
) -> Study:
    """Run the recall study.

    Parameters
    ----------
    settings : RecallSettings
    workers : int, optional
        Not used: layers are measured one after the other.
    progress : callable (done, total, what), optional
        Called after each depth.
    """
    import pandas as pd

    started, frames = time.perf_counter(), []
    with single_threaded_blas():
        for done, depth in enumerate(settings.depths, start=1):
            arguments = settings.model_dump(exclude={"study", "depths"})
            frames.append(recall_of_active_sets(**arguments, depths=(depth,)))
            if progress is not None:
                progress(done, len(settings.depths), f"depth {depth}")
    table = pd.concat(frames, ignore_index=True)
    return Study(
        name="recall",
        title="Which active nodes does an index find?",
        summary=f"Networks of {', '.join(map(str, settings.depths))} hidden ReLU layers of {settings.width} nodes were "
        f"trained on {settings.data} with exact products. For each layer, the nodes of largest pre-activation were "
        "sought by hash tables and by subspace screening.",
        tables={"recall": table},
        captions={"recall": _CAPTION},
        findings=_findings(table),
        settings=settings.model_dump(mode="json"),
        environment=describe_environment(),
        seconds=time.perf_counter() - started,
    )


def _findings(table: pd.DataFrame) -> list[str]:
    """Return what the table says, method by method, at the smallest budget in the deepest network."""
    deepest = table[(table["depth"] == table["depth"].max()) & (table["budget"] == table["budget"].min())]
    budget = float(deepest["budget"].iloc[0])
    found = []
    for method, rows in deepest[deepest["method"] != "alsh_union"].groupby("method", sort=False):
        best = rows.groupby(["bits", "tables", "rank"], dropna=False)["recall"].mean().max()
        found.append(
            f"{method} finds at best {best:.0%} of the true top {budget:.0%} of nodes, on average over the layers of "
            f"the deepest network ({int(table['depth'].max())} layers); a random set would find {budget:.0%}."
        )
    union = deepest[deepest["method"] == "alsh_union"]
    if len(union):
        gap = (union["recall"] - union["expected"]).abs().max()
        found.append(
            f"The closed form of the hash tables' recall is met within {gap:.3f} in every layer and setting "
            "(differences are the hyperplanes' own spread over the builds)."
        )
    return found
