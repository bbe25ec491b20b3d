"""The report's page: one HTML file that needs nothing but itself."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from approxmm.reporting.display import flat_settings, plain_text
from approxmm.reporting.figures import Picture
from approxmm.reporting.mathematics import STATEMENTS, mathml
from approxmm.reporting.records import file_stems
from approxmm.reporting.series import method_styles
from approxmm.reporting.tables import TableView, settings_view, view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from approxmm.studies.study import Study

__all__ = ["render_page"]

_METHODS = "methods"


@dataclass(frozen=True)
class FigureView:
    """One figure on the page: the picture as a data URI, its texts, and links to the files beside the page."""

    number: int
    picture: Picture
    image: str
    about: str
    stem: str
    summary: TableView | None
    records: TableView


@dataclass(frozen=True)
class Section:
    """A table that is shown as it is."""

    name: str
    about: str
    stem: str
    table: TableView


def render_page(study: Study, pictures: Sequence[Picture]) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    study : Study
        Its texts are escaped, wherever they come from.
    pictures : sequence of Picture
        The figures that were drawn; their SVG files are read and embedded.
    """
    from approxmm import __version__

    stems = file_stems(study.tables)
    drawn = {picture.kind.table for picture in pictures}
    methods = study.tables.get(_METHODS)
    listed = methods is not None and "method" in methods.columns and len(methods) > 0
    others = [name for name in study.tables if name not in drawn and not (listed and name == _METHODS)]
    return _template().render(
        study=study,
        version=__version__,
        figures=[_figure(study, picture, i, stems) for i, picture in enumerate(pictures, start=1)],
        statements=STATEMENTS,
        mathml=mathml,
        methods=_section(study, _METHODS, stems) if listed else None,
        colours=_colours(study) if listed else [],
        others=[_section(study, name, stems) for name in others],
        settings=settings_view(flat_settings(study.settings)),
        environment=settings_view(flat_settings(study.environment)),
        command=_command(study.settings, study.name),
        style=_style(),
    )


def _figure(study: Study, picture: Picture, number: int, stems: Mapping[str, str]) -> FigureView:
    name = picture.kind.table
    summary, table = picture.kind.summary, study.tables[name]
    return FigureView(
        number=number,
        picture=picture,
        image="data:image/svg+xml;base64," + base64.b64encode(picture.svg.read_bytes()).decode("ascii"),
        about=study.captions.get(name, ""),
        stem=stems[name],
        summary=None if summary is None else summary(table),
        records=view(table),
    )


def _section(study: Study, name: str, stems: Mapping[str, str]) -> Section:
    return Section(name, study.captions.get(name, ""), stems[name], view(study.tables[name]))


def _colours(study: Study) -> list[str]:
    """Return the figures' colour of each row of the table of methods."""
    styles = method_styles(study.tables)
    return [styles[str(name)].colour for name in study.tables[_METHODS]["method"]]


def _command(settings: Mapping[str, Any], name: str) -> str:
    """Return the command that makes the report again: the study's own word, else that of the quick study."""
    if settings.get("command"):
        return plain_text(str(settings["command"]), limit=400)
    if name != "quick":
        return ""
    return f"approxmm report --seed {settings['seed']}" if isinstance(settings.get("seed"), int) else "approxmm report"


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("approxmm.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


@cache
def _style() -> Any:
    from importlib.resources import files

    from markupsafe import Markup

    return Markup(files("approxmm.reporting").joinpath("templates", "page.css").read_text(encoding="utf-8"))
