"""Generation: from a request to the records of its answer, the one pipeline behind every inference route."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
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
from ollapy.api.status import PlacementReport
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
from ollapy.daemon.asking import adapters, conversation, texts
from ollapy.daemon.asking.askable import Askable
from ollapy.daemon.asking.defaults import filled
from ollapy.daemon.asking.media import has_images
from ollapy.daemon.observation.entry import Entry
from ollapy.daemon.observation.journal import Journal
from ollapy.daemon.observation.placed import placed
from ollapy.daemon.runners.inbox import Event
from ollapy.daemon.runners.pool import RunnerPool
from ollapy.errors import InvalidRequest, ModelNotFound, Unsupported
from ollapy.names import ModelName
from ollapy.remote import Remote, RemoteModel
from ollapy.runner.protocol import (
    Chat,
    Chunk,
    Complete,
    Embeddings,
    Question,
    Scores,
    Text,
)
from ollapy.store import Model, Store
from ollapy.units import parse_keep_alive

R = TypeVar("R", bound=InferenceResponse, covariant=True)


class _Request(Protocol):
    """What every request that a model answers has."""

    @property
    def model(self) -> str: ...

    @property
    def keep_alive(self) -> float | str | None: ...


class _Record(Protocol[R]):
    def __call__(self, chunk: Chunk, **fields: Any) -> R: ...


_NOT_FOUND = 'model "{}" not found, try pulling it first'


class Generation:
    """Answers inference requests with the models of a store on the runners of a pool, or with those of another server.

    Errors come before the first record or instead of a later one. Closing a generator early stops
    the work behind it.
    """

    def __init__(
        self, store: Store, pool: RunnerPool, remote: Remote, journal: Journal
    ) -> None:
        self._store = store
        self._pool = pool
        self._remote = remote
        self._journal = journal

    def generate(
        self, request: GenerateRequest
    ) -> AsyncGenerator[GenerateResponse, None]:
        """The records of `/api/generate`."""
        request = filled(request, self._pool.settings)
        record = partial(generate_record, raw=bool(request.raw))
        return self._records(
            request,
            bool(request.prompt or request.tokens or request.images),
            partial(conversation.generate, request),
            record,
        )

    def chat(self, request: ChatRequest) -> AsyncGenerator[ChatResponse, None]:
        """The records of `/api/chat`."""
        request = filled(request, self._pool.settings)
        _require_model(request)
        return self._records(
            request,
            bool(request.messages),
            partial(conversation.chat, request),
            chat_record,
        )

    async def embed(self, request: EmbedRequest) -> EmbedResponse:
        """The answer of `/api/embed`."""
        request = filled(request, self._pool.settings)
        started = time.monotonic()
        if not request.model:
            raise ModelNotFound("model '' not found")
        answer, load_seconds = await self._once(
            "embed",
            request,
            lambda _, chosen: texts.embed(request, chosen),
            options=request.options,
        )
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
        request = filled(request, self._pool.settings)
        _require_model(request)
        ask = EmbedRequest(input=request.prompt, truncate=False)
        answer, _ = await self._once(
            "embed",
            request,
            lambda _, chosen: texts.embed(ask, chosen),
            options=request.options,
        )
        assert answer is None or isinstance(answer, Embeddings)
        return EmbeddingsResponse(answer.vectors[0] if answer else [])

    async def rerank(self, request: RerankRequest) -> RerankResponse:
        """The answer of `/api/rerank`."""
        request = filled(request, self._pool.settings)
        _require_model(request)
        answer, _ = await self._once(
            "rerank", request, partial(texts.rerank, request), options=request.options
        )
        assert isinstance(answer, Scores)
        return ranked(request, answer)

    async def tokenize(self, request: TokenizeRequest) -> TokenizeResponse:
        """The answer of `/api/tokenize`."""
        request = filled(request, self._pool.settings)
        _require_model(request)
        answer, _ = await self._once(
            "tokenize", request, lambda *_: texts.tokenize(request)
        )
        assert isinstance(answer, Text)
        return TokenizeResponse(request.model, answer.tokens)

    async def detokenize(self, request: DetokenizeRequest) -> DetokenizeResponse:
        """The answer of `/api/detokenize`."""
        request = filled(request, self._pool.settings)
        _require_model(request)
        answer, _ = await self._once(
            "detokenize", request, lambda *_: texts.detokenize(request)
        )
        assert isinstance(answer, Text)
        return DetokenizeResponse(request.model, answer.text)

    async def _once(
        self,
        kind: str,
        request: _Request,
        ask: Callable[[Askable, Options], Question | None],
        *,
        options: dict[str, Any] | None = None,
    ) -> tuple[Event | None, float]:
        """What a model answers all at once, None where it is only loaded, and the seconds until it was loaded."""
        with self._journal.entry(kind, request) as entry:
            model = await self._model(request.model, _NOT_FOUND.format(request.model))
            self._journal.begin(entry, str(model.name))
            chosen = conversation.options(options, model)
            asked, keep_alive = ask(model, chosen), _keep_alive(request)
            async with self._answering(entry, model, chosen, keep_alive) as put:
                if asked is None:
                    return None, entry.load_seconds
                async with aclosing(put(entry.addressed(asked))) as events:
                    answer = await anext(events)
                    entry.see(answer)
                    return answer, entry.load_seconds

    async def _records(
        self,
        request: InferenceRequest,
        has_prompt: bool,
        ask: Callable[[Askable, Options], Chat | Complete | None],
        record: _Record[R],
    ) -> AsyncGenerator[R, None]:
        """One record a chunk, the last one with the metrics; a lone one for a load or unload."""
        kind = "chat" if isinstance(request, ChatRequest) else "generate"
        with self._journal.entry(kind, request) as entry:
            parts = self._parts(entry, request, has_prompt, ask)
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
        model = await self._model(request.model, f"model '{request.model}' not found")
        self._journal.begin(entry, str(model.name))
        keep_alive = _keep_alive(request)
        if not has_prompt and keep_alive == 0:
            self._unload(model)
            yield NOTHING, entry.end("unload")
            return
        chosen = conversation.options(request.options, model)
        asked = await _asked(request, partial(ask, model, chosen))
        async with self._answering(entry, model, chosen, keep_alive) as put:
            if asked is None:
                yield NOTHING, entry.end("load")
                return
            async with aclosing(put(entry.addressed(asked))) as events:
                async for event in events:
                    entry.see(event)
                    yield fields_of(event, entry.started, entry.load_seconds)

    @asynccontextmanager
    async def _answering(
        self,
        entry: Entry,
        model: Model | RemoteModel,
        chosen: Options,
        keep_alive: float | None,
    ) -> AsyncGenerator[Callable[[Question], AsyncGenerator[Event, None]], None]:
        """Whom to ask, loaded: a runner, or the server that the model is on."""
        wanted = await adapters.wanted(chosen, model, self._store)
        if isinstance(model, RemoteModel):
            entry.is_loaded(PlacementReport(host=model.host))
            yield partial(self._remote.ask, model)
            return
        async with self._pool.runner(model, chosen, keep_alive, wanted) as runner:
            there = self._pool.devices.last
            entry.is_loaded(placed(runner.load, runner.ready.result(), there))
            yield lambda question: runner.ask(adapters.adapted(question, wanted))

    def _unload(self, model: Model | RemoteModel) -> None:
        if isinstance(model, RemoteModel):
            raise Unsupported(
                f"'{model.name}' runs on {model.host}, which keeps it loaded: stop it there"
            )
        self._pool.forget(model.name)

    async def _model(self, text: str, missing: str) -> Model | RemoteModel:
        """The model of that name, what it can do looked up; `missing` is the sentence where there is none."""
        if not text:
            raise ModelNotFound(missing)
        name = ModelName.parse(text)
        model = await asyncio.to_thread(self._store.find, name)
        if model is None:
            return await self._remote.get(name, missing)
        await asyncio.to_thread(lambda: model.capabilities)
        return model


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
