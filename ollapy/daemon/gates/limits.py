"""Limits on a request's head: how large it may be, and that it says one thing. Pure ASGI."""

from __future__ import annotations

from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from ollapy.daemon.answers import responses
from ollapy.errors import InvalidRequest, OllapyError

MAX_TARGET = 8 * 1024
MAX_HEADERS, MAX_HEADER_BYTES = 100, 32 * 1024


class _TargetTooLong(OllapyError):
    status = HTTPStatus.REQUEST_URI_TOO_LONG


class _HeadersTooLarge(OllapyError):
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


class Limits:
    """Answers requests whose head no client needs, and ends their connections."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] == "http":
                _check(scope)
        except OllapyError as exc:
            response = responses.error(exc, scope["path"])
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _check(scope: Scope) -> None:
    headers = scope["headers"]
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET:
        raise _TargetTooLong(f"the request's path is longer than {MAX_TARGET} bytes")
    if (
        len(headers) > MAX_HEADERS
        or sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES
    ):
        raise _HeadersTooLarge(
            f"the request has more than {MAX_HEADERS} headers, or more than {MAX_HEADER_BYTES} bytes of them"
        )
    names = [name for name, _ in headers]
    if b"transfer-encoding" in names and b"content-length" in names:
        # two lengths are how a request is smuggled past a proxy
        raise InvalidRequest(
            "a request has Content-Length or Transfer-Encoding, not both"
        )
