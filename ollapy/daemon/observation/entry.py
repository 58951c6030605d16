"""Entry: one request to a model, as far as it has come."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from ollapy.api.report import ContextReport, DivergenceReport
from ollapy.api.status import PlacementReport, RequestEntry
from ollapy.daemon import asker
from ollapy.daemon.answers.records import nanoseconds
from ollapy.daemon.runners.inbox import Event
from ollapy.runner.protocol import (
    Chat,
    Chunk,
    Complete,
    Done,
    Embeddings,
    Question,
    Scores,
)
from ollapy.units import format_time

Q = TypeVar("Q", bound=Question)

_ids = itertools.count(1)


@dataclass(slots=True)
class Entry:
    """A request of whoever asks now. Times are of the monotonic clock."""

    kind: str
    request: str
    model: str = ""
    outcome: str = ""
    error: str = ""
    client: str = ""  # what it calls itself
    id: int = field(default_factory=lambda: next(_ids))
    asked_by: str = field(default_factory=asker.asked_by)
    begun_at: float = field(default_factory=time.time)
    started: float = field(default_factory=time.monotonic)
    loaded: float | None = None
    first: float | None = None
    ended: float | None = None
    beside: list[int] = field(default_factory=list)
    placement: PlacementReport | None = None
    num_prompt: int = 0
    context: ContextReport | None = None
    done: Done | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is the asker's."""
        return self.asked_by == asker.asked_by()

    @property
    def load_seconds(self) -> float:
        """After how long the model was there; 0 where it is not yet."""
        return 0.0 if self.loaded is None else self.loaded - self.started

    @property
    def is_unanswered(self) -> bool:
        """Whether it is the engine that it waits for."""
        asked = self.kind in ("generate", "chat") and not self.outcome
        return asked and self.loaded is not None and self.first is None

    def is_loaded(self, placement: PlacementReport) -> None:
        """The model is there."""
        self.loaded, self.placement = time.monotonic(), placement

    def addressed(self, question: Q) -> Q:
        """What is asked, with whose it is."""
        if isinstance(question, Chat | Complete):
            return replace(question, id=self.id, asked_by=self.asked_by)
        return replace(question, id=self.id)

    def end(self, outcome: str) -> dict[str, object]:
        """It ends without an answer; the fields that say so."""
        self.outcome = outcome
        return {"done": True, "done_reason": outcome}

    def see(self, event: Event) -> None:
        """What the runner says: the first is an answer's beginning, the last its end."""
        if self.first is None:
            self.first = time.monotonic()
        match event:
            case Chunk():
                self.context = event.context or self.context
            case Done():
                self.outcome, self.num_prompt = event.reason, event.usage.num_prompt
                self.context, self.done = event.context, replace(event, tokens=[])
            case Embeddings() | Scores():
                self.outcome, self.num_prompt = "done", event.num_prompt
            case _:
                self.outcome = "done"

    @property
    def record(self) -> RequestEntry:
        """For who wants to see it; what of the prompt is told is only for who asked it."""
        return RequestEntry(
            id=self.id,
            kind=self.kind,
            model=self.model,
            created_at=format_time(self.begun_at),
            outcome=self.outcome or "running",
            error=self.error,
            total_duration=self._since(self.ended or time.monotonic()),
            load_duration=self._since(self.loaded),
            first_token_duration=self._since(self.first),
            prompt_eval_count=self.num_prompt,
            beside=self.beside,
            client=self.client,
            placement=self.placement,
            context=self.context if self.is_own else _silent(self.context),
            request=self.request,
            **_last_fields(self.done),
        )

    def _since(self, moment: float | None) -> int:
        """Nanoseconds from the beginning to a moment; none where it has not come."""
        return 0 if moment is None else nanoseconds(moment - self.started)


def _last_fields(done: Done | None) -> dict[str, Any]:
    """What is known of an answer that has come to its end by itself."""
    if done is None:
        return {}
    usage = done.usage
    return {
        "queue_duration": nanoseconds(usage.queue_seconds),
        "prompt_eval_duration": nanoseconds(usage.prefill_seconds),
        "eval_count": usage.num_generated,
        "eval_duration": nanoseconds(usage.decode_seconds),
        "thinking_tokens": usage.num_thinking,
        "thinking_cut": done.thinking_cut,
        "parse_error": done.parse_error,
        "stop": done.stop,
        "forced_tokens": usage.num_forced,
        "preemptions": usage.num_preemptions,
        "waited_for": [*usage.waited_for],
        "wait": usage.wait,
    }


def _silent(context: ContextReport | None) -> ContextReport | None:
    """The figures, and none of the words."""
    if context is None or context.divergence is UNSET:
        return context
    return replace(context, divergence=DivergenceReport(context.divergence.token))
