"""Meter: how far a download is, told often enough and never backwards."""

from __future__ import annotations

import time
from collections.abc import Callable

from ollapy.api.ollama import Progress
from ollapy.names import Digest

_INTERVAL = 0.06  # seconds between two records


class Meter:
    """Reports the bytes of one blob."""

    def __init__(
        self,
        digest: Digest,
        size: int,
        completed: int,
        report: Callable[[Progress], None],
    ) -> None:
        self._digest = digest
        self._size = size
        self._completed = completed
        self._report = report
        self._told_at = 0.0

    def tell(self, completed: int) -> None:
        """Report, unless the last time was a moment ago."""
        self._completed = max(self._completed, min(completed, self._size))
        if time.monotonic() - self._told_at >= _INTERVAL:
            self._send()

    def finish(self) -> None:
        """Report that all is there."""
        self._completed = self._size
        self._send()

    def _send(self) -> None:
        self._told_at = time.monotonic()
        status = f"pulling {self._digest.hex[:12]}"
        self._report(Progress(status, str(self._digest), self._size, self._completed))
