"""Activity: whether a process does something, where its log says nothing."""

from __future__ import annotations

from contextlib import suppress

import psutil

_STEP = 1_000_000  # bytes; processes that only wait for each other pass on less


class Activity:
    """What a process and its descendants have read and written, be it files or the network: a download is silent."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen = 0

    def has_gone_on(self) -> bool:
        """Whether much was read or written since that was last so; never where the system does not count it."""
        now = sum(map(_bytes, self._family()))
        # less, where one has ended and its count with it
        if 0 <= now - self._seen < _STEP:
            return False
        self._seen = now
        return True

    def _family(self) -> list[psutil.Process]:
        with suppress(psutil.Error):
            process = psutil.Process(self._pid)
            return [process, *process.children(recursive=True)]
        return []


def _bytes(process: psutil.Process) -> int:
    with suppress(psutil.Error, AttributeError):  # no such method on macOS
        counters = process.io_counters()
        return int(counters.read_chars + counters.write_chars)
    return 0
