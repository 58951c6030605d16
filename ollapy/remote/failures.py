"""What another server said no to, as an error of ours that names it. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ollapy.errors import (
    Busy,
    InvalidRequest,
    NotFound,
    OllapyError,
    PromptTooLong,
    RemoteError,
    Unauthorized,
    Unsupported,
)
from ollapy.net.failures import shown

# A server has the routes that its model can serve.
_MISSING = "Not Found"
_MODELS = {
    "chat/completions": "text",
    "completions": "text",
    "embeddings": "vectors",
}


def refusal(host: str, status: int, answer: Any, path: str = "") -> OllapyError:
    """The error that a status and a decoded body come to, of what was asked at `path` below `/v1`."""
    said = f"{host} answers: {shown(_sentence(answer)) or f'status {status}'}"
    match status:
        case 401 | 403:
            return Unauthorized(
                f"{host} wants another key: set OLLAPY_VLLM_API_KEY to the one that it was started with"
            )
        case 404 if path in _MODELS and _sentence(answer) == _MISSING:
            return Unsupported(
                f"{host} has no /v1/{path}: it serves no model that makes {_MODELS[path]}"
            )
        case 404:
            return NotFound(said)
        case 429 | 503:
            return Busy(said)
        case 400 | 413 | 422:
            is_long = "context length" in said or "model length" in said
            return PromptTooLong(said) if is_long else InvalidRequest(said)
    return RemoteError(said)


def decoded(data: bytes) -> Any:
    """The JSON of an error's body; its text where it is none."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "replace")


def _sentence(answer: Any) -> str:
    """The message in the shapes that servers give errors."""
    match answer:
        case str():
            return answer
        case {"error": found} | {"message": found} | {"detail": found}:
            return _sentence(found)
        case None:
            return ""
    return msgspec.json.encode(answer).decode()
