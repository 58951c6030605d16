"""`/api/generate`, `/api/chat`, `/api/embed` and `/api/embeddings`: decode, ask, encode."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.ollama import (
    ChatRequest,
    ChatResponse,
    EmbeddingsRequest,
    EmbeddingsResponse,
    EmbedRequest,
    EmbedResponse,
    GenerateRequest,
    GenerateResponse,
    InferenceResponse,
    Message,
)
from ollapy.api.text import RerankRequest
from ollapy.daemon import responses
from ollapy.daemon.body import read
from ollapy.daemon.disconnect import unless_gone
from ollapy.daemon.endpoint import Endpoint, Scope
from ollapy.daemon.generation import Generation

PRIORITY_HEADER = "Ollapy-Priority"

T = TypeVar("T")
R = TypeVar("R", bound=InferenceResponse)
B = TypeVar("B", GenerateRequest, ChatRequest, EmbedRequest, RerankRequest)


async def generate(request: Request) -> Response:
    """Go on from a prompt. Without one the model is loaded, or with `keep_alive` 0 unloaded."""
    body = prioritized(request, await read(request, GenerateRequest))
    records = generation(request).generate(body)
    return await _answer(request, records, join_generate, body.stream)


async def chat(request: Request) -> Response:
    """Answer in a conversation. Without messages the model is loaded, or with `keep_alive` 0 unloaded."""
    body = prioritized(request, await read(request, ChatRequest))
    records = generation(request).chat(body)
    return await _answer(request, records, join_chat, body.stream)


async def embed(request: Request) -> Response:
    """Vectors of length 1 for texts."""
    body = prioritized(request, await read(request, EmbedRequest))
    return responses.json(await unless_gone(request, generation(request).embed(body)))


async def embeddings(request: Request) -> Response:
    """The vector of one text: the older form of `/api/embed`."""
    body = await read(request, EmbeddingsRequest)
    return responses.json(
        await unless_gone(request, generation(request).embeddings(body))
    )


def prioritized(request: Request, body: B) -> B:
    """The body with the priority that the header names, where it names none itself."""
    named = body.priority or request.headers.get(PRIORITY_HEADER)
    return msgspec.structs.replace(body, priority=named)


def generation(request: Request) -> Generation:
    """The pipeline behind every inference route."""
    found: Generation = request.app.state.generation
    return found


async def _answer(
    request: Request,
    records: AsyncGenerator[R, None],
    join: Callable[[list[R]], R],
    stream: bool | None,
) -> Response:
    """Ollama's: streamed unless told otherwise, and one object where there is no more than that."""
    if stream is False:
        return await answer(request, records, join, None)
    first = await unless_gone(request, anext(records))
    if first.done:
        await records.aclose()
        return responses.json(first)
    return responses.Records(first, records)


async def answer(
    request: Request,
    records: AsyncGenerator[T, None],
    whole: Callable[[list[T]], object],
    encoding: responses.Encoding | None,
) -> Response:
    """A stream, or one object.

    What fails before a first record has a status, unless it takes so long that the stream begins without.
    """
    if encoding is None:
        return responses.json(whole(await unless_gone(request, _collect(records))))
    heartbeat = request.app.state.settings.heartbeat
    first = asyncio.ensure_future(anext(records))
    try:
        await unless_gone(request, _settled(first, heartbeat))
    except BaseException:
        first.cancel()
        await asyncio.wait({first})
        raise
    begun = first.result() if first.done() else first
    return responses.Records(begun, records, encoding, heartbeat=heartbeat)


async def _settled(first: asyncio.Future[T], seconds: float) -> None:
    await asyncio.wait({first}, timeout=seconds if seconds < math.inf else None)


async def _collect(records: AsyncGenerator[T, None]) -> list[T]:
    async with aclosing(records):
        return [record async for record in records]


async def count_prompt(pipeline: Generation, ask: ChatRequest) -> int:
    """How many tokens the prompt of a chat has, however long."""
    asked = msgspec.structs.replace(ask, debug_render_only=True)
    async with aclosing(pipeline.chat(asked)) as records:
        return (await anext(records)).prompt_eval_count


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


_TYPES = [
    (generate, GenerateRequest, GenerateResponse, True),
    (chat, ChatRequest, ChatResponse, True),
    (embed, EmbedRequest, EmbedResponse, False),
    (embeddings, EmbeddingsRequest, EmbeddingsResponse, False),
]
ENDPOINTS = [
    Endpoint(
        f"/api/{handler.__name__}",
        handler,
        "POST",
        takes=takes,
        gives=gives,
        streams=streams,
        needs=Scope.INFER,
    )
    for handler, takes, gives, streams in _TYPES
]
