"""Shortages: runners that the system ended for want of memory, and the models that make do with little since."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

_SECONDS = 600.0


@dataclass(slots=True)
class Shortages:
    """The models whose runners ended so lately; `now` is seconds on the monotonic clock."""

    _ends: dict[Hashable, float] = field(default_factory=dict)

    def note(self, loads: Hashable, now: float) -> None:
        """A model's runner was ended."""
        self._ends[loads] = now

    def concern(self, loads: Hashable, now: float) -> bool:
        """Whether to load a model with as little as it can do with: not in the way again that was too much."""
        ended = self._ends.get(loads)
        return ended is not None and now - ended < _SECONDS
