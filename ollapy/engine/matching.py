"""Matching: what of a prompt is resident, and from where it can be gone on. Plain Python, no model."""

from __future__ import annotations

from enum import Enum, auto

from ollapy.api.adapters import AdapterSet

from .checkpoints import Checkpoints
from .media import whole
from .node import Node, common
from .roots import Roots


class Reuse(Enum):
    """From where a sequence can go on with what another has computed."""

    ANYWHERE = auto()  # attention: each position has its own cells
    CHECKPOINT = auto()  # recurrent, hybrid and sliding-window models
    NOWHERE = auto()  # a decoder's cells mean nothing without its encoder's input


class Matching:
    """Looks through the trees of a pool."""

    def __init__(self, reuse: Reuse, roots: Roots, checkpoints: Checkpoints) -> None:
        self.reuse = reuse
        self._roots = roots
        self._checkpoints = checkpoints

    def match(self, tokens: list[int], adapters: AdapterSet) -> tuple[Node, int]:
        """The node whose path a sequence can go on from, and the length of the prefix it then has.

        The last token never counts: it must be computed for its logits.
        """
        match self.reuse:
            case Reuse.ANYWHERE:
                return self.longest(tokens, adapters)
            case Reuse.CHECKPOINT:
                return self._checkpoints.latest(self._roots.of(adapters), tokens)
            case Reuse.NOWHERE:
                return self._roots.of(adapters), 0

    def longest(self, tokens: list[int], adapters: AdapterSet) -> tuple[Node, int]:
        """The deepest node whose path begins as the tokens do, wherever they part."""
        node, length, most = self._roots.of(adapters), 0, len(tokens) - 1
        while node.children and length == node.end and length < most:
            ends = [
                common(tokens, child.tokens, length, min(child.end, most))
                for child in node.children
            ]
            furthest = max(ends)
            if furthest == length:
                break
            node, length = node.children[ends.index(furthest)], furthest
        return _uncut(node, length, tokens)

    def is_redundant(self, leaf: Node) -> bool:
        """Whether nobody could use an idle leaf, or another one's beginning does as well."""
        assert leaf.parent is not None
        if leaf.start == leaf.end or self.reuse is Reuse.NOWHERE:
            return True
        if self.reuse is Reuse.CHECKPOINT:  # no other has the state at its end
            return False
        siblings = (
            node
            for node in leaf.parent.children
            if node is not leaf and node.end >= leaf.end
        )
        return any(
            common(leaf.tokens, other.tokens, leaf.start, leaf.end) == leaf.end
            for other in siblings
        )


def _uncut(node: Node, length: int, tokens: list[int]) -> tuple[Node, int]:
    """As much of a shared beginning as cuts no picture in two."""
    length = whole(tokens, length)
    while node.parent is not None and length <= node.start:
        node = node.parent
    return node, length
