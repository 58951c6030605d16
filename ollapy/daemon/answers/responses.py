"""Responses: one JSON object, or a stream of records that ends in exactly one last one."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, Protocol

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ollapy.api import ndjson
from ollapy.daemon.answers.disconnect import abandon
from ollapy.daemon.answers.pulse import Pulse
from ollapy.daemon.wire import failures
from ollapy.errors import OllapyError

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
    beat: bytes  # what means nothing in its streams

    def feed(self, record: Any, /) -> bytes:
        """What the next record makes of the stream."""

    def finish(self) -> bytes:
        """The end of a stream that is whole."""

    def fail(self, exc: OllapyError, /) -> bytes:
        """The end of one that is not: the status has been sent."""


class Lines:
    """Ollama's NDJSON, of which the last record says that it is the last; an error is one as well."""

    media_type = "application/x-ndjson"
    beat = b""

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
    """A stream of records, closed with the response however that ends. An error in it is its last one.

    `first` is the first record, or is still to be one. A beat is sent after so many seconds of silence.
    """

    def __init__(
        self,
        first: object,
        rest: AsyncGenerator[object, None],
        encoding: Encoding | None = None,
        *,
        heartbeat: float = math.inf,
    ) -> None:
        self._encoding = encoding or Lines()
        super().__init__(
            self._encoded(first, rest, self._encoding),
            headers={"Cache-Control": "no-cache"},
            media_type=self._encoding.media_type,
        )
        self._first = first
        self._rest = rest
        self._heartbeat = heartbeat if self._encoding.beat else math.inf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if isinstance(self._first, asyncio.Future):
                await abandon(self._first)
            await self._rest.aclose()

    async def stream_response(self, send: Send) -> None:
        """Starlette's, with a pulse where there is to be one."""
        if self._heartbeat == math.inf:
            await super().stream_response(send)
            return
        pulse = Pulse(send, self._encoding.beat, self._heartbeat)
        beating = asyncio.create_task(pulse.run())
        try:
            await super().stream_response(pulse.send)
        finally:
            await abandon(beating)

    @staticmethod
    async def _encoded(
        first: object, rest: AsyncGenerator[object, None], encoding: Encoding
    ) -> AsyncIterator[bytes]:
        try:
            known = await first if isinstance(first, asyncio.Future) else first
            yield encoding.feed(known)
            async for record in rest:
                if data := encoding.feed(record):
                    yield data
            yield encoding.finish()
        except OllapyError as exc:
            yield encoding.fail(exc)
        except Exception:
            logger.exception("stream failed")
            yield encoding.fail(OllapyError(INTERNAL))
