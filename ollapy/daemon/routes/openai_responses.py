"""OpenAI's Responses: decode, translate, ask, encode, remember."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.ollama import ChatResponse, Message
from ollapy.api.openai_events import Event
from ollapy.api.openai_responses import Deleted, InputTokens, ResponseRequest
from ollapy.api.openai_responses import Response as ResponseObject
from ollapy.daemon.answers import responses
from ollapy.daemon.answers.disconnect import unless_gone
from ollapy.daemon.endpoint import Endpoint, Scope
from ollapy.daemon.gates.body import read
from ollapy.daemon.state import state
from ollapy.daemon.wire import items, openai_responses
from ollapy.daemon.wire.building import Building, Events
from ollapy.errors import Unsupported

from .answering import answer, count_prompt, generation, prioritized


async def create(request: Request) -> Response:
    """Answer in a conversation, as OpenAI's Responses have it; one that is stored can be gone on from."""
    body = await read(request, ResponseRequest)
    messages = _conversation(request, body)
    ask = prioritized(request, openai_responses.request(body, messages))
    building = Building(openai_responses.begun(body))
    keep = (
        partial(_keep, request, messages, building) if body.store is not False else None
    )
    built = _built(generation(request).chat(ask), building, keep)
    encoding = Events(building) if body.stream else None
    return await answer(request, built, lambda _: building.response, encoding)


async def count(request: Request) -> Response:
    """How many tokens the prompt of such a conversation has."""
    body = await read(request, ResponseRequest)
    ask = openai_responses.request(body, _conversation(request, body))
    tokens = await unless_gone(request, count_prompt(generation(request), ask))
    return responses.json(InputTokens(tokens))


async def retrieve(request: Request) -> Response:
    """A response that is kept."""
    if request.query_params.get("stream") == "true":
        raise Unsupported("a response that is kept comes whole, ask without stream")
    return responses.json(
        state(request).conversations.response(request.path_params["id"])
    )


async def delete(request: Request) -> Response:
    """Forget a response."""
    state(request).conversations.forget(request.path_params["id"])
    return responses.json(Deleted(request.path_params["id"]))


def _conversation(request: Request, body: ResponseRequest) -> list[Message]:
    kept, previous = state(request).conversations, body.previous_response_id
    past = kept.messages(previous) if previous else []
    return items.conversation(items.resolved(body, kept.item), past)


async def _built(
    records: AsyncGenerator[ChatResponse, None],
    building: Building,
    keep: Callable[[], None] | None,
) -> AsyncGenerator[list[Event], None]:
    """The events of each record; who reads the last one can go on from the response at once."""
    async with aclosing(records):
        async for record in records:
            events = building.feed(record)
            if record.done and keep:
                keep()
            yield events


def _keep(request: Request, messages: list[Message], building: Building) -> None:
    conversation = [*messages, building.message]
    state(request).conversations.keep(conversation, building.response)


ENDPOINTS = [
    Endpoint(
        "/v1/responses",
        create,
        "POST",
        takes=ResponseRequest,
        gives=ResponseObject,
        streams=True,
        needs=Scope.INFER,
    ),
    Endpoint(
        "/v1/responses/input_tokens",
        count,
        "POST",
        takes=ResponseRequest,
        gives=InputTokens,
        needs=Scope.INFER,
    ),
    Endpoint(
        "/v1/responses/{id}", retrieve, "GET", gives=ResponseObject, needs=Scope.INFER
    ),
    Endpoint("/v1/responses/{id}", delete, "DELETE", gives=Deleted, needs=Scope.INFER),
]
