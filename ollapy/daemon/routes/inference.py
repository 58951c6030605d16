"""`/api/generate`, `/api/chat`, `/api/embed` and `/api/embeddings`: decode, ask, encode."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

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
)
from ollapy.daemon.answers import responses
from ollapy.daemon.answers.disconnect import unless_gone
from ollapy.daemon.answers.records import join_chat, join_generate
from ollapy.daemon.endpoint import Endpoint, Scope
from ollapy.daemon.gates.body import read

from .answering import answer, generation, prioritized, whole

R = TypeVar("R", bound=InferenceResponse)


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
    return await whole(request, generation(request).embed(body))


async def embeddings(request: Request) -> Response:
    """The vector of one text: the older form of `/api/embed`."""
    body = await read(request, EmbeddingsRequest)
    return await whole(request, generation(request).embeddings(body))


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
