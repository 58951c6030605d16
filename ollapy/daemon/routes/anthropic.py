"""Anthropic's routes: decode, translate, ask, encode."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.anthropic import CountRequest, Message, MessagesRequest, TokenCount
from ollapy.api.ollama import ChatResponse
from ollapy.daemon.answers import responses
from ollapy.daemon.answers.disconnect import unless_gone
from ollapy.daemon.answers.records import join_chat
from ollapy.daemon.endpoint import Endpoint, Scope
from ollapy.daemon.gates.body import read
from ollapy.daemon.wire import messages

from .answering import answer, count_prompt, generation, prioritized


async def message(request: Request) -> Response:
    """Answer in a conversation, as Anthropic has it."""
    body = await read(request, MessagesRequest)
    records = generation(request).chat(prioritized(request, messages.request(body)))
    encoding = messages.Events(body) if body.stream else None
    return await answer(request, records, partial(_whole, body), encoding)


async def count(request: Request) -> Response:
    """How many tokens the prompt of such a conversation has."""
    ask = messages.counting(await read(request, CountRequest))
    tokens = await unless_gone(request, count_prompt(generation(request), ask))
    return responses.json(TokenCount(tokens))


def _whole(body: MessagesRequest, records: list[ChatResponse]) -> Message:
    return messages.message(body, join_chat(records))


ENDPOINTS = [
    Endpoint(
        "/v1/messages",
        message,
        "POST",
        takes=MessagesRequest,
        gives=Message,
        streams=True,
        needs=Scope.INFER,
    ),
    Endpoint(
        "/v1/messages/count_tokens",
        count,
        "POST",
        takes=CountRequest,
        gives=TokenCount,
        needs=Scope.INFER,
    ),
]
