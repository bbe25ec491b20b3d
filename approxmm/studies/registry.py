"""The studies by the settings that describe them: one line each."""

from __future__ import annotations

from collections.abc import Callable

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


def run_study(
    settings: StudySettings, *, workers: int | None = None, progress: Callable[[float, float, str], None] | None = None
) -> Study:
    """Run the study that `settings` describe; `progress` is called with (done, total, what)."""
    return _STUDIES[type(settings)](settings, workers=workers, progress=progress)
