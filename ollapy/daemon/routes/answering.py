"""Answering: what the routes of every API do alike with the one pipeline behind them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.ollama import ChatRequest, EmbedRequest, GenerateRequest
from ollapy.api.text import RerankRequest
from ollapy.daemon.answers import responses
from ollapy.daemon.answers.disconnect import abandon, unless_gone
from ollapy.daemon.generation import Generation
from ollapy.daemon.state import state

_PRIORITY_HEADER = "Ollapy-Priority"

T = TypeVar("T")
B = TypeVar("B", GenerateRequest, ChatRequest, EmbedRequest, RerankRequest)


def generation(request: Request) -> Generation:
    """The pipeline behind every inference route."""
    return state(request).generation


def prioritized(request: Request, body: B) -> B:
    """The body with the priority that the header names, where it names none itself."""
    named = body.priority or request.headers.get(_PRIORITY_HEADER)
    return msgspec.structs.replace(body, priority=named)


async def whole(request: Request, work: Coroutine[Any, Any, object]) -> Response:
    """An answer that comes all at once, unless its client leaves before."""
    return responses.json(await unless_gone(request, work))


async def answer(
    request: Request,
    records: AsyncGenerator[T, None],
    joined: Callable[[list[T]], object],
    encoding: responses.Encoding | None,
) -> Response:
    """A stream, or one object that is `joined` of its records.

    What fails before a first record has a status, unless it takes so long that the stream begins without.
    """
    if encoding is None:
        return responses.json(joined(await unless_gone(request, collected(records))))
    heartbeat = state(request).settings.heartbeat
    first = asyncio.ensure_future(anext(records))
    try:
        await unless_gone(request, _settled(first, heartbeat))
    except BaseException:
        await abandon(first)
        raise
    begun = first.result() if first.done() else first
    return responses.Records(begun, records, encoding, heartbeat=heartbeat)


async def _settled(first: asyncio.Future[T], seconds: float) -> None:
    await asyncio.wait({first}, timeout=seconds if seconds < math.inf else None)


async def collected(records: AsyncGenerator[T, None]) -> list[T]:
    """All records of an answer."""
    async with aclosing(records):
        return [record async for record in records]


async def count_prompt(pipeline: Generation, ask: ChatRequest) -> int:
    """How many tokens the prompt of a chat has, however long."""
    asked = msgspec.structs.replace(ask, debug_render_only=True)
    async with aclosing(pipeline.chat(asked)) as records:
        return (await anext(records)).prompt_eval_count
