"""Reply: a sequence under way, and what the daemon is told of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import msgspec

from ollapy.api.ollama import ContextReport
from ollapy.chat.parser import Parser
from ollapy.engine.answer import Output
from ollapy.engine.sequence import Sequence

from .protocol import Chunk, Done, Usage


@dataclass(slots=True)
class Reply:
    """A sequence and how its text is read; no parser where the text is passed as it is."""

    sequence: Sequence
    parser: Parser | None
    report: ContextReport

    def chunk(self, output: Output) -> Chunk | None:
        """The piece of the answer that an output makes, None while there is nothing to tell."""
        chunk = Chunk(
            self.sequence.id,
            output.text,
            logprobs=[output.logprob] if output.logprob else [],
            prompt_logprobs=output.prompt_logprobs,
        )
        if self.parser:
            parsed = self.parser.feed(output.text)
            if output.is_last:
                parsed += self.parser.finish()
            chunk = msgspec.structs.replace(
                chunk,
                content=parsed.content,
                thinking=parsed.thinking,
                tool_calls=parsed.tool_calls,
            )
        return None if chunk == Chunk(chunk.id) else chunk

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
        )
        report = msgspec.structs.replace(
            self.report,
            cached_tokens=sequence.num_cached or 0,
            dropped_tokens=self.report.dropped_tokens + sequence.num_shifted,
        )
        reason = str(sequence.finish_reason)
        return Done(sequence.id, reason, usage, report, sequence.tokens)
