"""Generation: from a request to the records of its answer, the one pipeline behind every inference route."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Protocol, TypeVar

from ollapy.api.ollama import (
    ChatRequest,
    ChatResponse,
    EmbeddingsRequest,
    EmbeddingsResponse,
    EmbedRequest,
    EmbedResponse,
    GenerateRequest,
    GenerateResponse,
    InferenceRequest,
    InferenceResponse,
)
from ollapy.api.options import Options
from ollapy.api.text import (
    DetokenizeRequest,
    DetokenizeResponse,
    RerankRequest,
    RerankResponse,
    TokenizeRequest,
    TokenizeResponse,
)
from ollapy.daemon.answers.ranking import ranked
from ollapy.daemon.answers.records import (
    NOTHING,
    chat_record,
    fields_of,
    generate_record,
    nanoseconds,
    now,
)
from ollapy.daemon.asking import conversation, texts
from ollapy.daemon.asking.askable import Askable
from ollapy.daemon.asking.media import has_images
from ollapy.daemon.observation.entry import Entry
from ollapy.daemon.observation.journal import Journal
from ollapy.daemon.runners.inbox import Event
from ollapy.daemon.served import Served
from ollapy.errors import InvalidRequest, ModelNotFound
from ollapy.runner.protocol import (
    Chat,
    Chunk,
    Complete,
    Embeddings,
    Question,
    Scores,
    Text,
)
from ollapy.units import parse_keep_alive

_Request = (
    InferenceRequest
    | EmbedRequest
    | EmbeddingsRequest
    | RerankRequest
    | TokenizeRequest
    | DetokenizeRequest
)
Q = TypeVar("Q", bound=_Request)
Prompting = TypeVar("Prompting", bound=InferenceRequest)
R = TypeVar("R", bound=InferenceResponse, covariant=True)


class _Record(Protocol[R]):
    def __call__(self, chunk: Chunk, **fields: Any) -> R: ...


class Generation:
    """Answers inference requests with the models that are served.

    Errors come before the first record or instead of a later one. Closing a generator early stops
    the work behind it.
    """

    def __init__(self, served: Served, journal: Journal) -> None:
        self._served = served
        self._journal = journal

    def generate(
        self, request: GenerateRequest
    ) -> AsyncGenerator[GenerateResponse, None]:
        """The records of `/api/generate`."""
        has_prompt = bool(request.prompt or request.tokens or request.images)
        record = partial(generate_record, raw=bool(request.raw))
        return self._records(
            "generate", request, has_prompt, conversation.generate, record
        )

    def chat(self, request: ChatRequest) -> AsyncGenerator[ChatResponse, None]:
        """The records of `/api/chat`."""
        _require_model(request)
        return self._records(
            "chat", request, bool(request.messages), conversation.chat, chat_record
        )

    async def embed(self, request: EmbedRequest) -> EmbedResponse:
        """The answer of `/api/embed`."""
        started = time.monotonic()
        if not request.model:
            raise ModelNotFound("model '' not found")
        answer, load_seconds = await self._once("embed", request, texts.embed)
        if answer is None:
            return EmbedResponse(request.model, [])
        assert isinstance(answer, Embeddings)
        return EmbedResponse(
            model=request.model,
            embeddings=answer.vectors,
            total_duration=nanoseconds(time.monotonic() - started),
            load_duration=nanoseconds(load_seconds),
            prompt_eval_count=answer.num_prompt,
        )

    async def embeddings(self, request: EmbeddingsRequest) -> EmbeddingsResponse:
        """The answer of `/api/embeddings`."""
        answer, _ = await self._once("embed", request, texts.embed_one)
        assert answer is None or isinstance(answer, Embeddings)
        return EmbeddingsResponse(answer.vectors[0] if answer else [])

    async def rerank(self, request: RerankRequest) -> RerankResponse:
        """The answer of `/api/rerank`."""
        answer, _ = await self._once("rerank", request, texts.rerank)
        assert isinstance(answer, Scores)
        return ranked(request, answer)

    async def tokenize(self, request: TokenizeRequest) -> TokenizeResponse:
        """The answer of `/api/tokenize`."""
        answer, _ = await self._once("tokenize", request, texts.tokenize)
        assert isinstance(answer, Text)
        return TokenizeResponse(request.model, answer.tokens)

    async def detokenize(self, request: DetokenizeRequest) -> DetokenizeResponse:
        """The answer of `/api/detokenize`."""
        answer, _ = await self._once("detokenize", request, texts.detokenize)
        assert isinstance(answer, Text)
        return DetokenizeResponse(request.model, answer.text)

    async def _once(
        self,
        kind: str,
        request: Q,
        ask: Callable[[Q, Askable, Options], Question | None],
    ) -> tuple[Event | None, float]:
        """What a model answers all at once, None where it is only loaded, and the seconds until it was loaded."""
        _require_model(request)
        request = self._served.filled(request)
        with self._journal.entry(kind, request) as entry:
            missing = f'model "{request.model}" not found, try pulling it first'
            model = await self._served.find(request.model, missing)
            self._journal.begin(entry, str(model.name))
            chosen = conversation.options(getattr(request, "options", None), model)
            asked = ask(request, model, chosen)
            keep_alive = _keep_alive(request)
            async with self._served.loaded(model, chosen, keep_alive, entry) as put:
                if asked is None:
                    return None, entry.load_seconds
                async with aclosing(put(entry.addressed(asked))) as events:
                    answer = await anext(events)
                    entry.see(answer)
                    return answer, entry.load_seconds

    async def _records(
        self,
        kind: str,
        request: Prompting,
        has_prompt: bool,
        ask: Callable[[Prompting, Askable, Options], Chat | Complete | None],
        record: _Record[R],
    ) -> AsyncGenerator[R, None]:
        """One record a chunk, the last one with the metrics; a lone one for a load or unload."""
        request = self._served.filled(request)
        with self._journal.entry(kind, request) as entry:
            parts = self._parts(entry, request, has_prompt, partial(ask, request))
            async with aclosing(parts):
                async for chunk, fields in parts:
                    yield record(chunk, model=request.model, created_at=now(), **fields)

    async def _parts(
        self,
        entry: Entry,
        request: InferenceRequest,
        has_prompt: bool,
        ask: Callable[[Askable, Options], Chat | Complete | None],
    ) -> AsyncGenerator[tuple[Chunk, dict[str, Any]], None]:
        """A chunk and the other fields of each record."""
        missing = f"model '{request.model}' not found"
        model = await self._served.find(request.model, missing)
        self._journal.begin(entry, str(model.name))
        keep_alive = _keep_alive(request)
        if not has_prompt and keep_alive == 0:
            self._served.unload(model)
            yield NOTHING, entry.end("unload")
            return
        chosen = conversation.options(request.options, model)
        asked = await _asked(request, partial(ask, model, chosen))
        async with self._served.loaded(model, chosen, keep_alive, entry) as put:
            if asked is None:
                yield NOTHING, entry.end("load")
                return
            async with aclosing(put(entry.addressed(asked))) as events:
                async for event in events:
                    entry.see(event)
                    yield fields_of(event, entry.started, entry.load_seconds)


async def _asked(
    request: InferenceRequest, ask: Callable[[], Chat | Complete | None]
) -> Chat | Complete | None:
    """What a request asks; its images are looked at beside the event loop."""
    return await asyncio.to_thread(ask) if has_images(request) else ask()


def _require_model(request: _Request) -> None:
    if not request.model:
        raise InvalidRequest("model is required")


def _keep_alive(request: _Request) -> float | None:
    return None if request.keep_alive is None else parse_keep_alive(request.keep_alive)
