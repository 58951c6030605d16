"""Spinner: a sign of life on stderr while nothing else comes."""

from __future__ import annotations

import sys
import threading
import time
from itertools import cycle
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ollapy.settings import has_escapes

if TYPE_CHECKING:
    from ollapy.client import Client

    from .waiting import Waits

_DELAY = 0.7  # seconds in which most answers begin
_PAUSE = 0.1
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ERASE = "\r\x1b[K"


class Spinner:
    """Turns until it is stopped, from a thread of its own; on a terminal that can erase it. A context manager.

    With a client it says what the client's question waits for.
    """

    def __init__(self, client: Client | None = None) -> None:
        self._client = client
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Begin to wait."""
        encoding = (sys.stderr.encoding or "").lower()
        if sys.stderr.isatty() and has_escapes() and encoding.startswith("utf"):
            self._thread = threading.Thread(target=self._turn, daemon=True)
            self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the line as it was. Once it has stopped there is nothing more to do."""
        if self._thread:
            self._stopped.set()
            self._thread.join()
            self._thread = None

    def _turn(self) -> None:
        if self._stopped.wait(_DELAY):
            return
        waits = self._watch()
        for frame in cycle(_FRAMES):
            self._write(f"{_ERASE}{_line(waits) or f'{frame} '}")
            if self._stopped.wait(_PAUSE):
                break
        self._write(_ERASE)

    def _watch(self) -> Waits | None:
        if self._client is None:
            return None
        from .waiting import Waits

        waits = Waits(self._client)
        waits.watch(self._stopped)
        return waits

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _line(waits: Waits | None) -> str:
    if waits is None or waits.step is None:
        return ""
    from .bars import drawn

    return drawn(waits.step, time.monotonic())
