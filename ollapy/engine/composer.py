"""Composer: which tokens of those who run the next batch has. Plain Python, no model."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .batch import Batch
from .media import MediaChunk
from .sequence import AGING, Sequence
from .turns import Turns


class Composer:
    """Makes batches of `max_batch` tokens and `max_outputs` rows of logits at most.

    `make_room` frees so many cells, or as many as there are, and says how many.
    """

    def __init__(
        self,
        make_room: Callable[[int], int],
        *,
        max_batch: int,
        max_outputs: int,
        is_ready: Callable[[MediaChunk], bool],
    ) -> None:
        self._make_room = make_room
        self._max_batch = max_batch
        self._max_outputs = max_outputs
        self._is_ready = is_ready  # whether a medium was encoded
        self._turns = Turns()
        self._has_seen = False  # whether the last batch was of media

    @property
    def num_sets(self) -> int:
        """Sets of adapters that take turns."""
        return self._turns.num_sets

    def compose(self, running: list[Sequence], room: int, now: float) -> Batch:
        """One token of everyone who generates, then so many of prompts.

        That is of those whose turn it is, where some are computed with other adapters than the rest.
        Media have batches of their own, which take turns with the others, once they are ready.
        """
        batch = self._next(running, room, now)
        for _ in range(self._turns.num_sets - 1):
            if not batch.tokens:
                self._turns.pass_on()
                batch = self._next(running, room, now)
        return batch

    def _next(self, running: list[Sequence], room: int, now: float) -> Batch:
        """One of text or one of media, of the other kind than the last where there is a choice."""
        adapters = self._turns.choose(running, now)
        chosen = [s for s in running if s.adapters == adapters]
        text, media = Batch(adapters), Batch(adapters)
        if self._has_seen or not self._add_medium(media, chosen, room, now):
            self._add_text(text, chosen, room, now)
        if self._has_seen and not text.tokens:
            self._add_medium(media, chosen, room, now)
        self._has_seen = bool(media.tokens)
        return media if media.tokens else text

    def _add_text(
        self, batch: Batch, chosen: list[Sequence], room: int, now: float
    ) -> None:
        # there is none for one alone that is as long as the pool
        for sequence in chosen if self._make_room(1) else ():
            if sequence.is_generating:
                batch.add(sequence, 1)
        room = min(room, self._max_batch - len(batch.tokens))
        reading = (s for s in chosen if not (s.is_generating or s.next_medium))
        for sequence in _in_order(reading, now):
            room -= self._add_prompt(batch, sequence, len(chosen), room)

    def _add_prompt(
        self, batch: Batch, sequence: Sequence, num_others: int, room: int
    ) -> int:
        """Add as much of a prompt as there is room, cells and rows of logits for; how much that was."""
        if sequence.scores_prompt:
            spoken_for = len(batch.outputs) + num_others
            room = min(room, max(self._max_outputs - spoken_for, 1))
        taken = len(batch.tokens)  # not computed yet, but their cells are spoken for
        wanted = taken + min(sequence.num_until_stop, room)
        count = self._make_room(wanted) - taken
        if count > 0:
            batch.add(sequence, count)
        return max(count, 0)

    def _add_medium(
        self, batch: Batch, chosen: list[Sequence], room: int, now: float
    ) -> bool:
        """Cells of the medium that is next; all of them where they see each other whatever their order."""
        seeing = (
            s for s in chosen if s.next_medium and self._is_ready(s.next_medium[1])
        )
        for sequence in _in_order(seeing, now):
            if count := self._cells_to_see(sequence, room):
                batch.add_medium(sequence, count)
                return True
        return False

    def _cells_to_see(self, sequence: Sequence, room: int) -> int:
        assert sequence.next_medium
        wanted = sequence.num_until_stop
        if sequence.next_medium[1].is_causal:
            return self._make_room(min(wanted, room, self._max_batch))
        return wanted if self._make_room(wanted) == wanted else 0


def _in_order(sequences: Iterable[Sequence], now: float) -> list[Sequence]:
    """The shortest first, with a bonus for waiting."""
    return sorted(sequences, key=lambda s: s.num_pending - AGING * (now - s.due))
