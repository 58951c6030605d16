"""Node: an edge of the prefix tree, the cells it owns, and the checkpoints kept along it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .sequence import Sequence


@dataclass(slots=True, eq=False)
class Checkpoint:
    """What a model remembers besides its cells when it has read a path up to `position`.

    A recurrent model has one state for all it has read, and a sliding window forgets what left it:
    neither can be cut back, but both can be put back to a copy taken in time.
    """

    position: int
    state: bytes
    used_at: float


@dataclass(slots=True, eq=False)
class Node:
    """An edge and what hangs below it; `tokens` are those of a path through it, known up to `end`."""

    tokens: list[int]
    start: int
    frozen_end: int
    asked_by: str = ""  # whose tokens they are
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)
    slot: int | None = None
    owner: Sequence | None = None  # the running sequence whose leaf this is
    used_at: float = 0.0
    is_kept: bool = False  # elsewhere too
    checkpoints: list[Checkpoint] = field(default_factory=list)

    @property
    def end(self) -> int:
        """Where the edge ends; a running sequence's ends where it has computed to."""
        return self.frozen_end if self.owner is None else self.owner.num_computed

    @property
    def is_idle(self) -> bool:
        """Whether this is a leaf that nobody runs on."""
        return self.slot is not None and self.owner is None

    def path(self) -> Iterator[Node]:
        """This node and those above it."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def below(self) -> Iterator[Node]:
        """This node and all below it."""
        pending = [self]
        while pending:
            node = pending.pop()
            yield node
            pending += node.children

    def checkpoint(self, most: int) -> Checkpoint | None:
        """The last checkpoint on this edge at or before a position."""
        usable = (kept for kept in self.checkpoints if kept.position <= most)
        return max(usable, key=lambda kept: kept.position, default=None)

    def split(self, at: int) -> Node:
        """Cut the edge in two; the upper part is new and inner, slot and owner stay below."""
        assert self.parent is not None
        upper = Node(
            self.tokens, self.start, at, self.asked_by, self.parent, children=[self]
        )
        upper.checkpoints = [c for c in self.checkpoints if c.position <= at]
        self.checkpoints = [c for c in self.checkpoints if c.position > at]
        self.parent.children[self.parent.children.index(self)] = upper
        self.start, self.parent = at, upper
        return upper

    def absorb(self, upper: Node) -> None:
        """Become one with the parent, whose only child this is."""
        assert upper.parent is not None
        self.checkpoints += upper.checkpoints
        self.start, self.parent = upper.start, upper.parent
        upper.parent.children[upper.parent.children.index(upper)] = self

    def check(self) -> None:
        """What hangs below begins where it ends, an inner node branches, and its checkpoints lie along it."""
        assert 0 <= self.start <= self.end
        assert all(c.parent is self and c.start == self.end for c in self.children)
        assert self.parent is None or len(self.children) != 1
        assert all(self.start < c.position <= self.end for c in self.checkpoints)


def common(a: list[int], b: list[int], start: int, end: int) -> int:
    """Where two lists that agree before `start` stop agreeing, `end` at most: bisection by C comparison."""
    low, high = start, min(end, len(a), len(b))
    if a[low:high] == b[low:high]:
        return max(low, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle)
    return low
