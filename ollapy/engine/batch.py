"""Batch: the tokens that one decode computes."""

from __future__ import annotations

from dataclasses import dataclass, field

from ollapy.api.adapters import AdapterSet
from ollapy.grammar.constraint import Constraint

from .prefix_tree import Action
from .sequence import Sequence


@dataclass(slots=True)
class Batch:
    """What one decode gets: parallel lists, and whose tokens they are, all computed with the same adapters.

    `actions` come before the decode. `outputs` are the indices of the tokens whose logits are wanted,
    `rows` their sequences and positions in the same order: a sequence's last token is sampled from,
    those before it are its prompt's.
    """

    adapters: AdapterSet = ()
    actions: list[Action] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    rows: list[tuple[Sequence, int]] = field(default_factory=list)
    parts: list[tuple[Sequence, int]] = field(default_factory=list)

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
        for position in range(first, end):
            self.outputs.append(offset + position)
            self.rows.append((sequence, position))
        self.tokens += sequence.tokens[start:end]
        self.positions += range(start, end)
        self.slots += [sequence.slot] * count
        self.parts.append((sequence, count))
