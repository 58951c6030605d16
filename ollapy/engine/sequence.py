"""Sequence: one request inside the engine."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ollapy.api.adapters import AdapterSet
from ollapy.api.options import SamplingParams
from ollapy.grammar.constraint import Constraint

from .budget import Budget
from .media import MediaChunk, whole

if TYPE_CHECKING:
    from .divergence import Divergence

# Each second of waiting counts as so many tokens less to compute: the shortest goes first, nobody starves.
AGING = 256.0
# Seconds by which background work counts as having come later than it did.
BACKGROUND_DELAY = 30.0
# Contexts that an answer may fill when the beginning of the context makes room for it.
_MAX_SHIFTS = 10


class FinishReason(StrEnum):
    """Why a sequence ended by itself; the values are Ollama's `done_reason`."""

    STOP = "stop"
    LENGTH = "length"


class Wait(StrEnum):
    """Why a sequence did not get a slot at once."""

    ROOM = "room"  # for its tokens, beside those who run
    PROMPT = "prompt"  # another is reading one that begins alike: it is read once


@dataclass(slots=True, eq=False)
class Sequence:
    """A prompt, what was generated after it, and how much of both the model has computed.

    There is no prefill and no decode state: each step computes pending tokens, one or many, and a
    sequence with none left yields its next token. Waiting has no slot, running has one, finished has
    a reason. Instants are `time.monotonic()`.
    """

    id: int
    tokens: list[int]
    params: SamplingParams
    limit: int  # tokens that prompt and answer may have together
    # what an encoder reads before; `tokens` are then the decoder's, from its start token on
    encoder_tokens: list[int] | None = None
    # pictures and sounds by the index where their placeholders begin
    media: dict[int, MediaChunk] = field(default_factory=dict)
    is_background: bool = False
    asked_by: str = ""  # who may see what of it is told
    adapters: AdapterSet = ()
    constraint: Constraint | None = None  # what the answer is held to
    # control tokens whose texts belong to the answer; others are not seen in it
    visible: frozenset[int] = frozenset()
    budget: Budget | None = None  # of its thought
    # tokens at the beginning that stay when the context is full and shifts; None: it does not
    num_keep: int | None = None
    num_prompt: int = field(init=False)
    num_computed: int = 0
    num_shifted: int = 0  # tokens that are no longer in `tokens`
    num_preemptions: int = 0
    num_forced: int = 0  # tokens of the answer that were not sampled
    # tokens that were resident when it was first admitted
    num_cached: int | None = None
    # tokens that were brought back from elsewhere for it
    num_restored: int = 0
    # where it parted then from the nearest that was resident
    divergence: Divergence | None = None
    # who kept it waiting first
    waited_for: tuple[int, ...] = ()
    wait: Wait | None = None
    slot: int | None = None  # llama.cpp's sequence id while its cells are held
    checkpoints: set[int] = field(default_factory=set)  # positions to stop at
    finish_reason: FinishReason | None = None
    stopped_by: str = ""  # the stop string that ended it
    arrived_at: float = field(default_factory=time.monotonic)
    started_at: float | None = None
    first_token_at: float | None = None

    def __post_init__(self) -> None:
        self.num_prompt = len(self.tokens)

    @property
    def num_pending(self) -> int:
        """Tokens that the model has not seen yet."""
        return len(self.tokens) - self.num_computed

    @property
    def num_until_stop(self) -> int:
        """Pending tokens before the next checkpoint or where text and media meet, all where there is neither."""
        if self.next_medium:
            start, chunk = self.next_medium
            return start + chunk.num_tokens - self.num_computed
        ahead = (p for p in (*self.checkpoints, *self.media) if p > self.num_computed)
        return min(
            min(ahead, default=len(self.tokens)) - self.num_computed, self.num_pending
        )

    @property
    def next_medium(self) -> tuple[int, MediaChunk] | None:
        """The chunk that comes next, the rest of it maybe, and where it begins; None where a token does."""
        for start, chunk in self.media.items():
            if start <= self.num_computed < start + chunk.num_tokens:
                return start, chunk
        return None

    @property
    def is_generating(self) -> bool:
        """Whether its next token comes with the next batch."""
        return self.num_pending == 1 and not self.next_medium

    def position(self, index: int) -> int:
        """Where a token is, or a chunk that begins there; media may have fewer positions than cells."""
        before = (chunk for start, chunk in self.media.items() if start < index)
        return index - sum(c.num_tokens - c.num_positions for c in before)

    @property
    def num_generated(self) -> int:
        """Tokens of the answer so far."""
        return len(self.tokens) + self.num_shifted - self.num_prompt

    @property
    def max_tokens(self) -> int:
        """Tokens that the answer may have."""
        room = self.limit - self.num_prompt
        if self.num_keep is not None:
            room = _MAX_SHIFTS * self.limit
        wanted = self.params.max_tokens
        return room if wanted is None else min(room, wanted)

    @property
    def due(self) -> float:
        """The instant from which it waits, as far as others are concerned."""
        return self.arrived_at + (BACKGROUND_DELAY if self.is_background else 0.0)

    @property
    def scores_prompt(self) -> bool:
        """Whether the logits of the prompt's tokens are wanted as well, so that all are computed."""
        return self.params.prompt_logprobs is not None and not self.num_generated

    def wait_for(self, others: Iterable[Sequence], wait: Wait) -> None:
        """It is not its turn yet; whom it met first is remembered."""
        if self.wait is None:
            self.waited_for, self.wait = tuple(other.id for other in others), wait

    def shift(self) -> None:
        """Drop half of what lies between the tokens to keep and the end, and no half of a picture."""
        assert self.num_keep is not None
        keep = whole(self.tokens, min(self.num_keep, self.limit // 2))
        end = self._uncut(keep + (len(self.tokens) - keep) // 2)
        # a new list: the prefix tree goes on reading the old one
        self.tokens = self.tokens[:keep] + self.tokens[end:]
        self.media = {
            start - (end - keep if start >= end else 0): chunk
            for start, chunk in self.media.items()
            if start < keep or start >= end
        }
        self.num_shifted += end - keep

    def _uncut(self, index: int) -> int:
        """The index, or the end of the chunk that it lies within."""
        ends = (
            start + chunk.num_tokens
            for start, chunk in self.media.items()
            if start < index < start + chunk.num_tokens
        )
        return next(ends, index)

    def __repr__(self) -> str:
        state = self.finish_reason or (
            "waiting" if self.slot is None else f"slot {self.slot}"
        )
        return f"<Sequence {self.id} {state} computed {self.num_computed}/{len(self.tokens)}>"
