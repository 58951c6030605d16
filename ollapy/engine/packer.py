"""Packer: which texts, or which parts of them, the next decode embeds. Plain Python, no model."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ollapy.api.adapters import AdapterSet
from ollapy.errors import OllapyError

from .sequence import AGING, BACKGROUND_DELAY


@dataclass(slots=True, eq=False)
class EmbedJob:
    """The texts of one request as tokens, and what the model makes of them as it comes, in order.

    That is vectors of length 1, of which `dimensions` numbers are kept (0: all); with `scores` it is
    what a reranker gives, as it is.
    """

    id: int
    inputs: list[list[int]]
    dimensions: int = 0
    scores: bool = False
    is_background: bool = True
    adapters: AdapterSet = ()
    arrived_at: float = field(default_factory=time.monotonic)
    vectors: list[list[float]] = field(default_factory=list)
    error: OllapyError | None = None
    num_pending: int = field(init=False)  # tokens of the texts without a vector
    # It failed together with others: whose fault that was shows when none of them is beside it.
    is_alone: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.num_pending = sum(map(len, self.inputs))

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come."""
        return self.error is not None or len(self.vectors) == len(self.inputs)

    @property
    def turn(self) -> float:
        """The smallest goes first. All age alike, so what time it is does not change their order."""
        delay = BACKGROUND_DELAY if self.is_background else 0.0
        return self.num_pending + AGING * (self.arrived_at + delay)

    def deliver(self, vector: list[float]) -> None:
        """What became of the first text without a vector."""
        self.num_pending -= len(self.inputs[len(self.vectors)])
        self.vectors.append(vector)
        self.is_alone = False


@dataclass(slots=True, eq=False)
class Text:
    """An input with a slot of its own, and what its computed tokens were pooled to."""

    job: EmbedJob
    tokens: list[int]
    slot: int
    num_computed: int = 0
    pooled: npt.NDArray[np.float32] | None = None

    @property
    def num_pending(self) -> int:
        """Tokens that are still to be computed."""
        return len(self.tokens) - self.num_computed

    @property
    def is_begun(self) -> bool:
        """Whether it holds cells and needs them on."""
        return self.num_computed > 0 and self.num_pending > 0

    def restart(self) -> None:
        """What was computed is lost."""
        self.num_computed, self.pooled = 0, None


Pack = list[tuple[Text, int]]  # texts, and how many of their next tokens


class Packer:
    """The jobs that wait, and the slots of the texts that are read.

    A text longer than a pack is read in parts where the model allows it: where there are `part_cells`,
    which all such texts share. It is begun when they hold it to its end, and then keeps its slot.
    """

    def __init__(self, *, num_slots: int, part_cells: int | None) -> None:
        self.jobs: dict[int, EmbedJob] = {}
        self.begun: dict[int, Text] = {}  # by job, which has one at most
        self._free_slots = list(range(num_slots - 1, -1, -1))
        self._part_cells = part_cells

    def pack(self, max_tokens: int) -> Pack:
        """Texts of the jobs in their turn, up to so many tokens; one that must be whole goes alone if longer.

        All are computed with the same adapters.
        """
        cells = self._part_cells
        if cells is not None:
            cells -= sum(len(text.tokens) for text in self.begun.values())
        room, pack = _Room(max_tokens, max_tokens, cells), Pack()
        for job in sorted(self.jobs.values(), key=lambda job: job.turn):
            if room.num_tokens <= 0:
                break
            if pack and pack[0][0].job.adapters != job.adapters:
                continue
            if not job.is_alone:
                pack += self._take(job, room)
            elif not pack and (alone := self._take(job, room)):
                return alone
        return pack

    def settle(self, pack: Pack) -> list[int]:
        """After its decode: the slots of the texts that keep no cells, which are free again."""
        texts = {
            text.slot: text
            for text in (*self.begun.values(), *(text for text, _ in pack))
        }
        self.begun = {
            text.job.id: text
            for text in texts.values()
            if text.is_begun and text.job.error is None
        }
        kept = {text.slot for text in self.begun.values()}
        return self._free([slot for slot in texts if slot not in kept])

    def remove(self, job_id: int) -> list[int]:
        """Drop a job, known or not; the slot that is free with it."""
        self.jobs.pop(job_id, None)
        text = self.begun.pop(job_id, None)
        return self._free([text.slot] if text else [])

    def check(self) -> None:
        """Each slot is free or held by a begun text of a job that waits."""
        held = [text.slot for text in self.begun.values()]
        slots = sorted(self._free_slots + held)
        assert slots == list(range(len(slots))), self
        assert self.begun.keys() <= self.jobs.keys(), self

    def _take(self, job: EmbedJob, room: _Room) -> Pack:
        """The next texts of a job, first the one that was begun, as far as there is room."""
        taken, start = Pack(), len(job.vectors)
        if text := self.begun.get(job.id):
            start += 1
            if count := room.take(len(text.tokens), text.num_pending):
                taken.append((text, count))
        for index in range(start, len(job.inputs)):
            tokens = job.inputs[index]
            if not self._free_slots or not (
                count := room.take(len(tokens), len(tokens))
            ):
                break
            taken.append((Text(job, tokens, self._free_slots.pop()), count))
        return taken

    def _free(self, slots: list[int]) -> list[int]:
        self._free_slots += slots
        return slots

    def __repr__(self) -> str:
        return f"<Packer {len(self.jobs)} jobs, {len(self.begun)} texts begun, {len(self._free_slots)} slots free>"


@dataclass(slots=True)
class _Room:
    """What is left of a pack's tokens, and of the cells for texts that are read in parts (None: not at all)."""

    max_tokens: int
    num_tokens: int
    part_cells: int | None

    def take(self, length: int, num_pending: int) -> int:
        """How many of a text's pending tokens there is room for; they are taken from it."""
        count = self._count(length, num_pending)
        self.num_tokens -= count
        return count

    def _count(self, length: int, num_pending: int) -> int:
        if num_pending <= self.num_tokens:
            return num_pending
        if self.part_cells is None:
            return num_pending if self.num_tokens == self.max_tokens else 0
        if num_pending < length:
            return self.num_tokens
        if length <= self.max_tokens:  # it will fit a pack whole
            return 0
        if length > self.part_cells or not self.num_tokens:
            self.part_cells = 0  # nobody else takes what it waits for
            return 0
        self.part_cells -= length
        return self.num_tokens
