"""Operation: a long piece of work as its parts see it: where they report to, and whether to go on."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from ollapy.api.ollama import Progress
from ollapy.errors import Cancelled


class Operation:
    """Given to whatever takes long. It runs in one thread, is cancelled from any.

    `report` is called in the working thread, or in several at once.
    """

    def __init__(self, report: Callable[[Progress], None] = lambda _: None) -> None:
        self.report = report
        self._cancelled = Event()

    def status(self, text: str) -> None:
        """Report what is done now."""
        self.report(Progress(text))

    def cancel(self) -> None:
        """Have the work stop at its next check."""
        self._cancelled.set()

    def check(self) -> None:
        """Raises Cancelled once nobody waits any more; to be called often."""
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Pause, but for no longer than somebody waits."""
        if self._cancelled.wait(seconds):
            raise Cancelled("canceled")
