"""Scheduler: which tokens of which sequences the next decode computes. Plain Python, no model."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .prefix_tree import Action, PrefixTree, common
from .sequence import Sequence

# A prompt waits for another that is being read if they begin with this many tokens in common.
_WORTH_WAITING = 16
# The shortest prompt goes first, but each second of waiting counts as this many tokens less.
_AGING = 256.0


@dataclass(slots=True)
class Batch:
    """What one decode gets: parallel lists, and whose tokens they are.

    `actions` come before the decode. `outputs` are the indices of the tokens whose logits are wanted;
    `sampled` the sequences they belong to, in the same order.
    """

    actions: list[Action] = field(default_factory=list)
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
    """Hands out a pool of cells and slots to sequences.

    What a sequence has computed stays in the prefix tree when it ends, until the room is needed, and
    `max_idle` cells of it at most: attention passes over idle cells too, 2 ns each for every head and
    layer of a token on a CPU, so 16k of them slow a 0.5B model by a fifth. When all of that is gone the
    youngest gives up its slot and waits; its tokens, and so its answer, stay as they are, and so does
    what it computed, as long as there is room.
    """

    def __init__(self, tree: PrefixTree, *, max_batch: int, max_idle: int) -> None:
        self._tree = tree
        self._max_batch = max_batch
        self._max_idle = max_idle
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []  # in order of admission
        self._actions: list[Action] = []  # to be done before the next decode
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
    def num_generating(self) -> int:
        """Sequences whose next token comes with the next batch."""
        return sum(s.num_pending == 1 for s in self._running)

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence whose limit does not pass the pool."""
        assert 0 < sequence.num_prompt < sequence.limit <= self._tree.num_cells
        self._waiting.append(sequence)

    def remove(self, sequence: Sequence, now: float) -> None:
        """Take out a sequence that has finished or is no longer wanted."""
        if sequence.slot is None:
            self._waiting.remove(sequence)
        else:
            self._running.remove(sequence)
            self._actions += self._tree.detach(sequence, now)
            self._actions += self._tree.evict(
                self._tree.num_used - self._tree.num_pinned - self._max_idle
            )

    def schedule(self, *, now: float, max_prompt: int) -> Batch:
        """The next batch: one token of everyone who generates, then prompts, then newcomers.

        Of prompts it takes `max_prompt` tokens while anybody generates, and all that fits while nobody
        does. Nothing counts as computed before `commit`.
        """
        while (
            self._make_room(self.num_generating) < self.num_generating
            and self.num_running > 1
        ):
            self.preempt(now)
        batch = Batch()
        for sequence in self._running:
            if sequence.num_pending == 1:
                batch.add(sequence, 1)
        room = (
            min(max_prompt, self._max_batch - len(batch.tokens))
            if batch.tokens
            else self._max_batch
        )
        self._add_prompts(batch, room, now)
        batch.actions, self._actions = self._actions, []
        return batch

    def commit(self, batch: Batch) -> None:
        """The batch has been computed."""
        for sequence, count in batch.parts:
            sequence.num_computed += count

    def preempt(self, now: float) -> None:
        """Send the youngest running sequence back to the head of the queue."""
        sequence = self._running.pop()
        self._actions += self._tree.detach(sequence, now)
        self._waiting.appendleft(sequence)
        self.num_preemptions += 1

    def _make_room(self, count: int) -> int:
        """Evict until `count` cells are free; how many of them are."""
        free = self._tree.num_cells - self._tree.num_used
        if free < count:
            self._actions += self._tree.evict(count - free)
            free = self._tree.num_cells - self._tree.num_used
        return min(free, count)

    def _add_prompts(self, batch: Batch, room: int, now: float) -> None:
        reading = [s for s in self._running if s.num_pending > 1]
        reading.sort(key=lambda s: s.num_pending - _AGING * (now - s.arrived_at))
        for sequence in reading:
            room -= self._add_prompt(batch, sequence, room)
        for sequence in list(self._waiting):
            if room <= 0 or not self._tree.can_attach:
                return
            if self._follows(sequence):
                continue
            if not self._fits(sequence):
                return
            self._admit(sequence)
            room -= self._add_prompt(batch, sequence, room)

    def _add_prompt(self, batch: Batch, sequence: Sequence, room: int) -> int:
        taken = len(batch.tokens)  # not computed yet, but their cells are spoken for
        count = self._make_room(taken + min(sequence.num_pending, room)) - taken
        if count > 0:
            batch.add(sequence, count)
        return max(count, 0)

    def _admit(self, sequence: Sequence) -> None:
        self._waiting.remove(sequence)
        self._actions += self._tree.attach(sequence)
        self._running.append(sequence)
        if sequence.num_cached is None:
            sequence.num_cached = sequence.num_computed

    def _follows(self, sequence: Sequence) -> bool:
        """Whether somebody is reading a prompt that begins as this one does: it is read once."""
        for other in self._running:
            if other.num_pending > 1:
                end = min(other.num_prompt, len(sequence.tokens) - 1)
                shared = common(sequence.tokens, other.tokens, 0, end)
                if shared >= _WORTH_WAITING and shared > other.num_computed:
                    return True
        return False

    def _fits(self, sequence: Sequence) -> bool:
        """Whether all its tokens fit beside what those who run still have to compute."""
        if not self._running:
            return True
        promised = sum(s.num_pending for s in self._running) + len(self._running) + 1
        return (
            self._tree.num_pinned + promised + self._tree.num_unpinned(sequence.tokens)
            <= self._tree.num_cells
        )

    def check(self) -> None:
        """The invariants: of the tree, and that those who wait hold nothing."""
        self._tree.check()
        held = [s.slot for s in self._running]
        assert None not in held, self
        assert len(set(held)) == len(held), self
        assert all(s.slot is None and s.num_computed == 0 for s in self._waiting), self

    def __repr__(self) -> str:
        return f"<Scheduler {self.num_running} running, {self.num_waiting} waiting, {self._tree!r}>"
