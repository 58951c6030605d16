"""PrefixTree: every token whose KV cells are resident, whoever computed it, running or idle.

    root ─ [0,40) system prompt ─┬─ [40,90) a chat, idle             slot 3
                                 ├─ [40,61) a running sequence ──▶   slot 0   (grows as it computes)
                                 └─ [40,40) one that just joined     slot 5

A node owns the cells of its edge, the positions from `start` to `end`: computed once, shared by all
below. Each leaf has a slot, llama.cpp's sequence id, which holds the cells of the whole path from the
root. An inner node has none; it lives by the leaves below it, two at least.

Plain Python. What llama.cpp has to do is returned as actions, in order, before the next decode.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .sequence import Sequence


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a slot off its cells from position `start` on; cells that no slot holds any more are free."""

    slot: int
    start: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """Let a slot hold another's cells of the positions before `end` too; nothing is copied."""

    source: int
    target: int
    end: int


Action = Remove | Share


@dataclass(slots=True, eq=False)
class Node:
    """An edge and what hangs below it; `tokens` are those of a path through it, known up to `end`."""

    tokens: list[int]
    start: int
    frozen_end: int
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)
    slot: int | None = None
    owner: Sequence | None = None  # the running sequence whose leaf this is
    used_at: float = 0.0

    @property
    def end(self) -> int:
        """Where the edge ends; a running sequence's ends where it has computed to."""
        return self.frozen_end if self.owner is None else self.owner.num_computed

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


