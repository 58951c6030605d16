"""`/api/generate`, `/api/chat` and `/api/embed`: decode, ask, encode."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.ollama import (
    ChatRequest,
    ChatResponse,
    EmbedRequest,
    GenerateRequest,
    GenerateResponse,
    InferenceResponse,
    Message,
)
from ollapy.daemon import responses
from ollapy.daemon.body import read
from ollapy.daemon.disconnect import unless_gone
from ollapy.daemon.generation import Generation

PRIORITY_HEADER = "Ollapy-Priority"

R = TypeVar("R", bound=InferenceResponse)
B = TypeVar("B", GenerateRequest, ChatRequest, EmbedRequest)


async def generate(request: Request) -> Response:
    """`POST /api/generate`."""
    body = _prioritized(request, await read(request, GenerateRequest))
    records = _generation(request).generate(body)
    return await _answer(
        request, records, _join_generate, stream=body.stream is not False
    )


async def chat(request: Request) -> Response:
    """`POST /api/chat`."""
    body = _prioritized(request, await read(request, ChatRequest))
    records = _generation(request).chat(body)
    return await _answer(request, records, _join_chat, stream=body.stream is not False)


async def embed(request: Request) -> Response:
    """`POST /api/embed`."""
    body = _prioritized(request, await read(request, EmbedRequest))
    return responses.json(await unless_gone(request, _generation(request).embed(body)))


def _prioritized(request: Request, body: B) -> B:
    """The body with the priority that the header names, where it names none itself."""
    named = body.priority or request.headers.get(PRIORITY_HEADER)
    return msgspec.structs.replace(body, priority=named)


def _generation(request: Request) -> Generation:
    generation: Generation = request.app.state.generation
    return generation


async def _answer(
    request: Request,
    records: AsyncGenerator[R, None],
    join: Callable[[list[R]], R],
    *,
    stream: bool,
) -> Response:
    """A stream whose first record is there already, so that what fails before it has a status; or one object."""
    if not stream:
        return responses.json(join(await unless_gone(request, _collect(records))))
    first = await unless_gone(request, anext(records))
    if first.done:
        await records.aclose()
        return responses.json(first)
    return responses.Records(first, records)


async def _collect(records: AsyncGenerator[R, None]) -> list[R]:
    async with aclosing(records):
        return [record async for record in records]


def _join_generate(records: list[GenerateResponse]) -> GenerateResponse:
    return msgspec.structs.replace(
        records[-1],
        response="".join(r.response for r in records),
        thinking="".join(r.thinking or "" for r in records) or None,
        logprobs=[p for r in records for p in r.logprobs or []] or None,
        prompt_logprobs=records[0].prompt_logprobs,
    )


def _join_chat(records: list[ChatResponse]) -> ChatResponse:
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
