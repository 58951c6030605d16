"""Pool: when the pool of KV cells should have another size, and which. Plain Python, no model."""

from __future__ import annotations

from collections.abc import Sequence as Ordered
from dataclasses import dataclass

from .prefix_tree import PrefixTree
from .sequence import Sequence

# Tokens of each answer under way that are looked ahead for: a pool grows before it is full.
_AHEAD = 256
# Seconds before more is asked for again by somebody who can go on without.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Demand:
    """Cells that sequences have a use for.

    With `wanted` nobody waits for cells soon, and nothing of use is forgotten; with `longest` the longest
    sequence can go on, if need be alone.
    """

    wanted: int
    longest: int


@dataclass(frozen=True, slots=True)
class Wish:
    """A size that would be of use, and the least without which somebody cannot go on; 0 if all can."""

    num_cells: int
    least: int


def demand(
    tree: PrefixTree, running: Ordered[Sequence], waiting: Ordered[Sequence]
) -> Demand:
    """What those who run and those who wait for cells have a use for."""
    promised = sum(
        s.num_pending + min(s.limit - len(s.tokens), _AHEAD) for s in running
    )
    queued = sum(len(s.tokens) - tree.match(s.tokens, s.adapters)[1] for s in waiting)
    longest = max((len(s.tokens) for s in (*running, *waiting)), default=0)
    return Demand(tree.num_used + promised + queued, longest)


class Pool:
    """The sizes that a pool may have, and what was asked of whom the memory belongs to.

    It begins with `least` cells and doubles as far as `most`, so that all that is ever carried over is
    less than what was read. Instants are `time.monotonic()`.
    """

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = max(least, most)
        self._asked = 0
        self._patient_until = 0.0

    @property
    def is_asking(self) -> bool:
        """Whether an answer is still to come."""
        return self._asked > 0

    def size_for(self, num_cells: int) -> int:
        """The smallest size that so many cells fit in, or the largest there is."""
        size = self._least
        while size < num_cells:
            size *= 2
        return min(size, self._most)

    def wish(self, demand: Demand, size: int, now: float) -> Wish | None:
        """What to ask for where the pool has that size; None while there is nothing to ask."""
        is_urgent = demand.longest > size
        wanted = self.size_for(max(demand.wanted, demand.longest))
        is_early = now < self._patient_until and not is_urgent
        if self.is_asking or wanted <= size or is_early:
            return None
        self._asked = wanted
        return Wish(wanted, demand.longest + _AHEAD if is_urgent else 0)

    def answered(self, size: int, now: float) -> None:
        """It has a size now that was not chosen here; less than what was asked for will do for a while."""
        if size < self._asked:
            self._patient_until = now + _PATIENCE
        self._asked = 0
