"""Counts of tokens, out of an answer's records. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ollapy.api.ollama import InferenceResponse


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens of a prompt, of the answer to it, and of both those that were in memory or thought."""

    prompt: int = 0
    answer: int = 0
    cached: int = 0
    thought: int = 0

    @classmethod
    def of(cls, record: InferenceResponse) -> Counts:
        """What a record knows: the first one the prompt, the last one all."""
        report = record.ollapy
        return cls(
            record.prompt_eval_count or (report.context.prompt_tokens if report else 0),
            record.eval_count,
            report.context.cached_tokens if report else 0,
            report.thinking_tokens if report else 0,
        )


def together(finals: Iterable[InferenceResponse], prompts: int) -> Counts:
    """The counts of several answers; those to the same one of `prompts` prompts have it once."""
    counts = [Counts.of(record) for record in finals]
    first = counts[:: max(len(counts) // prompts, 1)]
    return Counts(
        sum(c.prompt for c in first),
        sum(c.answer for c in counts),
        sum(c.cached for c in first),
        sum(c.thought for c in counts),
    )
