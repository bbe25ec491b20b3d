"""The command line: parse, call, print, exit code."""

from approxmm.cli.app import app, main

__all__ = ["app", "main"]
