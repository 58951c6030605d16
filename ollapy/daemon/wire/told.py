"""What OpenAI's APIs tell of an answer alike, out of Ollama's records. Pure."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable

from ollapy.api import ollama, openai

from . import counts


def new_id(prefix: str) -> str:
    """An identifier that no other answer has."""
    return prefix + secrets.token_hex(12)


def usage(finals: Iterable[ollama.InferenceResponse], prompts: int = 1) -> openai.Usage:
    """The counts of all choices together."""
    total = counts.together(finals, prompts)
    return openai.Usage(
        prompt_tokens=total.prompt,
        completion_tokens=total.answer,
        total_tokens=total.prompt + total.answer,
        prompt_tokens_details=openai.PromptDetails(total.cached),
        completion_tokens_details=openai.CompletionDetails(total.thought),
    )


def token_logprobs(points: Iterable[ollama.Logprob]) -> list[openai.TokenLogprob]:
    """Tokens and their rivals, in OpenAI's order of fields."""
    return [
        openai.TokenLogprob(
            p.token,
            p.logprob,
            p.bytes,
            [openai.TopLogprob(t.token, t.logprob, t.bytes) for t in p.top_logprobs],
        )
        for p in points
    ]


def arguments_of(call: ollama.ToolCall) -> str:
    """A call's arguments as JSON text."""
    return json.dumps(call.function.arguments, ensure_ascii=False)
