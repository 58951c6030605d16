"""Text as a model sees it: rerank, tokenize, detokenize, render. Ollapy's own routes."""

from __future__ import annotations

from contextlib import aclosing
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.ollama import ChatRequest, GenerateRequest
from ollapy.api.text import (
    DetokenizeRequest,
    DetokenizeResponse,
    RenderRequest,
    RenderResponse,
    RerankRequest,
    RerankResponse,
    TokenizeRequest,
    TokenizeResponse,
)
from ollapy.daemon.endpoint import Endpoint, Scope
from ollapy.daemon.gates.body import read
from ollapy.daemon.generation import Generation
from ollapy.errors import InvalidRequest

from .answering import generation, prioritized, whole

B = TypeVar("B", GenerateRequest, ChatRequest)


async def rerank(request: Request) -> Response:
    """Documents in the order of what they have to do with a query, as Jina and Cohere have it.

    `relevance_score` is 0 to 1. A document that is too long is cut, unless `truncate` is false.
    """
    body = prioritized(request, await read(request, RerankRequest))
    return await whole(request, generation(request).rerank(body))


async def tokenize(request: Request) -> Response:
    """The tokens of a text in the vocabulary of a model."""
    body = await read(request, TokenizeRequest)
    return await whole(request, generation(request).tokenize(body))


async def detokenize(request: Request) -> Response:
    """The text of tokens of a model's vocabulary."""
    body = await read(request, DetokenizeRequest)
    return await whole(request, generation(request).detokenize(body))


async def render(request: Request) -> Response:
    """The prompt that a request to chat (with `messages`) or generate comes to, and how many tokens it has."""
    body = await read(request, RenderRequest)
    return await whole(request, _rendered(generation(request), body))


async def _rendered(pipeline: Generation, body: RenderRequest) -> RenderResponse:
    wanted = msgspec.structs.replace(body, debug_render_only=True, keep_alive=None)
    records = (
        pipeline.generate(_narrowed(wanted, GenerateRequest))
        if body.messages is None
        else pipeline.chat(_narrowed(wanted, ChatRequest))
    )
    async with aclosing(records):
        record = await anext(records)
    if record.debug_info is None:
        raise InvalidRequest("there is nothing to render: give messages or a prompt")
    return RenderResponse(
        body.model, record.debug_info.rendered_template, record.prompt_eval_count
    )


def _narrowed(body: RenderRequest, kind: type[B]) -> B:
    fields = {field.name for field in msgspec.structs.fields(kind)}
    given = msgspec.structs.asdict(body)
    return kind(**{name: given[name] for name in fields & given.keys()})


_TYPES = [
    ("/api/rerank", rerank, RerankRequest, RerankResponse),
    ("/v1/rerank", rerank, RerankRequest, RerankResponse),
    ("/api/tokenize", tokenize, TokenizeRequest, TokenizeResponse),
    ("/api/detokenize", detokenize, DetokenizeRequest, DetokenizeResponse),
    ("/api/render", render, RenderRequest, RenderResponse),
]
ENDPOINTS = [
    Endpoint(path, handler, "POST", takes=takes, gives=gives, needs=Scope.INFER)
    for path, handler, takes, gives in _TYPES
]
