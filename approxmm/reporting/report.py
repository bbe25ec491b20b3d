"""One call from a finished study to its report: a page, the figures, and the records they draw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from approxmm.atomic import atomic_folder
from approxmm.reporting.figures import draw_figures
from approxmm.reporting.page import render_page
from approxmm.reporting.records import write_records, write_text

if TYPE_CHECKING:
    from approxmm.studies.study import Study

__all__ = ["ReportFiles", "write_report"]


@dataclass(frozen=True)
class ReportFiles:
    """What a report consists of.

    Attributes
    ----------
    page : Path
        The HTML page, which opens from the disk and needs no other file.
    figures : list of Path
        SVG and PNG of every figure, in the order of the page.
    data : list of Path
        CSV and JSON of every table, and ``study.json``.
    """

    page: Path
    figures: list[Path]
    data: list[Path]

    def to_dict(self) -> dict[str, Any]:
        """Return the paths as strings, ready for JSON."""
        return {"page": str(self.page), "figures": [str(p) for p in self.figures], "data": [str(p) for p in self.data]}


def write_report(study: Study, folder: str | Path) -> ReportFiles:
    """Write a study's report.

    Parameters
    ----------
    study : Study
        Tables with a known name and columns get their figures; all others are shown as tables. Nothing is
        computed here but means and ranges over seeds.
    folder : path-like
        Made if it is missing. In a folder that exists, files of the same name are replaced
        one by one, and others are kept.

    Returns
    -------
    ReportFiles
        ``index.html``, ``figures/<name>.svg`` and ``.png``, ``data/<table>.csv`` and ``.json``. The same study
        gives the same bytes (with the same versions of the libraries that draw).

    Raises
    ------
    InputError
        If the folder cannot be written; nothing is left behind then.
    """
    target = Path(folder)
    with atomic_folder(target) as building:
        data = write_records(study, building / "data")
        pictures = draw_figures(study, building / "figures")
        page = write_text(building / "index.html", render_page(study, pictures))
        figures = [file for picture in pictures for file in (picture.svg, picture.png)]
    return ReportFiles(
        page=target / page.relative_to(building),
        figures=[target / file.relative_to(building) for file in figures],
        data=[target / file.relative_to(building) for file in data],
    )
