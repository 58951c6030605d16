"""Transcriptions: OpenAI's to chats about a sound, and back. Pure."""

from __future__ import annotations

import base64

from ollapy.api import sse
from ollapy.api.ollama import ChatRequest, ChatResponse, Message
from ollapy.api.openai_audio import (
    TextDelta,
    TextDone,
    Transcription,
    TranscriptionRequest,
    TranscriptionUsage,
)
from ollapy.errors import InvalidRequest, OllapyError, OutOfRange, Unsupported

from . import asked, failures
from .counts import Counts

_TASK = "Write down what is said in this recording, word for word, and nothing else."
_FORMATS = (None, "json", "text")


def request(body: TranscriptionRequest) -> ChatRequest:
    """The chat that makes the transcription."""
    _check(body)
    sound = base64.b64encode(body.file).decode()
    options = {"temperature": body.temperature or 0, "num_ctx": body.num_ctx}
    return ChatRequest(
        model=body.model,
        messages=[Message("user", _task(body), images=[sound])],
        options=asked.over(None, options),
        think=False,
        truncate=False,
        keep_alive=body.keep_alive,
        priority=body.priority,
    )


def transcription(answer: ChatResponse) -> Transcription:
    """The whole answer, of one record."""
    return Transcription((answer.message.content or "").strip(), _usage(answer))


class Events:
    """A streamed transcription: its pieces, then all of it."""

    media_type = sse.MEDIA_TYPE
    beat = sse.BEAT

    def __init__(self) -> None:
        self._text = ""
        self._last: ChatResponse | None = None

    def feed(self, record: ChatResponse) -> bytes:
        """The event of the next record."""
        delta = record.message.content or ""
        delta = delta if self._text else delta.lstrip()
        self._text += delta
        self._last = record
        return sse.event(TextDelta(delta)) if delta else b""

    def finish(self) -> bytes:
        """The end of a stream that is whole."""
        assert self._last is not None
        done = TextDone(self._text.rstrip(), _usage(self._last))
        return sse.event(done) + sse.DONE

    def fail(self, exc: OllapyError) -> bytes:
        """The end of one that is not."""
        return sse.event(failures.of_openai(exc))


def _check(body: TranscriptionRequest) -> None:
    if not body.model:
        raise InvalidRequest("model is required")
    if not body.file:
        raise InvalidRequest("file is required, and must not be empty")
    if body.response_format not in _FORMATS:
        raise Unsupported(
            f'response_format "{body.response_format[:40]}" is not supported, only "json" and "text" are'
        )
    if body.temperature is not None and not 0 <= body.temperature <= 1:
        raise OutOfRange("temperature", 0, 1)


def _task(body: TranscriptionRequest) -> str:
    language = f"The language is {body.language}." if body.language else ""
    context = f"This is what it is about: {body.prompt}" if body.prompt else ""
    return "\n".join(filter(None, (_TASK, language, context)))


def _usage(record: ChatResponse) -> TranscriptionUsage:
    counts = Counts.of(record)
    return TranscriptionUsage(
        counts.prompt, counts.answer, counts.prompt + counts.answer
    )
