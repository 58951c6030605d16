"""What a long operation reports, shown while it is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable

from ollapy.api.ollama import Progress
from ollapy.settings import has_escapes
from ollapy.units import format_bytes

from .output import print_json, talk
from .steps import Step, Steps


def follow(records: Iterable[Progress], *, as_json: bool = False) -> None:
    """Show the records until the operation has succeeded; what it raises passes through.

    On a terminal there are bars, elsewhere a line where something begins and where it ends. All that is
    talk, on stderr. With `as_json` the records themselves go to stdout.
    """
    if as_json:
        for record in records:
            print_json(record)
    elif sys.stderr.isatty() and has_escapes():
        from .bars import draw

        draw(records)
    else:
        _tell(records)


def _tell(records: Iterable[Progress]) -> None:
    steps = Steps()
    for record in records:
        begun, ended = steps.take(record, time.monotonic())
        for step in begun:
            talk(_named(step))
        for step in ended:
            if step.total and step not in begun:
                talk(f"{step.text}: done")


def _named(step: Step) -> str:
    return f"{step.text}: {format_bytes(step.total)}" if step.total else step.text
