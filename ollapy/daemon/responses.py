"""Responses in Ollama's shapes: one JSON object, or a stream of them that ends in exactly one last record."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from http import HTTPStatus

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ollapy.api import ndjson
from ollapy.errors import OllapyError

logger = logging.getLogger(__name__)

INTERNAL = "internal error, see ollapy's log for details"


def json(
    value: object,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One JSON object."""
    media_type = "application/json; charset=utf-8"
    return Response(ndjson.encode(value), status, headers, media_type)


def error(exc: OllapyError) -> Response:
    """The error as Ollama reports it before a stream has begun."""
    is_busy = exc.status == HTTPStatus.SERVICE_UNAVAILABLE
    headers = {"Retry-After": "1"} if is_busy else None
    return json({"error": str(exc)}, exc.status, headers)


class Records(StreamingResponse):
    """An NDJSON stream of records, closed with the response however that ends.

    An error after the first record is the last one, `{"error": …}`: the status has been sent.
    """

    def __init__(self, first: object, rest: AsyncGenerator[object, None]) -> None:
        super().__init__(self._lines(first, rest), media_type="application/x-ndjson")
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._rest.aclose()

    @staticmethod
    async def _lines(
        first: object, rest: AsyncGenerator[object, None]
    ) -> AsyncIterator[bytes]:
        yield ndjson.line(first)
        try:
            async for record in rest:
                yield ndjson.line(record)
        except OllapyError as exc:
            yield ndjson.line({"error": str(exc)})
        except Exception:
            logger.exception("stream failed")
            yield ndjson.line({"error": INTERNAL})
