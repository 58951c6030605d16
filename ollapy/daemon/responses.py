"""Responses: one JSON object, or a stream of records that ends in exactly one last one."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, Protocol

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ollapy.api import ndjson
from ollapy.errors import OllapyError

from .wire import failures

logger = logging.getLogger(__name__)

# What a status means for the connection or the next request.
_HEADERS: dict[int, dict[str, str]] = {
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.REQUEST_TIMEOUT: {"Connection": "close"},
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: {"Connection": "close"},
}
INTERNAL = "internal error, see ollapy's log for details"


def json(
    value: object,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One JSON object."""
    media_type = "application/json; charset=utf-8"
    return Response(ndjson.encode(value), status, headers, media_type)


def error(exc: OllapyError, path: str = "") -> Response:
    """The error before a stream has begun, as the API of that path reports it."""
    return json(failures.of(path, exc), exc.status, _HEADERS.get(exc.status))


class Encoding(Protocol):
    """How an API writes records as they come."""

    media_type: str

    def feed(self, record: Any, /) -> bytes:
        """What the next record makes of the stream."""

    def finish(self) -> bytes:
        """The end of a stream that is whole."""

    def fail(self, exc: OllapyError, /) -> bytes:
        """The end of one that is not: the status has been sent."""


class Lines:
    """Ollama's NDJSON, of which the last record says that it is the last; an error is one as well."""

    media_type = "application/x-ndjson"

    def feed(self, record: object) -> bytes:
        """The record as a line."""
        return ndjson.line(record)

    def finish(self) -> bytes:
        """Nothing more."""
        return b""

    def fail(self, exc: OllapyError) -> bytes:
        """`{"error": …}`."""
        return ndjson.line({"error": str(exc)})


class Records(StreamingResponse):
    """A stream of records, closed with the response however that ends. An error after the first is told in it."""

    def __init__(
        self,
        first: object,
        rest: AsyncGenerator[object, None],
        encoding: Encoding | None = None,
    ) -> None:
        encoding = encoding or Lines()
        super().__init__(
            self._encoded(first, rest, encoding),
            headers={"Cache-Control": "no-cache"},
            media_type=encoding.media_type,
        )
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._rest.aclose()

    @staticmethod
    async def _encoded(
        first: object, rest: AsyncGenerator[object, None], encoding: Encoding
    ) -> AsyncIterator[bytes]:
        yield encoding.feed(first)
        try:
            async for record in rest:
                if data := encoding.feed(record):
                    yield data
            yield encoding.finish()
        except OllapyError as exc:
            yield encoding.fail(exc)
        except Exception:
            logger.exception("stream failed")
            yield encoding.fail(OllapyError(INTERNAL))
