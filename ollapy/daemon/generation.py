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
    DebugInfo,
    EmbedRequest,
    EmbedResponse,
    GenerateRequest,
    GenerateResponse,
    InferenceRequest,
    InferenceResponse,
    Message,
    OllapyReport,
)
from ollapy.api.options import Options
from ollapy.errors import InvalidRequest, ModelNotFound
from ollapy.names import ModelName
from ollapy.runner.protocol import Chat, Chunk, Complete, Done, Embeddings, Rendered
from ollapy.store import Model, Store
from ollapy.units import format_time, parse_keep_alive

from . import asking
from .pool import RunnerPool
from .process import Event

R = TypeVar("R", bound=InferenceResponse, covariant=True)


class _Record(Protocol[R]):
    def __call__(self, chunk: Chunk, **fields: Any) -> R: ...


class Generation:
    """Answers inference requests with the models of a store on the runners of a pool.

    Errors come before the first record or instead of a later one. Closing a generator early stops
    the work behind it.
    """

    def __init__(self, store: Store, pool: RunnerPool) -> None:
        self._store = store
        self._pool = pool

    def generate(
        self, request: GenerateRequest
    ) -> AsyncGenerator[GenerateResponse, None]:
        """The records of `/api/generate`."""
        record = partial(_generate_record, raw=bool(request.raw))
        return self._records(
            request, bool(request.prompt), partial(asking.generate, request), record
        )

    def chat(self, request: ChatRequest) -> AsyncGenerator[ChatResponse, None]:
        """The records of `/api/chat`."""
        if not request.model:
            raise InvalidRequest("model is required")
        return self._records(
            request, bool(request.messages), partial(asking.chat, request), _chat_record
        )

    async def embed(self, request: EmbedRequest) -> EmbedResponse:
        """The answer of `/api/embed`."""
        started = time.monotonic()
        if not request.model:
            raise ModelNotFound("model '' not found")
        model = await self._model(
            request.model, f'model "{request.model}" not found, try pulling it first'
        )
        chosen = asking.options(request, model)
        ask = asking.embed(request, chosen)
        async with self._pool.runner(model, chosen, _keep_alive(request)) as runner:
            loaded = time.monotonic()
            if ask is None:
                return EmbedResponse(request.model, [])
            async with aclosing(runner.ask(ask)) as events:
                answer = await anext(events)
        assert isinstance(answer, Embeddings)
        return EmbedResponse(
            model=request.model,
            embeddings=answer.vectors,
            total_duration=_nanoseconds(time.monotonic() - started),
            load_duration=_nanoseconds(loaded - started),
            prompt_eval_count=answer.num_prompt,
        )

    async def _records(
        self,
        request: InferenceRequest,
        has_prompt: bool,
        ask: Callable[[Model, Options], Chat | Complete | None],
        record: _Record[R],
    ) -> AsyncGenerator[R, None]:
        """One record a chunk, the last one with the metrics; a lone one for a load or unload."""
        started = time.monotonic()
        model = await self._model(request.model, f"model '{request.model}' not found")
        stamped = partial(record, model=request.model)
        if not has_prompt and _keep_alive(request) == 0:
            self._pool.unload(model)
            yield stamped(_NOTHING, created_at=_now(), done=True, done_reason="unload")
            return
        chosen = asking.options(request, model)
        asked = ask(model, chosen)
        async with self._pool.runner(model, chosen, _keep_alive(request)) as runner:
            load_seconds = time.monotonic() - started
            if asked is None:
                yield stamped(
                    _NOTHING, created_at=_now(), done=True, done_reason="load"
                )
                return
            async with aclosing(runner.ask(asked)) as events:
                async for event in events:
                    chunk, fields = _fields(event, started, load_seconds)
                    yield stamped(chunk, created_at=_now(), **fields)

    async def _model(self, text: str, missing: str) -> Model:
        """The stored model of that name, what it can do looked up; `missing` is the sentence where there is none."""
        if not text:
            raise ModelNotFound(missing)
        name = ModelName.parse(text)
        model = await asyncio.to_thread(self._store.find, name)
        if model is None:
            raise ModelNotFound(missing)
        await asyncio.to_thread(lambda: model.capabilities)
        return model


_NOTHING = Chunk(0)


def _keep_alive(request: InferenceRequest | EmbedRequest) -> float | None:
    return None if request.keep_alive is None else parse_keep_alive(request.keep_alive)


def _now() -> str:
    return format_time(time.time())


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


def _fields(
    event: Event, started: float, load_seconds: float
) -> tuple[Chunk, dict[str, Any]]:
    """What a record has beside its chunk: of the last one, everything that was counted and measured."""
    if isinstance(event, Chunk):
        return event, {"done": False}
    if isinstance(event, Rendered):
        return _NOTHING, {"done": True, "debug_info": DebugInfo(event.text)}
    assert isinstance(event, Done)
    usage = event.usage
    return _NOTHING, {
        "done": True,
        "done_reason": event.reason,
        "total_duration": _nanoseconds(time.monotonic() - started),
        "load_duration": _nanoseconds(load_seconds),
        "prompt_eval_count": usage.num_prompt,
        "prompt_eval_duration": _nanoseconds(usage.prefill_seconds),
        "eval_count": usage.num_generated,
        "eval_duration": _nanoseconds(usage.decode_seconds),
        "ollapy": OllapyReport(
            event.context,
            _nanoseconds(usage.queue_seconds),
            usage.num_preemptions,
            usage.num_thinking,
            event.thinking_cut,
            event.parse_error,
        ),
        "tokens": event.tokens,
    }


def _generate_record(
    chunk: Chunk, *, raw: bool, tokens: list[int] | None = None, **fields: Any
) -> GenerateResponse:
    return GenerateResponse(
        response=chunk.content,
        thinking=chunk.thinking or None,
        logprobs=chunk.logprobs or None,
        prompt_logprobs=chunk.prompt_logprobs or None,
        context=None if raw else tokens,
        **fields,
    )


def _chat_record(
    chunk: Chunk, *, tokens: list[int] | None = None, **fields: Any
) -> ChatResponse:
    message = Message(
        "assistant",
        chunk.content,
        chunk.thinking or None,
        tool_calls=chunk.tool_calls or None,
    )
    return ChatResponse(
        message=message,
        logprobs=chunk.logprobs or None,
        prompt_logprobs=chunk.prompt_logprobs or None,
        **fields,
    )
