"""Reply: a sequence under way, and what the daemon is told of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from msgspec import UNSET

from ollapy.api.report import ContextReport, DivergenceReport
from ollapy.chat.parser import Parser
from ollapy.engine.answer import Output
from ollapy.engine.sequence import Sequence
from ollapy.text import clean

from .protocol import Chunk, Done, Question, Usage

_MAX_EXCERPT = 100  # characters; some tokens are long lines of dashes


@dataclass(slots=True)
class Reply:
    """A sequence and how its text is read; no parser where the text is passed as it is."""

    sequence: Sequence
    parser: Parser | None
    report: ContextReport
    text: Callable[[list[int]], str]  # what tokens stand for
    question: Question | None = None  # what it answers
    asked_limit: int = 0  # where there was no memory for that
    num_thinking: int = 0  # tokens
    has_begun: bool = False  # whether anything has been told

    def chunks(self, output: Output) -> list[Chunk]:
        """The pieces of the answer that an output makes, in order; none while there is nothing to tell."""
        parts = self._parts(output)
        first = msgspec.structs.replace(
            parts[0] if parts else Chunk(self.sequence.id),
            logprobs=[output.logprob] if output.logprob else [],
            prompt_logprobs=output.prompt_logprobs,
        )
        chunks = [c for c in (first, *parts[1:]) if c != Chunk(c.id)]
        if chunks and not self.has_begun:
            self.has_begun = True
            chunks[0] = msgspec.structs.replace(chunks[0], context=self._context)
        return chunks

    @property
    def _context(self) -> ContextReport:
        sequence = self.sequence
        limit = min(self.report.limit, sequence.limit)
        return msgspec.structs.replace(
            self.report,
            limit=limit,
            refused_tokens=(self.asked_limit or self.report.limit) - limit,
            cached_tokens=sequence.num_cached or 0,
            dropped_tokens=self.report.dropped_tokens + sequence.num_shifted,
            restored_tokens=min(sequence.num_restored, sequence.num_cached or 0),
            divergence=self._divergence or UNSET,
        )

    @property
    def _divergence(self) -> DivergenceReport | None:
        found = self.sequence.divergence
        if found is None:
            return None
        is_own = found.asked_by == self.sequence.asked_by
        return DivergenceReport(
            found.position,
            self._excerpt(found.shared),
            self._excerpt(found.prompt),
            self._excerpt(found.cached) if is_own else "",
        )

    def _excerpt(self, tokens: list[int]) -> str:
        """A few words on one line, without what is left of a character that the first or last token cuts."""
        return clean(self.text(tokens).strip("\ufffd"))[:_MAX_EXCERPT]

    def _parts(self, output: Output) -> list[Chunk]:
        if self.parser is None:
            return [Chunk(self.sequence.id, output.text)]
        self.num_thinking += self.parser.is_thinking
        parsed = self.parser.feed(output.text)
        if output.is_last:
            parsed = [*parsed, *self.parser.finish()]
        return [
            Chunk(self.sequence.id, part.content, part.thinking, part.tool_calls)
            for part in parsed
        ]

    def done(self) -> Done:
        """The end of an answer that has come to it by itself."""
        sequence, now = self.sequence, time.monotonic()
        started = sequence.started_at or now
        first = sequence.first_token_at or now
        usage = Usage(
            num_prompt=self.report.prompt_tokens,
            num_generated=sequence.num_generated,
            queue_seconds=started - sequence.arrived_at,
            prefill_seconds=first - started,
            decode_seconds=now - first,
            num_preemptions=sequence.num_preemptions,
            num_thinking=self.num_thinking,
            num_forced=sequence.num_forced,
            waited_for=sequence.waited_for,
            wait=sequence.wait or "",
        )
        reason = str(sequence.finish_reason)
        budget = sequence.budget
        return Done(
            sequence.id,
            reason,
            usage,
            self._context,
            [token for token in sequence.tokens if token >= 0],
            parse_error=self.parser.error if self.parser else "",
            thinking_cut=budget is not None and budget.spent,
            stop=sequence.stopped_by,
        )
