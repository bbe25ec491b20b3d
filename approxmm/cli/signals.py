"""SIGINT and SIGTERM as a wish to stop: the first ends a job at its next step, the second at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from approxmm.cli.console import Interrupted

__all__ = ["stop_on_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals(note: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether the job was asked to stop; handlers are put back afterwards.

    Parameters
    ----------
    note : callable
        Called at the first signal. The second raises `Interrupted`, wherever the job is; unlike KeyboardInterrupt, no
        job takes it as a wish to stop in good order.

    Notes
    -----
    Python lets only the main thread set handlers; in any other thread signals do what they did.
    """
    asked: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        if len(asked) > 1:
            raise Interrupted
        note()

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
