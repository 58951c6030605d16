"""OpenAI's routes under `/v1`: decode, translate, ask, encode."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.ollama import InferenceResponse
from ollapy.api.openai import (
    ChatCompletion,
    ChatCompletionRequest,
    Completion,
    CompletionRequest,
    EmbeddingList,
    EmbeddingRequest,
    ModelList,
    ModelObject,
)
from ollapy.api.text import DetokenizeRequest
from ollapy.daemon.answers import responses
from ollapy.daemon.answers.disconnect import unless_gone
from ollapy.daemon.answers.merging import merged
from ollapy.daemon.answers.records import join_chat, join_generate
from ollapy.daemon.endpoint import Endpoint, Scope
from ollapy.daemon.gates.body import read
from ollapy.daemon.state import state
from ollapy.daemon.wire import chat_completions, completions, embeddings
from ollapy.names import ModelName

from .answering import answer, generation, prioritized
from .models import elsewhere

R = TypeVar("R", bound=InferenceResponse)


async def chat_completion(request: Request) -> Response:
    """Answer in a conversation, as OpenAI has it."""
    body = await read(request, ChatCompletionRequest)
    asks = [prioritized(request, chat) for chat in chat_completions.requests(body)]
    records = merged([generation(request).chat(ask) for ask in asks])
    whole = partial(chat_completions.completion, body)
    encoding = chat_completions.Chunks(body) if body.stream else None
    return await answer(request, records, _choices(join_chat, whole), encoding)


async def completion(request: Request) -> Response:
    """Go on with texts, or tokens, as they are."""
    body = await read(request, CompletionRequest)
    asks = [prioritized(request, ask) for ask in completions.requests(body)]
    texts = await unless_gone(request, _echoes(request, body))
    encoding = completions.Texts(body, texts) if body.stream else None
    records = merged([generation(request).generate(ask) for ask in asks])
    whole = partial(completions.completion, body, texts)
    return await answer(request, records, _choices(join_generate, whole), encoding)


async def embedding(request: Request) -> Response:
    """Vectors of length 1 for texts, or for the tokens of texts."""
    body = await read(request, EmbeddingRequest)
    ask = prioritized(request, embeddings.request(body))
    found = await unless_gone(request, generation(request).embed(ask))
    return responses.json(embeddings.answer(body, found))


async def models(request: Request) -> Response:
    """The models, newest first, then those of another server."""
    found, _ = await asyncio.to_thread(state(request).store.survey)
    others, _ = await elsewhere(request, found)
    return responses.json(embeddings.models([*found, *others]))


async def model(request: Request) -> Response:
    """One model; its name may have slashes."""
    app, name = state(request), request.path_params["id"]
    parsed = ModelName.parse(name)
    found = await asyncio.to_thread(app.store.find, parsed) or await app.remote.get(
        parsed, f"model '{name}' not found"
    )
    return responses.json(embeddings.model(found, name))


async def _echoes(request: Request, body: CompletionRequest) -> list[str]:
    """The prompts' texts, where they are to be repeated; the model knows those of tokens."""
    given = completions.prompts(body)
    if not body.echo:
        return [""] * len(given)
    return [
        prompt if isinstance(prompt, str) else await _text(request, body, prompt)
        for prompt in given
    ]


async def _text(request: Request, body: CompletionRequest, tokens: list[int]) -> str:
    ask = DetokenizeRequest(body.model, tokens, body.keep_alive)
    return (await generation(request).detokenize(ask)).content


def _choices(
    join: Callable[[list[R]], R], whole: Callable[[Sequence[R]], object]
) -> Callable[[list[tuple[int, R]]], object]:
    """What makes an answer of the records of several choices, in whatever order they came."""

    def joined(items: list[tuple[int, R]]) -> object:
        found: dict[int, list[R]] = defaultdict(list)
        for index, record in items:
            found[index].append(record)
        return whole([join(found[index]) for index in sorted(found)])

    return joined


_INFERENCE = [
    (
        "/v1/chat/completions",
        chat_completion,
        ChatCompletionRequest,
        ChatCompletion,
        True,
    ),
    ("/v1/completions", completion, CompletionRequest, Completion, True),
    ("/v1/embeddings", embedding, EmbeddingRequest, EmbeddingList, False),
]
_MODELS = [
    ("/v1/models", models, ModelList),
    ("/v1/models/{id:path}", model, ModelObject),
]
ENDPOINTS = [
    *(
        Endpoint(
            path,
            handler,
            "POST",
            takes=takes,
            gives=gives,
            streams=streams,
            needs=Scope.INFER,
        )
        for path, handler, takes, gives, streams in _INFERENCE
    ),
    *(
        Endpoint(path, handler, "GET", "HEAD", gives=gives, needs=Scope.INFER)
        for path, handler, gives in _MODELS
    ),
]
