"""Crashes: models whose runners end by themselves again and again, and when each is tried next."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from ollapy.errors import Busy

_FREE = 3  # crashes in a row that cost no wait: each may be the fault of one request
_FIRST, _LONGEST = 1.0, 60.0  # seconds


@dataclass(slots=True)
class Crashes:
    """Counted from one answered request to the next; `now` is seconds on the monotonic clock."""

    _counts: dict[Hashable, tuple[int, float]] = field(default_factory=dict)

    def note(self, loads: Hashable, now: float) -> int:
        """A runner has crashed; the how manieth in a row."""
        num = self._counts.get(loads, (0, now))[0] + 1
        self._counts[loads] = num, now
        return num

    def forget(self, loads: Hashable) -> None:
        """A request was answered."""
        self._counts.pop(loads, None)

    def check(self, loads: Hashable, name: str, now: float) -> None:
        """Busy while another start would most likely be another crash."""
        num, last = self._counts.get(loads, (0, now))
        pause = min(_FIRST * 2.0 ** (min(num, 64) - _FREE), _LONGEST)
        left = last + pause - now
        if num >= _FREE and left > 0:
            raise Busy(
                f"'{name}' crashed {num} times in a row and is tried again in {left:.0f} s, ollapy's log says how it ended: "
                "free memory, or set OLLAPY_DEVICE=cpu if llama.cpp fails on a GPU"
            )
