"""OpenAI's routes under `/v1`: decode, translate, ask, encode."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from ollapy.api.ollama import InferenceResponse
from ollapy.api.openai import ChatCompletionRequest
from ollapy.daemon.body import read
from ollapy.daemon.merging import merged
from ollapy.daemon.wire import chat_completions

from .inference import answer, generation, join_chat, prioritized

R = TypeVar("R", bound=InferenceResponse)


async def chat_completion(request: Request) -> Response:
    """`POST /v1/chat/completions`."""
    body = await read(request, ChatCompletionRequest)
    asks = [prioritized(request, chat) for chat in chat_completions.requests(body)]
    records = merged([generation(request).chat(ask) for ask in asks])
    whole = partial(chat_completions.completion, body)
    encoding = chat_completions.Chunks(body) if body.stream else None
    return await answer(request, records, _choices(join_chat, whole), encoding)


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
