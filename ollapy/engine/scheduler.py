"""Scheduler: which tokens of which sequences the next decode computes. Plain Python, no model."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .sequence import Sequence

# While somebody is generating, prompts are read in pieces of this share of a batch, so that a long
# prompt does not stop the answers that are under way.
_PREFILL_SHARE = 8


@dataclass(slots=True)
class Batch:
    """What one decode gets: parallel lists, and whose tokens they are.

    `released` slots are to be emptied before the decode. `outputs` are the indices of the tokens whose
    logits are wanted; `sampled` the sequences they belong to, in the same order.
    """

    released: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    sampled: list[Sequence] = field(default_factory=list)
    parts: list[tuple[Sequence, int]] = field(default_factory=list)

    def add(self, sequence: Sequence, count: int) -> None:
        """The next `count` pending tokens of a running sequence."""
        assert sequence.slot is not None
        start, end = sequence.num_computed, sequence.num_computed + count
        self.tokens += sequence.tokens[start:end]
        self.positions += range(start, end)
        self.slots += [sequence.slot] * count
        self.parts.append((sequence, count))
        if count == sequence.num_pending:
            self.outputs.append(len(self.tokens) - 1)
            self.sampled.append(sequence)


class Scheduler:
    """Hands out a pool of cells and slots to sequences, first come first served.

    A running sequence holds one slot and `num_computed` cells. When the pool is full the youngest gives
    its cells back and waits to compute them again; its tokens, and so its answer, stay as they are.
    """

    def __init__(self, *, num_cells: int, max_sequences: int, max_batch: int) -> None:
        self._num_cells = num_cells
        self._max_batch = max_batch
        self._free_slots = list(range(max_sequences - 1, -1, -1))
        self._released: list[int] = []
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []  # in order of admission
        self.num_preemptions = 0

    @property
    def num_waiting(self) -> int:
        """Sequences without a slot."""
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        """Sequences with a slot."""
        return len(self._running)

    @property
    def num_free_cells(self) -> int:
        """Cells that nobody holds."""
        return self._num_cells - sum(s.num_computed for s in self._running)

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence whose limit does not pass the pool."""
        assert 0 < sequence.num_prompt < sequence.limit <= self._num_cells
        self._waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Take out a sequence that has finished or is no longer wanted."""
        if sequence.slot is None:
            self._waiting.remove(sequence)
        else:
            self._running.remove(sequence)
            self._release(sequence)

    def schedule(self) -> Batch:
        """The next batch: every sequence that generates, then prompts in order, then newcomers.

        Changes nothing about what is computed; call `commit` once the batch has been.
        """
        while len(self._running) > 1 and self.num_free_cells < len(self._running):
            self.preempt()
        released, self._released = self._released, []
        batch = Batch(released)
        for sequence in self._running:
            if sequence.num_pending == 1:
                batch.add(sequence, 1)
        room = min(self.num_free_cells, self._max_batch) - len(batch.tokens)
        if batch.tokens:
            room = min(room, max(1, self._max_batch // _PREFILL_SHARE))
        self._add_prompts(batch, room)
        return batch

    def commit(self, batch: Batch) -> None:
        """The batch has been computed."""
        for sequence, count in batch.parts:
            sequence.num_computed += count

    def preempt(self) -> Sequence:
        """Send the youngest running sequence back to the head of the queue, its cells given up."""
        sequence = self._running.pop()
        self._release(sequence)
        self._waiting.appendleft(sequence)
        self.num_preemptions += 1
        return sequence

    def _add_prompts(self, batch: Batch, room: int) -> None:
        for sequence in self._running:
            if sequence.num_pending > 1 and room > 0:
                count = min(sequence.num_pending, room)
                batch.add(sequence, count)
                room -= count
        while room > 0 and (newcomer := self._admit()):
            count = min(newcomer.num_pending, room)
            batch.add(newcomer, count)
            room -= count

    def _admit(self) -> Sequence | None:
        """Give the first in the queue a slot, if all its tokens fit beside what is running."""
        if not self._waiting or not self._free_slots:
            return None
        promised = sum(s.num_pending for s in self._running)
        if self._running and self.num_free_cells < promised + self._waiting[
            0
        ].num_pending + len(self._running):
            return None
        sequence = self._waiting.popleft()
        sequence.slot = self._free_slots.pop()
        self._running.append(sequence)
        return sequence

    def _release(self, sequence: Sequence) -> None:
        assert sequence.slot is not None
        self._released.append(sequence.slot)
        self._free_slots.append(sequence.slot)
        sequence.slot, sequence.num_computed = None, 0

    def check(self) -> None:
        """The invariants: cells held fit the pool, and every slot is either free or one sequence's."""
        held = [s.slot for s in self._running]
        assert len({*held, *self._free_slots}) == len(held) + len(self._free_slots), (
            self
        )
        assert all(s.slot is None and s.num_computed == 0 for s in self._waiting), self
        assert self.num_free_cells >= 0, self

    def __repr__(self) -> str:
        return f"<Scheduler {self.num_running} running, {self.num_waiting} waiting, {self.num_free_cells} cells free>"
