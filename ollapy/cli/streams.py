"""The three standard streams: there, and able to take any text."""

from __future__ import annotations

import io
import os
import sys


def prepare() -> None:
    """Make up for a stream that is closed, and for an encoding that lacks characters."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # in this order each gets its own number back
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115  # for the whole process
    _set_errors(sys.stdin, "replace" if sys.stdin.isatty() else "strict")
    _set_errors(sys.stdout, "backslashreplace")


def discard_output() -> None:
    """Have what is still buffered go nowhere, where it cannot fail at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def _set_errors(stream: object, errors: str) -> None:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=errors)