class PrefixTree:
    """The resident tokens of one pool of cells, and the slots that hold them."""

    def __init__(
        self, *, num_cells: int, num_slots: int, can_share: bool = True
    ) -> None:
        self.num_cells = num_cells
        self._can_share = can_share
        self._root = Node([], 0, 0)
        self._free_slots = list(range(num_slots - 1, -1, -1))
        self._leaves: dict[int, Node] = {}  # by slot
        self._num_settled: int | None = (
            0  # cells used but for what running leaves compute; None: count again
        )

    @property
    def num_used(self) -> int:
        """Cells that hold a token. Asked in every step, so only what grows is counted each time."""
        if self._num_settled is None:
            nodes = self._root.below()
            self._num_settled = sum(
                (0 if node.owner else node.frozen_end) - node.start for node in nodes
            )
        return self._num_settled + sum(leaf.end for leaf in self._running())

    @property
    def num_pinned(self) -> int:
        """Cells that running sequences need; the others may be evicted."""
        nodes = {id(node): node for leaf in self._running() for node in leaf.path()}
        return sum(node.end - node.start for node in nodes.values())

    def num_unpinned(self, tokens: list[int]) -> int:
        """Cells that a sequence would need beyond those that running ones hold already."""
        node, length = self.match(tokens)
        shared = (
            min(n.end, length)
            for n in node.path()
            if any(leaf.owner for leaf in n.below())
        )
        return len(tokens) - max(shared, default=0)

    @property
    def can_attach(self) -> bool:
        """Whether there is a slot for one more sequence, or an idle leaf to take one from."""
        return bool(self._free_slots) or any(
            leaf.owner is None for leaf in self._leaves.values()
        )

    def match(self, tokens: list[int]) -> tuple[Node, int]:
        """The deepest node whose path begins with a prefix of `tokens`, and that prefix's length.

        The last token never counts: it must be computed for its logits.
        """
        node, length, most = self._root, 0, len(tokens) - 1
        while (
            self._can_share and node.children and length == node.end and length < most
        ):
            ends = [
                common(tokens, child.tokens, length, min(child.end, most))
                for child in node.children
            ]
            furthest = max(ends)
            if furthest == length:
                break
            node, length = node.children[ends.index(furthest)], furthest
        return node, length

    def attach(self, sequence: Sequence) -> list[Action]:
        """Give a sequence a slot, and as many computed tokens as are resident."""
        self._num_settled = None
        actions = [] if self._free_slots else self._take_slot(sequence)
        node, length = self.match(sequence.tokens)
        if node.slot is not None and node.owner is None and length == node.end:
            leaf = node  # idle, and the sequence goes on from its end: its own now
        else:
            leaf = Node(sequence.tokens, length, length, slot=self._free_slots.pop())
            actions += self._branch(leaf, node)
        assert leaf.slot is not None
        self._leaves[leaf.slot] = leaf
        leaf.tokens, leaf.owner = sequence.tokens, sequence
        sequence.slot, sequence.num_computed = leaf.slot, length
        return actions

    def detach(self, sequence: Sequence, now: float) -> list[Action]:
        """The sequence runs no more; what it computed stays as an idle leaf, unless another has it all."""
        assert sequence.slot is not None
        self._num_settled = None
        leaf = self._leaves[sequence.slot]
        leaf.frozen_end, leaf.used_at, leaf.owner = leaf.end, now, None
        # a list of its own: the sequence may go on elsewhere
        leaf.tokens = leaf.tokens[: leaf.frozen_end]
        sequence.slot, sequence.num_computed = None, 0
        return (
            self._remove(leaf)
            if not self._can_share or self._is_redundant(leaf)
            else []
        )

    def evict(self, count: int) -> list[Action]:
        """Free at least `count` cells, or all that nobody runs on: from the ends of the oldest idle leaves."""
        actions: list[Action] = []
        self._num_settled = None
        while count > 0 and (leaf := self._oldest()):
            freed = min(count, leaf.end - leaf.start)
            count -= freed
            if freed == leaf.end - leaf.start:
                actions += self._remove(leaf)
            else:
                actions += self._trim(leaf, leaf.end - freed)
        return actions

    def _running(self) -> Iterator[Node]:
        return (leaf for leaf in self._leaves.values() if leaf.owner is not None)

    def _oldest(self, keep: Node | None = None) -> Node | None:
        """The idle leaf that was used longest ago."""
        idle = [
            leaf
            for leaf in self._leaves.values()
            if leaf.owner is None and leaf is not keep
        ]
        return min(idle, key=lambda leaf: leaf.used_at, default=None)

    def _take_slot(self, sequence: Sequence) -> list[Action]:
        """Have a slot for the sequence, without losing the prefix that it shares."""
        node, length = self.match(sequence.tokens)
        if oldest := self._oldest(keep=node):
            return self._remove(oldest)
        # the one idle leaf there is, which it then takes over
        return self._trim(node, length)

    def _branch(self, leaf: Node, node: Node) -> list[Action]:
        """Hang a new leaf where it begins, on or inside the edge of a node."""
        if leaf.start < node.end:
            node = self._split(node, leaf.start)
        elif node.slot is not None:
            # at the end of a running leaf, which will grow another way
            node = self._split(node, node.end)
        source = next((n.slot for n in node.below() if n.slot is not None), None)
        leaf.parent = node
        node.children.append(leaf)
        if not leaf.start:
            return []
        assert leaf.slot is not None
        assert source is not None
        return [Share(source, leaf.slot, leaf.start)]

    def _split(self, node: Node, at: int) -> Node:
        """Cut an edge in two; the upper part is new and inner, slots and owners stay below."""
        assert node.parent is not None
        upper = Node(node.tokens, node.start, at, parent=node.parent, children=[node])
        node.parent.children[node.parent.children.index(node)] = upper
        node.start, node.parent = at, upper
        return upper

    def _trim(self, leaf: Node, end: int) -> list[Action]:
        assert leaf.slot is not None
        leaf.frozen_end = end
        return [Remove(leaf.slot, end)]

    def _remove(self, leaf: Node) -> list[Action]:
        """Take an idle leaf away; an inner node left with one child becomes part of it."""
        assert leaf.slot is not None
        assert leaf.parent is not None
        parent = leaf.parent
        parent.children.remove(leaf)
        del self._leaves[leaf.slot]
        self._free_slots.append(leaf.slot)
        if parent.parent is not None and len(parent.children) == 1:
            (child,) = parent.children
            child.start, child.parent = parent.start, parent.parent
            parent.parent.children[parent.parent.children.index(parent)] = child
        return [Remove(leaf.slot)]

    def _is_redundant(self, leaf: Node) -> bool:
        """Whether the leaf's edge is empty or another's beginning."""
        assert leaf.parent is not None
        siblings = (
            node
            for node in leaf.parent.children
            if node is not leaf and node.end >= leaf.end
        )
        return leaf.start == leaf.end or any(
            common(leaf.tokens, other.tokens, leaf.start, leaf.end) == leaf.end
            for other in siblings
        )

    def check(self) -> None:
        """Cells owned fit the pool, leaves and slots belong together, and every edge hangs where it begins."""
        nodes = list(self._root.below())
        leaves = [
            node for node in nodes if not node.children and node is not self._root
        ]
        assert {id(leaf) for leaf in leaves} == {
            id(leaf) for leaf in self._leaves.values()
        }, self
        assert all(leaf.slot == slot for slot, leaf in self._leaves.items()), self
        assert not set(self._leaves) & set(self._free_slots), self
        for node in nodes:
            assert 0 <= node.start <= node.end, self
            assert all(
                child.parent is node and child.start == node.end
                for child in node.children
            ), self
            assert node is self._root or len(node.children) != 1, self
        assert (
            self.num_used
            == sum(node.end - node.start for node in nodes)
            <= self.num_cells
        ), self

    def __repr__(self) -> str:
        running = sum(1 for _ in self._running())
        idle = len(self._leaves) - running
        return f"<PrefixTree {running} running, {idle} idle, {self.num_used} of {self.num_cells} cells>"


def common(a: list[int], b: list[int], start: int, end: int) -> int:
    """Where two lists that agree before `start` stop agreeing, `end` at most: bisection by C comparison."""
    low, high = start, min(end, len(a), len(b))
    if a[low:high] == b[low:high]:
        return max(low, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle)
    return low
