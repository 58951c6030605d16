"""Failures: an error in the shape of the API that the request came by. Pure."""

from __future__ import annotations

import re
import secrets

from ollapy.api import anthropic, openai
from ollapy.errors import (
    ModelNotFound,
    OllapyError,
    OutOfRange,
    PromptTooLong,
)

_FIELD = re.compile(r"at `\$\.([^`]+)`")  # where msgspec says that a body is wrong
_OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}
_ANTHROPIC_TYPES = {
    **_OPENAI_TYPES,
    413: "request_too_large",
    529: "overloaded_error",
}


def of(path: str, exc: OllapyError) -> object:
    """The error as the API of that path tells it."""
    if path.startswith("/v1/messages"):
        return of_anthropic(exc)
    return of_openai(exc) if path.startswith("/v1/") else {"error": str(exc)}


def of_openai(exc: OllapyError) -> openai.ErrorResponse:
    """Its code is what clients branch on."""
    kind = _OPENAI_TYPES.get(exc.status) or _kind(exc.status)
    param, code = _param(exc), None
    match exc:
        case ModelNotFound():
            param, code = "model", "model_not_found"
        case OutOfRange():
            param, code = exc.field, "invalid_value"
        case PromptTooLong():
            code = "context_length_exceeded"
    return openai.ErrorResponse(openai.Error(str(exc), kind, param, code))


def of_anthropic(exc: OllapyError) -> anthropic.ErrorResponse:
    """With an id of its own, as there."""
    kind = _ANTHROPIC_TYPES.get(exc.status) or _kind(exc.status)
    error = anthropic.Error(kind, str(exc))
    return anthropic.ErrorResponse(error, f"req_{secrets.token_hex(12)}")


def _kind(status: int) -> str:
    return "invalid_request_error" if 400 <= status < 500 else "api_error"


def _param(exc: OllapyError) -> str | None:
    found = _FIELD.search(str(exc))
    return found[1] if found else None
