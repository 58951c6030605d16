"""PrefixTree: every token whose KV cells are resident, whoever computed it, running or idle.

    root ─ [0,40) system prompt ─┬─ [40,90) a chat, idle             slot 3
                                 ├─ [40,61) a running sequence ──▶   slot 0   (grows as it computes)
                                 └─ [40,40) one that just joined     slot 5

A node owns the cells of its edge, the positions from `start` to `end`: computed once, shared by all
below. Each leaf has a slot, llama.cpp's sequence id, which holds the cells of the whole path from the
root. An inner node has none; it lives by the leaves below it, two at least. What is computed with other
adapters has another root.

Where a model cannot be cut back to any position, a newcomer joins at a checkpoint, and siblings may
begin alike: what lies between the checkpoint and where they differ is then computed and held twice.

Plain Python. What llama.cpp has to do is returned as actions, in order, before the next decode.
"""

from __future__ import annotations

from collections.abc import Iterator

from ollapy.api.adapters import AdapterSet

from .actions import Action, Keep, Remove, Share
from .checkpoints import MAX_BYTES, Checkpoints
from .leaves import Leaves
from .matching import Matching, Reuse
from .media import position, whole
from .node import Checkpoint, Node
from .path import Path
from .roots import Roots
from .sequence import Sequence

# Own tokens of a leaf that are worth being kept elsewhere.
_WORTH_KEEPING = 64


