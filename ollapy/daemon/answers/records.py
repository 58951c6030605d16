"""Records: what a runner says as the records of Ollama's answers. Pure."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from ollapy.api.ollama import ChatResponse, DebugInfo, GenerateResponse, Message
from ollapy.api.report import OllapyReport
from ollapy.daemon.runners.inbox import Event
from ollapy.runner.protocol import Chunk, Done, Rendered
from ollapy.units import format_time

NOTHING = Chunk(0)


def now() -> str:
    """The time as Ollama writes it."""
    return format_time(time.time())


def nanoseconds(seconds: float) -> int:
    """A duration as Ollama tells it."""
    return int(seconds * 1e9)


def fields_of(
    event: Event, started: float, load_seconds: float
) -> tuple[Chunk, dict[str, Any]]:
    """What a record has beside its chunk: of the last one, everything that was counted and measured."""
    if isinstance(event, Chunk):
        begun = OllapyReport(event.context) if event.context else None
        return event, {"done": False, "ollapy": begun}
    if isinstance(event, Rendered):
        debug = DebugInfo(event.text)
        return NOTHING, {
            "done": True,
            "prompt_eval_count": event.num_tokens,
            "debug_info": debug,
        }
    assert isinstance(event, Done)
    return NOTHING, _last_fields(event, started, load_seconds)


def _last_fields(done: Done, started: float, load_seconds: float) -> dict[str, Any]:
    usage = done.usage
    return {
        "done": True,
        "done_reason": done.reason,
        "total_duration": nanoseconds(time.monotonic() - started),
        "load_duration": nanoseconds(load_seconds),
        "prompt_eval_count": usage.num_prompt,
        "prompt_eval_duration": nanoseconds(usage.prefill_seconds),
        "eval_count": usage.num_generated,
        "eval_duration": nanoseconds(usage.decode_seconds),
        "ollapy": OllapyReport(
            done.context,
            nanoseconds(usage.queue_seconds),
            usage.num_preemptions,
            usage.num_thinking,
            done.thinking_cut,
            done.parse_error,
            done.stop,
            usage.num_forced,
        ),
        "tokens": done.tokens,
    }


def generate_record(
    chunk: Chunk, *, raw: bool, tokens: list[int] | None = None, **fields: Any
) -> GenerateResponse:
    """One record of `/api/generate`."""
    return GenerateResponse(
        response=chunk.content,
        thinking=chunk.thinking or None,
        logprobs=chunk.logprobs or None,
        prompt_logprobs=chunk.prompt_logprobs or None,
        context=None if raw else tokens,
        **fields,
    )


def chat_record(
    chunk: Chunk, *, tokens: list[int] | None = None, **fields: Any
) -> ChatResponse:
    """One record of `/api/chat`."""
    message = Message(
        "assistant",
        chunk.content,
        chunk.thinking or None,
        tool_calls=chunk.tool_calls or None,
    )
    return ChatResponse(
        message=message,
        logprobs=chunk.logprobs or None,
        prompt_logprobs=chunk.prompt_logprobs or None,
        **fields,
    )


def join_generate(records: list[GenerateResponse]) -> GenerateResponse:
    """One record of all that a completion is."""
    return msgspec.structs.replace(
        records[-1],
        response="".join(r.response for r in records),
        thinking="".join(r.thinking or "" for r in records) or None,
        logprobs=[p for r in records for p in r.logprobs or []] or None,
        prompt_logprobs=records[0].prompt_logprobs,
    )


def join_chat(records: list[ChatResponse]) -> ChatResponse:
    """One record of all that a chat's answer is."""
    messages = [r.message for r in records]
    message = Message(
        "assistant",
        "".join(m.content or "" for m in messages),
        "".join(m.thinking or "" for m in messages) or None,
        tool_calls=[c for m in messages for c in m.tool_calls or []] or None,
    )
    return msgspec.structs.replace(
        records[-1],
        message=message,
        logprobs=[p for r in records for p in r.logprobs or []] or None,
        prompt_logprobs=records[0].prompt_logprobs,
    )
