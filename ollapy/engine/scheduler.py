"""Scheduler: who has a slot and cells, who waits, and who gives way. Plain Python, no model."""

from __future__ import annotations

from collections.abc import Callable

from .actions import Action, Keep
from .batch import Batch
from .composer import Composer
from .divergence import divergence
from .following import Leader, leader
from .matching import Reuse
from .media import MediaChunk, whole
from .pool import Demand, demand
from .prefix_tree import PrefixTree
from .sequence import Sequence, Wait

# Of those who wait so many may be admitted soon, and have a use for cells.
_MAX_QUEUED = 8


class Scheduler:
    """Hands out a pool of cells and slots to sequences.

    What a sequence has computed stays in the prefix tree when it ends, until the room is needed, and
    `max_idle` cells of it at most: attention passes over idle cells too, 2 ns each for every head and
    layer of a token on a CPU, so 16k of them slow a 0.5B model by a fifth. When all of that is gone the
    youngest gives up its slot and waits; its tokens, and so its answer, stay as they are, and so does
    what it computed, as long as there is room. `max_running` have one at a time, if it is not 0.
    """

    def __init__(
        self,
        tree: PrefixTree,
        *,
        max_batch: int,
        max_outputs: int,
        max_idle: int,
        max_running: int = 0,
        is_ready: Callable[[MediaChunk], bool] = lambda _: True,
    ) -> None:
        self._tree = tree
        self._composer = Composer(
            self._make_room,
            max_batch=max_batch,
            max_outputs=max_outputs,
            is_ready=is_ready,
        )
        self._max_idle = max_idle
        self._max_running = max_running
        self._waiting: list[Sequence] = []
        self._running: list[Sequence] = []  # in order of admission
        self._actions: list[Action] = []  # to be done before the next decode
        self.num_preemptions = 0

    @property
    def tree(self) -> PrefixTree:
        """What is resident."""
        return self._tree

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
        return sum(s.is_generating for s in self._running)

    @property
    def positions(self) -> dict[int, int]:
        """How many positions each slot holds, once the actions are done."""
        return self._tree.positions

    @property
    def stats(self) -> dict[str, int]:
        """How things stand."""
        return {
            "running": self.num_running,
            "waiting": self.num_waiting,
            "preemptions": self.num_preemptions,
            "cells": self._tree.num_cells,
            "used_cells": self._tree.num_used,
            "pinned_cells": self._tree.num_pinned,
        }

    @property
    def num_sets(self) -> int:
        """Sets of adapters that take turns."""
        return self._composer.num_sets

    @property
    def demand(self) -> Demand:
        """What cells there is a use for."""
        queue = self._waiting if self._has_slot else []
        first = sorted(queue, key=lambda s: s.due)[:_MAX_QUEUED]
        for_themselves = [s for s in first if not leader(s, self._running)]
        return demand(self._tree, self._running, for_themselves)

    @property
    def num_held(self) -> int:
        """Cells without which somebody who runs would be sent back, or not be able to go on."""
        pending = sum(s.num_pending for s in self._running)
        return max(self._tree.num_pinned + pending, self.demand.longest)

    def has_room(self, count: int) -> bool:
        """Whether a slot and so many cells can be free beside what those who run still have to compute."""
        return (
            self._has_slot
            and self._tree.num_pinned + self._num_promised + count
            <= self._tree.num_cells
        )

    @property
    def _has_slot(self) -> bool:
        """Whether one more may run."""
        is_allowed = not self._max_running or self.num_running < self._max_running
        return is_allowed and self._tree.can_attach

    @property
    def _num_promised(self) -> int:
        """Cells for what those who run, and one more, have to compute, and for the next token of each."""
        return sum(s.num_pending for s in self._running) + len(self._running) + 1

    @property
    def oversized(self) -> list[Sequence]:
        """Those that are longer than the pool."""
        everybody = (*self._running, *self._waiting)
        return [s for s in everybody if len(s.tokens) > self._tree.num_cells]

    def resize(self, num_cells: int) -> None:
        """The pool is about to have so many cells: what would not fit is forgotten; it is more than runs needs."""
        self._actions += self._tree.evict(self._tree.num_used - num_cells)
        self._tree.num_cells = num_cells

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence; one that is longer than the pool waits for a larger one."""
        assert 0 < sequence.num_prompt < sequence.limit
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

    def schedule(self, *, now: float, max_prompt: int, max_alone: int) -> Batch:
        """The next batch, of those who run and of whoever can join them now.

        Of prompts it takes `max_prompt` tokens while anybody generates, `max_alone` while nobody does.
        Nothing counts as computed before `commit`.
        """
        self._give_way(now)
        self._admit_waiting(now)
        generating = self.num_generating
        # one at least goes on, also where forced tokens have taken what was promised to a prompt
        while (
            self.num_running > 1
            and self._make_room(wanted := max(generating, 1)) < wanted
        ):
            self.preempt(now)
            generating = self.num_generating
        room = max_prompt if generating else max_alone
        batch = self._composer.compose(self._running, room, now)
        batch.actions = self.take_actions()
        return batch

    def take_actions(self) -> list[Action]:
        """What is still to be done in the model's memory, in order; the caller does it."""
        actions, self._actions = self._actions, []
        return actions

    def commit(self, batch: Batch) -> list[Sequence]:
        """The batch has been computed; those that have reached a checkpoint."""
        for sequence, count in batch.parts:
            sequence.num_computed += count
        return [s for s, _ in batch.parts if s.num_computed in s.checkpoints]

    def keep(self, sequence: Sequence, state: bytes, now: float) -> None:
        """The model's state at the checkpoint that a running sequence has reached."""
        self._tree.keep(sequence, state, now)

    def rewind(self, batch: Batch) -> None:
        """The batch was given up half-way: its sequences go back to what is certain."""
        for sequence, _ in batch.parts:
            self._actions += self._tree.rewind(sequence)
            if sequence.slot is None:
                self._running.remove(sequence)
                self._waiting.append(sequence)

    def preempt(self, now: float) -> None:
        """Send the youngest running sequence, or rather a background one, back to the queue."""
        youngest = max(self._running, key=lambda s: s.due)
        self._suspend(youngest, now)
        youngest.num_preemptions += 1
        self.num_preemptions += 1

    def shift(self, sequence: Sequence, now: float) -> None:
        """Make room in a sequence's full context by dropping an early part of it.

        What follows that part is computed again: moved cells would still hold what the model made of
        the dropped tokens, and other sequences may share them.
        """
        if sequence.slot is not None:
            self._suspend(sequence, now)
        sequence.shift()

    def forget(self, now: float) -> None:
        """What has been computed is not to be trusted any more: whoever runs computes it again."""
        for sequence in list(self._running):
            self._suspend(sequence, now)
        actions = self._actions + self._tree.evict(self._tree.num_used)
        self._actions = [a for a in actions if not isinstance(a, Keep)]

    def _suspend(self, sequence: Sequence, now: float) -> None:
        self._running.remove(sequence)
        self._actions += self._tree.detach(sequence, now)
        self._waiting.append(sequence)

    def _give_way(self, now: float) -> None:
        """Preempt background work for an interactive sequence that would have to wait for it."""
        first = min(self._waiting, key=lambda s: s.due, default=None)
        if first is None or first.is_background:
            return
        while any(s.is_background and s.due > first.due for s in self._running):
            if self._can_admit(first):
                return
            self.preempt(now)

    def _make_room(self, count: int) -> int:
        """Evict until `count` cells are free; how many of them are."""
        free = self._tree.num_cells - self._tree.num_used
        if free < count:
            self._actions += self._tree.evict(count - free)
            free = self._tree.num_cells - self._tree.num_used
        return min(free, count)

    def _admit_waiting(self, now: float) -> None:
        """Admit who waits, in order; who waits for another's prompt lets others pass."""
        waiting = sorted(self._waiting, key=lambda s: s.due)
        for place, sequence in enumerate(waiting):
            if found := leader(sequence, self._running):
                self._follow(sequence, found)
            elif self._can_admit(sequence):
                self._admit(sequence, now)
            else:
                for blocked in waiting[place:]:
                    blocked.wait_for(self._running, Wait.ROOM)
                return

    def _admit(self, sequence: Sequence, now: float) -> None:
        self._waiting.remove(sequence)
        if sequence.num_cached is None:
            found = self._tree.longest(sequence.tokens, sequence.adapters)
            sequence.divergence = divergence(*found, sequence)
        self._tree.plan(sequence)
        self._actions += self._tree.attach(sequence, now)
        self._running.append(sequence)
        if sequence.num_cached is None:
            sequence.num_cached = sequence.num_computed

    def _follow(self, sequence: Sequence, found: Leader) -> None:
        """Let a sequence wait for what another reads for both, which stops where it can be gone on from."""
        other = found.sequence
        if self._tree.reuse is Reuse.CHECKPOINT:
            other.checkpoints.add(whole(other.tokens, found.shared))
        sequence.wait_for([other], Wait.PROMPT)

    def _can_admit(self, sequence: Sequence) -> bool:
        """Whether there is a slot, and all its tokens fit beside what those who run still have to compute."""
        if not self._running:
            return len(sequence.tokens) <= self._tree.num_cells
        return self.has_room(self._tree.num_unpinned(sequence))

    def check(self) -> None:
        """The invariants: of the tree, and that those who wait hold nothing."""
        self._tree.check()
        held = [s.slot for s in self._running]
        assert None not in held, self
        assert len(set(held)) == len(held), self
        assert all(s.slot is None and s.num_computed == 0 for s in self._waiting), self

    def __repr__(self) -> str:
        return f"<Scheduler {self.num_running} running, {self.num_waiting} waiting, {self._tree!r}>"
