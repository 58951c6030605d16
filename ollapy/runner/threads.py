"""Threads: how many compute, as many as other programs leave cores for.

llama.cpp's threads meet at a barrier after every operation of every layer, hundreds of times a token,
and spin there. That is fast while each has a core of its own, and ruinous when a neighbour takes one: all
wait, spinning, for the one that is not running. With a core fewer nobody waits.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import psutil

_INTERVAL = 0.15  # seconds between two looks at the system
_STALE = 1.0  # what others did before an idle time says nothing about now


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds since some beginning: of all cores together, of them idle, and of this process."""

    total: float
    idle: float
    own: float

    @classmethod
    def now(cls) -> Usage:
        """As the system counts them; time that a hypervisor took away is not idle."""
        times = psutil.cpu_times()
        guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        idle = times.idle + getattr(times, "iowait", 0.0)
        return cls(sum(times) - guest, idle, time.process_time())

    def others_since(self, before: Usage) -> float:
        """The share of all cores that other programs have used since; 0 where no time has passed."""
        total = self.total - before.total
        if total <= 0:
            return 0.0
        busy = total - (self.idle - before.idle)
        return max(busy - (self.own - before.own), 0.0) / total


class Threads:
    """Chooses between one thread and `most` by what others used lately. Not for several threads at once."""

    def __init__(self, most: int, num_cores: int | None = None) -> None:
        self._most = self._chosen = most
        self._num_cores = num_cores or psutil.cpu_count() or most
        self._last: Usage | None = None
        self._looked_at = 0.0

    def choose(self) -> int:
        """The number for the next step; looks at the system now and then."""
        now = time.monotonic()
        elapsed = now - self._looked_at
        if self._most > 1 and elapsed >= _INTERVAL:
            if elapsed > _STALE:
                self._last, self._chosen = None, self._most
            self._looked_at = now
            try:
                self.look(Usage.now())
            except OSError:  # a sandbox hides it: never again
                self._looked_at = math.inf
        return self._chosen

    def look(self, usage: Usage) -> int:
        """The number that follows from how the cores were used since the last look."""
        last, self._last = self._last, usage
        if last and usage.total > last.total:
            free = round(self._num_cores * (1 - usage.others_since(last)))
            self._chosen = min(max(free, 1), self._most)
        return self._chosen
