"""Batch: the tokens that one decode computes."""

from __future__ import annotations

from dataclasses import dataclass, field

from ollapy.api.adapters import AdapterSet
from ollapy.grammar.constraint import Constraint

from .actions import Action
from .media import MediaChunk
from .sequence import Sequence


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Cells of a chunk, `count` of them from `offset` on, when it begins at `position`."""

    chunk: MediaChunk
    position: int
    offset: int
    count: int


@dataclass(slots=True)
class Batch:
    """Parallel lists, and whose tokens they are, all computed with the same adapters: of any number of sequences, or
    of one's media.

    `actions` come before the decode. `outputs` are the indices of the tokens whose logits are wanted,
    `rows` their sequences and positions in the same order: a sequence's last token is sampled from,
    those before it are its prompt's. With an `excerpt` its tokens are the placeholders of that, and only that
    says where they are.
    """

    adapters: AdapterSet = ()
    actions: list[Action] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    rows: list[tuple[Sequence, int]] = field(default_factory=list)
    parts: list[tuple[Sequence, int]] = field(default_factory=list)
    excerpt: Excerpt | None = None

    @property
    def constraints(self) -> list[Constraint]:
        """What the tokens that are sampled from this batch are held to."""
        return [
            sequence.constraint
            for sequence, position in self.rows
            if sequence.constraint and position == len(sequence.tokens) - 1
        ]

    def add(self, sequence: Sequence, count: int) -> None:
        """The next `count` pending tokens of a running sequence."""
        assert sequence.slot is not None
        start, end = sequence.num_computed, sequence.num_computed + count
        first = (
            start if sequence.scores_prompt else max(start, len(sequence.tokens) - 1)
        )
        offset = len(self.tokens) - start
        for index in range(first, end):
            self.outputs.append(offset + index)
            self.rows.append((sequence, index))
        self.tokens += sequence.tokens[start:end]
        position = sequence.position(start)
        self.positions += range(position, position + count)
        self.slots += [sequence.slot] * count
        self.parts.append((sequence, count))

    def add_medium(self, sequence: Sequence, count: int) -> None:
        """The next `count` cells of the chunk that comes next in a running sequence, which has the batch alone."""
        assert sequence.next_medium
        start, chunk = sequence.next_medium
        offset = sequence.num_computed - start
        self.excerpt = Excerpt(chunk, sequence.position(start), offset, count)
        self.add(sequence, count)
