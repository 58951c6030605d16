"""Turns: which adapters the next batch is computed with. Plain Python, no model."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ollapy.api.adapters import AdapterSet

from .sequence import Sequence

# Seconds for which a set goes on while others wait. A switch costs some milliseconds, and a step each of two
# sets by turns would pay for one with every token; a reader does not see pauses as short as this.
_TURN = 0.1
# Seconds by which a set that only background work wants counts as having waited less.
_BACKGROUND = 1.0


class Turns:
    """A context computes with one set of adapters at a time; sets that are wanted together take turns.

    Who has waited longest is next.
    """

    def __init__(self) -> None:
        self._current: AdapterSet = ()
        self._ends_at = -math.inf
        self._since: dict[
            AdapterSet, float
        ] = {}  # when it was first wanted, or had a turn

    @property
    def num_sets(self) -> int:
        """Sets that were wanted when the last one was chosen."""
        return len(self._since)

    def choose(self, running: Iterable[Sequence], now: float) -> AdapterSet:
        """The set for the next step, one that somebody who runs wants; the last one where nobody does."""
        wanted: dict[
            AdapterSet, bool
        ] = {}  # and whether all that want it are background
        for sequence in running:
            only_background = wanted.get(sequence.adapters, True)
            wanted[sequence.adapters] = only_background and sequence.is_background
        self._since = {each: self._since.get(each, now) for each in wanted}
        if self._current in wanted and (len(wanted) == 1 or now < self._ends_at):
            return self._current
        if self._current in wanted:
            self._since[self._current] = now
        if wanted:
            self._current = min(wanted, key=lambda each: self._place(each, wanted))
            self._ends_at = now + _TURN
        return self._current

    def pass_on(self) -> None:
        """End the turn: there is nothing that it can be used for."""
        self._ends_at = -math.inf

    def _place(
        self, each: AdapterSet, wanted: dict[AdapterSet, bool]
    ) -> tuple[float, bool]:
        """The smallest is next; of two that have waited as long not the one that was."""
        delay = _BACKGROUND if wanted[each] else 0.0
        return self._since[each] + delay, each == self._current
