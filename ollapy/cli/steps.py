"""Steps: what of an operation is under way, how fast it is, and what has ended. Decides only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ollapy.api.ollama import Progress
from ollapy.text import clean
from ollapy.units import format_bytes

_WINDOW = 10.0  # seconds that the rate is measured over
_SAMPLE = 0.1  # seconds between two samples
_SETTLED = 0.5  # seconds before a rate says anything

_Key = tuple[str, str]  # status and digest


class Step:
    """A status, or with a `total` something that is counted in bytes."""

    def __init__(self, record: Progress, now: float) -> None:
        self.text = clean(record.status)
        self.total = record.total
        self.completed = min(record.completed, record.total)
        self.begun_at = self._moved_at = now
        self._samples = deque([(now, self.completed)])

    @property
    def title(self) -> str:
        """What it is, and how large."""
        return f"{self.text}  {format_bytes(self.total)}" if self.total else self.text

    @property
    def percent(self) -> int:
        """100 not before all is there."""
        return 100 * self.completed // self.total

    @property
    def has_ended(self) -> bool:
        """Whether all is there; a status ends when another begins."""
        return 0 < self.total <= self.completed

    def advance(self, completed: int, now: float) -> None:
        """So much is there; it never gets less."""
        if completed > self.completed:
            self.completed, self._moved_at = min(completed, self.total), now
        if now - self._samples[-1][0] >= _SAMPLE:
            self._samples.append((now, self.completed))
        while len(self._samples) > 1 and self._samples[1][0] <= now - _WINDOW:
            self._samples.popleft()

    def has_stalled(self, now: float) -> bool:
        """Whether nothing has come for long."""
        return now - self._moved_at > _WINDOW

    def rate(self, now: float) -> float | None:
        """Bytes a second of late; None while that is too short a time."""
        since, before = self._samples[0]
        if now - since < _SETTLED:
            return None
        return (self.completed - before) / (now - since)

    def seconds_left(self, now: float) -> float | None:
        """How long the rest will take, if it goes on like this; None where nothing moves."""
        rate = self.rate(now)
        return (self.total - self.completed) / rate if rate else None


class Steps:
    """Those of one operation. A status ends when another record comes, a transfer when all is there."""

    def __init__(self) -> None:
        self._under_way: dict[_Key, Step] = {}
        self._ended: set[_Key] = set()

    @property
    def under_way(self) -> list[Step]:
        """Those that have begun and not ended, in this order."""
        return [*self._under_way.values()]

    def take(self, record: Progress, now: float) -> tuple[list[Step], list[Step]]:
        """The steps that the record begins, and those that it ends."""
        key = (record.status, record.digest)
        ended = self._end(lambda other, step: other != key and not step.total)
        begun = self._begin(key, record, now)
        if step := self._under_way.get(key):
            step.advance(record.completed, now)
        return begun, ended + self._end(lambda _, step: step.has_ended or record.done)

    def _begin(self, key: _Key, record: Progress, now: float) -> list[Step]:
        if key in self._under_way or (key in self._ended and record.total):
            return []
        return [self._under_way.setdefault(key, Step(record, now))]

    def _end(self, is_over: Callable[[_Key, Step], bool]) -> list[Step]:
        over = [key for key, step in self._under_way.items() if is_over(key, step)]
        self._ended.update(over)
        return [self._under_way.pop(key) for key in over]
