"""Help texts: options in groups, and examples that can be copied."""

from __future__ import annotations

import textwrap
from typing import Any

from typer.core import TyperCommand

from approxmm.cli.options import OUTPUT

__all__ = ["HelpfulCommand"]

_FEW = 9  # options that need no groups
_REST = "Options"


class HelpfulCommand(TyperCommand):
    """A command whose help lists its options by their `rich_help_panel`, what is printed last.

    Otherwise groups and options are in the order of the function's arguments; few options are not grouped.
    """

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the command does, then its examples, which a shell takes as they are printed."""
        formatter.write_paragraph()
        paragraphs = (self.help or "").split("\n\n")
        with formatter.indentation():
            formatter.write_text("\n\n".join(text for text in paragraphs if not _is_example(text)))
            for text in filter(_is_example, paragraphs):
                formatter.write(f"\n{_copyable(text, formatter.width, formatter.current_indent)}\n")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options."""
        groups: dict[str, list[Any]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            group = "Arguments" if parameter.param_type_name == "argument" else _group(parameter)
            groups.setdefault(group, []).append(record)
        arguments = groups.pop("Arguments", [])
        groups[OUTPUT] = groups.pop(OUTPUT, [])
        if sum(map(len, groups.values())) <= _FEW:
            groups = {_REST: [record for records in groups.values() for record in records]}
        for title, records in {"Arguments": arguments, **groups}.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _group(option: Any) -> str:
    """Return the title under which an option is listed; ``--help`` goes with what decides what is printed."""
    title: str | None = getattr(option, "rich_help_panel", None)
    return title or (OUTPUT if option.name == "help" else _REST)


def _is_example(paragraph: str) -> bool:
    return paragraph.startswith("Example:")


def _copyable(paragraph: str, width: int, indent: int) -> str:
    """Return a command in lines that end with a backslash where it goes on."""
    lines = textwrap.wrap(
        " ".join(paragraph.split()),
        width - 2,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 4),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return " \\\n".join(lines)
