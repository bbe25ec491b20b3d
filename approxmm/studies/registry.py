"""The studies by the settings that describe them: one line each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from approxmm.studies.closure_study import closure_study
from approxmm.studies.depth_study import depth_study
from approxmm.studies.field_study import field_study
from approxmm.studies.quick import quick_study
from approxmm.studies.recall_study import recall_study
from approxmm.studies.settings import (
    ClosureSettings,
    DepthSettings,
    FieldSettings,
    QuickSettings,
    RecallSettings,
    StudySettings,
)
from approxmm.studies.study import Study

__all__ = ["run_study"]

_STUDIES: dict[type[StudySettings], Callable[..., Study]] = {
    QuickSettings: quick_study,
    RecallSettings: recall_study,
    FieldSettings: field_study,
    ClosureSettings: closure_study,
    DepthSettings: depth_study,
}


# Studies of many training runs, which keep those that are finished.
_RESUMABLE: frozenset[type[StudySettings]] = frozenset({DepthSettings})


def run_study(
    settings: StudySettings,
    *,
    workers: int | None = None,
    progress: Callable[[float, float, str], None] | None = None,
    finished: Path | None = None,
) -> Study:
    """Run the study that `settings` describe.

    Parameters
    ----------
    settings : StudySettings
    workers : int, optional
        Threads; the figures do not depend on it.
    progress : callable (done, total, what), optional
    finished : Path, optional
        File in which a study that takes long keeps what is finished, and finds it again; others make no use of it.
    """
    kept = {"finished": finished} if type(settings) in _RESUMABLE else {}
    return _STUDIES[type(settings)](settings, workers=workers, progress=progress, **kept)
