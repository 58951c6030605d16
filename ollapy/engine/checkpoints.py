"""Checkpoints: from where a model that cannot be cut back can go on, and where it is worth remembering."""

from __future__ import annotations

from .media import whole
from .node import Checkpoint, Node, common
from .roots import Roots
from .sequence import Sequence

# A prompt's last tokens open the model's turn, and the next turn's template may write them otherwise.
_TAIL = 8
MAX_BYTES = 256 << 20
_EVERY = 2048  # between two checkpoints of a long prompt
_LEAST = 32  # tokens that are read again as fast as a checkpoint is restored


class Checkpoints:
    """The copies of the model's state that are kept along the edges of all trees.

    Of all of them together there are `max_bytes` at most; the least recently used go.
    """

    def __init__(self, roots: Roots, max_bytes: int = MAX_BYTES) -> None:
        self._roots = roots
        self._max_bytes = max_bytes

    def latest(self, root: Node, tokens: list[int]) -> tuple[Node, int]:
        """The last checkpoint on a path from a root that begins as the tokens do, or an idle leaf's end."""
        node, length = root, 0
        for other in root.below():
            shared = _shared(other, tokens)
            kept = other.checkpoint(shared)
            if other.is_idle and length <= other.end == shared:
                node, length = other, shared
            elif kept and kept.position > length:
                node, length = other, kept.position
        return node, length

    def plan(self, sequence: Sequence) -> None:
        """Choose where a sequence that is about to be admitted will leave checkpoints.

        Where it parts from anything resident, as what two have shared a third will share (Marconi,
        arXiv 2411.19379); shortly before its prompt's end, for its next turn; and along the way.
        """
        length, root = len(sequence.tokens), self._roots.of(sequence.adapters)
        parting = max(_shared(node, sequence.tokens) for node in root.below())
        wanted = (parting, length - _TAIL, *range(_EVERY, length, _EVERY))
        sequence.checkpoints = {
            whole(sequence.tokens, p) for p in wanted if p >= _LEAST
        } - {0}

    def keep(self, leaf: Node, state: bytes, now: float) -> None:
        """Remember the state at a running leaf's end."""
        leaf.checkpoints.append(Checkpoint(leaf.end, state, now))
        kept = [(c, node) for node in self._roots.below() for c in node.checkpoints]
        excess = sum(len(c.state) for c, _ in kept) - self._max_bytes
        for oldest, node in sorted(kept, key=lambda pair: pair[0].used_at):
            if excess <= 0:
                return
            node.checkpoints.remove(oldest)
            excess -= len(oldest.state)


def _shared(node: Node, tokens: list[int]) -> int:
    """How many tokens a path through the node has in common with others, their last not counted."""
    return common(tokens, node.tokens, 0, min(node.end, len(tokens) - 1))
