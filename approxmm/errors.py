"""The exceptions that approxmm raises on purpose.

Every message is one line that names the argument, the value, the limit and the
remedy, so that the command line can print it as it stands.
"""

from __future__ import annotations

__all__ = ["ApproxmmError", "DataError", "InputError", "MissingError", "NotAvailableError"]


class ApproxmmError(Exception):
    """Base of all errors that approxmm raises on purpose."""


class InputError(ApproxmmError, ValueError):
    """An argument is outside what the function accepts."""


class DataError(ApproxmmError, ValueError):
    """A file's content is not what its format promises."""


class MissingError(ApproxmmError, FileNotFoundError):
    """Something that must exist (a file, a folder, a data set) does not."""

    def __str__(self) -> str:
        # FileNotFoundError would format its arguments as (errno, text).
        return str(self.args[0]) if self.args else ""


class NotAvailableError(ApproxmmError):
    """No closed form or no implementation exists for this request; the message says what to use instead."""
