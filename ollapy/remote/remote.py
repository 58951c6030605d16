"""Remote: the models of another server, and what they answer. On the daemon's event loop."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ollapy.decoding import from_json
from ollapy.errors import (
    InvalidName,
    ModelNotFound,
    OllapyError,
    RemoteError,
)
from ollapy.names import ModelName
from ollapy.runner.protocol import (
    Chat,
    Chunk,
    Complete,
    Done,
    Embed,
    Embeddings,
    Question,
)
from ollapy.text import clean

from . import questions
from .answer import Answer
from .model import RemoteModel

if TYPE_CHECKING:  # httpx is for those who have another server
    from .server import Server

logger = logging.getLogger(__name__)

T = TypeVar("T")

VIA = "1.1 ollapy"  # the header by which a daemon knows that a daemon asks


class _Listed(msgspec.Struct, frozen=True):
    id: str
    created: float | None = None
    max_model_len: int | None = None


class _List(msgspec.Struct, frozen=True):
    data: list[_Listed]


class _Vector(msgspec.Struct, frozen=True):
    embedding: list[float]


class _Count(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0


class _Vectors(msgspec.Struct, frozen=True):
    data: list[_Vector]
    usage: _Count = _Count()


class Remote:
    """The server that the settings name, which may be none: then there are no models.

    Sentences have what it is `called`, or else its host. A model that was seen once is not looked up again: the server says so when it has it no more.
    """

    def __init__(self, url: str, key: str, silence: float, called: str = "") -> None:
        self._server = _server(url, key, silence, called) if url else None
        self._known: dict[tuple[str, ...], RemoteModel] = {}

    async def close(self) -> None:
        """Drop the connections."""
        if self._server:
            await self._server.close()

    async def models(self) -> list[RemoteModel]:
        """What the server has; an OllapyError where it does not say."""
        if self._server is None:
            return []
        listed = _decoded(self._server, await self._server.get("models"), _List)
        found = [_model(one, self._server.host) for one in listed.data]
        self._known = {model.name.key: model for model in found if model}
        return list(self._known.values())

    async def get(self, name: ModelName, missing: str) -> RemoteModel:
        """The model of that name; ModelNotFound with that sentence where there is none, or the server does not say."""
        try:
            if name.key not in self._known:
                await self.models()
            return self._known[name.key]
        except OllapyError as exc:
            raise ModelNotFound(f"{missing} ({exc})") from exc
        except KeyError:
            raise ModelNotFound(missing) from None

    async def ask(
        self, model: RemoteModel, question: Question
    ) -> AsyncGenerator[Chunk | Done | Embeddings, None]:
        """What the model answers, as a runner would; leaving early ends it there too."""
        assert self._server is not None
        match question:
            case Chat():
                path, body = "chat/completions", questions.chat(model, question)
            case Complete():
                path, body = "completions", questions.complete(model, question)
            case Embed():
                data = await self._server.post(
                    "embeddings", questions.embed(model, question)
                )
                yield _embeddings(self._server, question, data)
                return
            case _:
                what = type(question).__name__.lower()
                raise model.unsupported(f"where there is no {what}")
        answer = Answer(question.id, model, time.monotonic())
        async with aclosing(self._server.stream(path, body)) as events:
            async for event in events:
                for chunk in answer.feed(event, time.monotonic()):
                    yield chunk
        for last in answer.finish(time.monotonic()):
            yield last


def _server(url: str, key: str, silence: float, called: str) -> Server:
    from .server import Server

    credentials = {"Authorization": f"Bearer {key}"} if key else {}
    return Server(url, {"Via": VIA, **credentials}, silence, called)


def _model(listed: _Listed, host: str) -> RemoteModel | None:
    """None for an id that is no model's name here."""
    try:
        name = ModelName.parse(listed.id)
    except InvalidName:
        logger.warning(
            "model skipped, its id is no model name: give it one with --served-model-name id=%s",
            clean(listed.id)[:200],
        )
        return None
    return RemoteModel(
        name, listed.id, host, listed.max_model_len or 0, listed.created or time.time()
    )


def _embeddings(server: Server, asked: Embed, data: bytes) -> Embeddings:
    found = _decoded(server, data, _Vectors)
    vectors = [_normalised(one.embedding) for one in found.data]
    if len(vectors) != len(asked.inputs):
        raise RemoteError(
            f"{server.host} gave {len(vectors)} vectors for {len(asked.inputs)} inputs"
        )
    return Embeddings(asked.id, vectors, found.usage.prompt_tokens)


def _normalised(vector: list[float]) -> list[float]:
    length = math.hypot(*vector) or 1.0
    return [value / length for value in vector]


def _decoded(server: Server, data: bytes, kind: type[T]) -> T:
    try:
        return from_json(data, kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise RemoteError(f"{server.host} gave a malformed answer") from exc
