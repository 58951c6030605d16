"""OpenAI's transcriptions: what is said in a sound, whole or as events."""

from __future__ import annotations

from typing import Literal

import msgspec


class TranscriptionRequest(msgspec.Struct, frozen=True):
    """The form of `POST /v1/audio/transcriptions`. Ollama's and ollapy's own are the last three."""

    file: bytes = b""
    model: str = ""
    language: str | None = None
    prompt: str | None = None
    response_format: str | None = None
    temperature: float | None = None
    stream: bool | None = None
    num_ctx: int | None = None
    keep_alive: str | None = None
    priority: str | None = None


class TranscriptionUsage(msgspec.Struct, frozen=True):
    """Counts in tokens, those of the sound among the input's."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    type: Literal["tokens"] = "tokens"


class Transcription(msgspec.Struct, frozen=True):
    """The answer of `/v1/audio/transcriptions`."""

    text: str
    usage: TranscriptionUsage


class TextDelta(msgspec.Struct, tag="transcript.text.delta", frozen=True):
    """More of what is said."""

    delta: str


class TextDone(msgspec.Struct, tag="transcript.text.done", frozen=True):
    """All of what is said, and the last event."""

    text: str
    usage: TranscriptionUsage