class PrefixTree:
    """The resident tokens of one pool of cells, and the slots that hold them."""

    def __init__(
        self,
        *,
        num_cells: int,
        num_slots: int,
        reuse: Reuse = Reuse.ANYWHERE,
        max_state_bytes: int = MAX_BYTES,
    ) -> None:
        self.num_cells = num_cells
        self.reuse = reuse
        self._roots = Roots()
        self._checkpoints = Checkpoints(self._roots, max_state_bytes)
        self._matching = Matching(reuse, self._roots, self._checkpoints)
        self._leaves = Leaves(num_slots)
        # cells used but for what running leaves compute; None: count again
        self._num_settled: int | None = 0

    @property
    def num_used(self) -> int:
        """Cells that hold a token. Asked in every step, so only what grows is counted each time."""
        if self._num_settled is None:
            nodes = self._roots.below()
            self._num_settled = sum(
                (0 if node.owner else node.frozen_end) - node.start for node in nodes
            )
        return self._num_settled + sum(leaf.end for leaf in self._leaves.running)

    @property
    def num_pinned(self) -> int:
        """Cells that running sequences need; the others may be evicted."""
        nodes = {
            id(node): node for leaf in self._leaves.running for node in leaf.path()
        }
        return sum(node.end - node.start for node in nodes.values())

    def num_unpinned(self, sequence: Sequence) -> int:
        """Cells that a sequence would need beyond those that running ones hold already."""
        node, length = self.match(sequence.tokens, sequence.adapters)
        shared = (
            min(n.end, length)
            for n in node.path()
            if any(leaf.owner for leaf in n.below())
        )
        return len(sequence.tokens) - max(shared, default=0)

    @property
    def can_attach(self) -> bool:
        """Whether there is a slot for one more sequence, or an idle leaf to take one from."""
        return self._leaves.can_add

    @property
    def vacant_slot(self) -> int | None:
        """The one that is taken next."""
        return self._leaves.vacant_slot

    @property
    def positions(self) -> dict[int, int]:
        """How many positions each slot holds."""
        return self._leaves.positions

    def match(self, tokens: list[int], adapters: AdapterSet = ()) -> tuple[Node, int]:
        """The node whose path a sequence can go on from, and the length of the prefix it then has."""
        return self._matching.match(tokens, adapters)

    def longest(self, tokens: list[int], adapters: AdapterSet) -> tuple[Node, int]:
        """The deepest node whose path begins as the tokens do, wherever they part."""
        return self._matching.longest(tokens, adapters)

    def plan(self, sequence: Sequence) -> None:
        """Choose where a sequence that is about to be admitted will stop for a checkpoint."""
        if self.reuse is Reuse.CHECKPOINT:
            self._checkpoints.plan(sequence)

    def keep(self, sequence: Sequence, state: bytes, now: float) -> None:
        """Remember the model's state at what a running sequence has computed."""
        self._checkpoints.keep(self._leaves[sequence.slot], state, now)

    def attach(self, sequence: Sequence, now: float) -> list[Action]:
        """Give a sequence a slot, and as many computed tokens as are resident and of use to it."""
        self._num_settled = None
        has_slot = self._leaves.vacant_slot is not None
        actions = [] if has_slot else self._take_slot(sequence)
        node, length = self._find(sequence)
        if self._leaves.vacant_slot is None:
            # what is left of the one idle leaf; another may begin alike
            node = self._leaves.oldest() or node
        if node.is_idle and length == node.end:
            leaf = node  # idle, and the sequence goes on from its end: its own now
        else:
            leaf = Node(sequence.tokens, length, length)
            self._leaves.add(leaf)
            actions += self._branch(leaf, node, now)
        leaf.tokens, leaf.owner = sequence.tokens, sequence
        leaf.asked_by, leaf.is_kept = sequence.asked_by, False
        sequence.slot, sequence.num_computed = leaf.slot, length
        return actions

    def detach(self, sequence: Sequence, now: float) -> list[Action]:
        """The sequence runs no more; what it computed stays as an idle leaf, unless another has it all."""
        # nobody goes on from the middle of a picture
        is_cut = whole(sequence.tokens, sequence.num_computed) < sequence.num_computed
        actions = self.rewind(sequence) if is_cut else []
        if sequence.slot is None:  # it had nothing else
            return actions
        self._num_settled = None
        leaf = self._leaves[sequence.slot]
        leaf.frozen_end, leaf.used_at, leaf.owner = leaf.end, now, None
        # a list of its own: the sequence may go on elsewhere
        leaf.tokens = leaf.tokens[: leaf.frozen_end]
        sequence.slot, sequence.num_computed = None, 0
        if self._matching.is_redundant(leaf):
            actions += self._remove(leaf)
        return actions

    def rewind(self, sequence: Sequence) -> list[Action]:
        """A running sequence's decode was given up half-way: back to what is certain.

        That is what it had computed, or the last checkpoint of its own; without one it loses its slot.
        """
        assert sequence.slot is not None
        self._num_settled = None
        leaf = self._leaves[sequence.slot]
        if self.reuse is Reuse.ANYWHERE:
            sequence.num_computed = whole(leaf.tokens, leaf.end)
            return [Remove(sequence.slot, position(leaf.tokens, leaf.end))]
        if kept := leaf.checkpoint(leaf.end):
            sequence.num_computed = kept.position
            end = position(leaf.tokens, kept.position)
            return [Share(sequence.slot, sequence.slot, end, kept.state)]
        leaf.frozen_end, leaf.owner = leaf.start, None
        sequence.slot, sequence.num_computed = None, 0
        return self._remove(leaf)

    def evict(self, count: int) -> list[Action]:
        """Free at least `count` cells, or all that nobody runs on: from the ends of the oldest idle leaves."""
        actions: list[Action] = []
        self._num_settled = None
        while count > 0 and (leaf := self._leaves.oldest()):
            # all of it goes, or as much as is asked for, and then that was the last
            length = leaf.end - leaf.start
            actions += self._kept(leaf)
            actions += self._cut(leaf, leaf.end - count)
            count -= length
        return actions

    def vacate(self, count: int) -> list[Action]:
        """Have a slot and so many cells free, of those that nobody runs on."""
        actions: list[Action] = []
        if self._leaves.vacant_slot is None and (oldest := self._leaves.oldest()):
            self._num_settled = None
            actions = [*self._kept(oldest), *self._remove(oldest)]
        return actions + self.evict(count + self.num_used - self.num_cells)

    def adopt(self, path: Path) -> list[Action]:
        """Make an idle leaf of the path that the vacant slot holds, with the cells of others where they begin alike."""
        self._num_settled = None
        now, node, length = path.used_at, self._roots.of(path.adapters), 0
        if self.reuse is Reuse.ANYWHERE:
            node, length = self.longest(path.tokens, path.adapters)
        leaf = Node(path.tokens, length, len(path.tokens), path.asked_by)
        leaf.used_at, leaf.is_kept = now, True
        leaf.checkpoints = [
            Checkpoint(at, state, now) for at, state in path.states.items()
        ]
        slot = self._leaves.add(leaf)
        actions: list[Action] = [Remove(slot, 0, length)] if length else []
        actions += self._branch(leaf, node, now)
        if node.is_idle and self._matching.is_redundant(node):
            actions += self._remove(node)
        return actions

    def paths(self) -> Iterator[tuple[int, Path]]:
        """What is only here and worth keeping elsewhere, of idle leaves, with their slots."""
        for leaf in self._leaves:
            for keep in self._kept(leaf):
                yield keep.slot, keep.path

    def _kept(self, leaf: Node) -> list[Keep]:
        """That a leaf's path is kept before its cells go, once, and where that is not too little."""
        if leaf.is_kept or not leaf.is_idle or leaf.end - leaf.start < _WORTH_KEEPING:
            return []
        tokens = leaf.tokens[: leaf.end]
        if min(tokens) < 0:  # a picture's cells: where they are is not in their state
            return []
        *_, root = nodes = [*leaf.path()]
        states = {c.position: c.state for node in nodes for c in node.checkpoints}
        assert leaf.slot is not None
        leaf.is_kept = True
        adapters = self._roots.adapters(root)
        path = Path(tokens, adapters, leaf.asked_by, leaf.used_at, states)
        return [Keep(leaf.slot, path)]

    def _find(self, sequence: Sequence) -> tuple[Node, int]:
        """What a sequence can go on from; one that wants its whole prompt scored must compute it all."""
        if sequence.scores_prompt:
            return self._roots.of(sequence.adapters), 0
        return self.match(sequence.tokens, sequence.adapters)

    def _take_slot(self, sequence: Sequence) -> list[Action]:
        """Have a slot for the sequence, without losing the prefix that it shares."""
        node, length = self._find(sequence)
        if oldest := self._leaves.oldest(keep=node):
            return [*self._kept(oldest), *self._remove(oldest)]
        # the one idle leaf there is, which it then takes over
        return self._cut(node, length)

    def _branch(self, leaf: Node, node: Node, now: float) -> list[Action]:
        """Hang a new leaf where it begins, on or inside the edge of a node."""
        if leaf.start < node.end:
            node = node.split(leaf.start)
        elif node.slot is not None:
            # at the end of a running leaf, which will grow another way
            node = node.split(node.end)
        source = next((n.slot for n in node.below() if n.slot is not None), None)
        leaf.parent = node
        node.children.append(leaf)
        if not leaf.start:
            return []
        assert leaf.slot is not None
        assert source is not None
        end = position(leaf.tokens, leaf.start)
        if not (kept := node.checkpoint(leaf.start)):
            return [Share(source, leaf.slot, end)]
        kept.used_at = now
        return [Share(source, leaf.slot, end, kept.state)]

    def _cut(self, leaf: Node, end: int) -> list[Action]:
        """Take an idle leaf back to a position, or away where nothing or nothing usable would be left."""
        assert leaf.slot is not None
        end = whole(leaf.tokens, end)
        if end <= leaf.start or (end < leaf.end and self.reuse is not Reuse.ANYWHERE):
            return self._remove(leaf)
        leaf.frozen_end = end
        return [Remove(leaf.slot, position(leaf.tokens, end))]

    def _remove(self, leaf: Node) -> list[Action]:
        """Take an idle leaf away; an inner node left with one child becomes part of it."""
        assert leaf.slot is not None
        assert leaf.parent is not None
        parent = leaf.parent
        parent.children.remove(leaf)
        self._leaves.remove(leaf)
        if parent.parent is not None and len(parent.children) == 1:
            parent.children[0].absorb(parent)
        return [Remove(leaf.slot)]

    def check(self) -> None:
        """Cells owned fit the pool, leaves and slots belong together, and every edge hangs where it begins."""
        nodes = list(self._roots.below())
        leaves = [node for node in nodes if not node.children and node.parent]
        assert {*map(id, leaves)} == {*map(id, self._leaves)}, self
        self._leaves.check()
        for node in nodes:
            node.check()
        assert (
            self.num_used
            == sum(node.end - node.start for node in nodes)
            <= self.num_cells
        ), self

    def __repr__(self) -> str:
        running = sum(1 for _ in self._leaves.running)
        idle = len(self._leaves) - running
        return f"<PrefixTree {running} running, {idle} idle, {self.num_used} of {self.num_cells} cells>"
