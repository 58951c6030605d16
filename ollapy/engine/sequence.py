"""Sequence: one request inside the engine."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum

from ollapy.api.options import SamplingParams


class FinishReason(StrEnum):
    """Why a sequence ended by itself; the values are Ollama's `done_reason`."""

    STOP = "stop"
    LENGTH = "length"


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
    num_prompt: int = field(init=False)
    num_computed: int = 0
    num_cached: int | None = (
        None  # tokens that were resident when it was first admitted
    )
    slot: int | None = None  # llama.cpp's sequence id while its cells are held
    finish_reason: FinishReason | None = None
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
    def num_generated(self) -> int:
        """Tokens of the answer so far."""
        return len(self.tokens) - self.num_prompt

    @property
    def max_tokens(self) -> int:
        """Tokens that the answer may have."""
        room = self.limit - self.num_prompt
        return (
            room
            if self.params.max_tokens is None
            else min(room, self.params.max_tokens)
        )

    def __repr__(self) -> str:
        state = self.finish_reason or (
            "waiting" if self.slot is None else f"slot {self.slot}"
        )
        return f"<Sequence {self.id} {state} computed {self.num_computed}/{len(self.tokens)}>"
