"""What every command shares: one JSON document or text on stdout, progress and one-line errors on stderr."""

from __future__ import annotations

import functools
import json
import math
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, ParamSpec, TypeVar

from approxmm.errors import ApproxmmError

__all__ = ["Advance", "Interrupted", "emit", "guarded", "progress_bar", "text_table", "warn"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
Advance = Callable[[float, float, str], None]


class Interrupted(Exception):  # noqa: N818 - it is not an error: the work so far was kept and printed
    """Raised by a command that has already printed what an interrupted job left."""


def guarded(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Give a command its exit codes, 1 (input wrong, job failed) and 130 (interrupted), with one line on stderr."""

    @functools.wraps(command)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except (KeyboardInterrupt, Interrupted):
            _fail("interrupted", 130)
        except BrokenPipeError:
            # The reader has gone (`approxmm … | head`): nobody is left to tell.
            sys.stderr.close()
            raise SystemExit(0) from None
        except ApproxmmError as error:
            _debug(kwargs)
            _fail(_one_line(error), 1)
        except (OSError, MemoryError) as error:
            _debug(kwargs)
            _fail(f"{type(error).__name__}: {_one_line(error)}", 1)
        except Exception as error:
            _debug(kwargs)
            _fail(f"unexpected {type(error).__name__}: {_one_line(error)} (--debug shows the traceback)", 1)

    return wrapper


def emit(document: dict[str, Any] | list[Any], text: str, *, as_json: bool, quiet: bool = False) -> None:
    """Print the document as strict JSON, or the text unless `quiet`."""
    if as_json:
        print(json.dumps(_strict(document), ensure_ascii=False, allow_nan=False))
    elif not quiet:
        print(text)


def warn(message: str, *, quiet: bool = False) -> None:
    """Print one line on stderr."""
    if not quiet:
        print(f"approxmm: {message}", file=sys.stderr)


@contextmanager
def progress_bar(title: str, *, hidden: bool) -> Iterator[Advance]:
    """Yield a function (done, total, what) that draws a bar with an ETA on stderr, on a terminal only."""
    if hidden or not sys.stderr.isatty():
        yield lambda done, total, what: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(compact=True, table_column=Column(min_width=5)),  # the bar gives way, not the times
        TimeElapsedColumn(table_column=Column(min_width=7)),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None, what="")

        def advance(done: float, total: float, what: str) -> None:
            progress.update(task, completed=done, total=total, what=what)

        yield advance


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a plain table with aligned columns, readable in a pipe as on a terminal."""
    everything = [header, *rows]
    widths = [max(len(row[i]) for row in everything) for i in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _strict(value: Any) -> Any:
    """Replace what JSON cannot say: numbers that are not finite become null, NumPy scalars plain numbers."""
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _debug(kwargs: dict[str, Any]) -> None:
    if kwargs.get("debug"):
        traceback.print_exc()


def _fail(message: str, code: int) -> NoReturn:
    print(f"approxmm: {message}", file=sys.stderr)
    raise SystemExit(code) from None
