"""What a long operation reports, shown while it is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ollapy.api.ollama import Progress
from ollapy.settings import has_escapes

from .output import print_json, talk
from .steps import Steps

Show = Callable[[Progress], None]


def follow(records: Iterable[Progress], *, as_json: bool = False) -> None:
    """Show the records until the operation has succeeded; what it raises passes through."""
    with progress(as_json=as_json) as show:
        for record in records:
            show(record)


@contextmanager
def progress(*, as_json: bool = False) -> Iterator[Show]:
    """What shows a record.

    On a terminal there are bars, elsewhere a line where something begins and where it ends. All that is
    talk, on stderr. With `as_json` the records themselves go to stdout.
    """
    if sys.stderr.isatty() and has_escapes() and not as_json:
        from .bars import bars

        with bars() as show:
            yield show
        return
    try:
        yield print_json if as_json else _Lines().show
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            talk("")  # the terminal has shown ^C
        raise


class _Lines:
    """An operation as lines that say what it does."""

    def __init__(self) -> None:
        self._steps = Steps()

    def show(self, record: Progress) -> None:
        """Say what begins with the record, and what of the longer things ends."""
        begun, ended = self._steps.take(record, time.monotonic())
        for step in begun:
            talk(step.title)
        for step in ended:
            if step.total and step not in begun:
                talk(f"{step.text}: done")
