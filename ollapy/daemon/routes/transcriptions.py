"""OpenAI's transcriptions: what is said in a sound, by a model that hears."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ollapy.api.ollama import ChatResponse
from ollapy.api.openai_audio import Transcription, TranscriptionRequest
from ollapy.daemon.answers.disconnect import unless_gone
from ollapy.daemon.answers.records import join_chat
from ollapy.daemon.endpoint import Endpoint, Scope
from ollapy.daemon.gates import form
from ollapy.daemon.wire import transcriptions

from .answering import answer, collected, generation, prioritized


async def transcription(request: Request) -> Response:
    """Write down what is said in a recording (WAV, MP3 or FLAC), as JSON, or with `response_format` text as plain text."""
    body = await form.read(request, TranscriptionRequest)
    ask = prioritized(request, transcriptions.request(body))
    records = generation(request).chat(ask)
    if body.response_format == "text" and not body.stream:
        found = _whole(await unless_gone(request, collected(records)))
        return PlainTextResponse(found.text)
    encoding = transcriptions.Events() if body.stream else None
    return await answer(request, records, _whole, encoding)


def _whole(records: list[ChatResponse]) -> Transcription:
    return transcriptions.transcription(join_chat(records))


ENDPOINTS = [
    Endpoint(
        "/v1/audio/transcriptions",
        transcription,
        "POST",
        takes=TranscriptionRequest,
        gives=Transcription,
        streams=True,
        takes_form=True,
        needs=Scope.INFER,
    ),
]
