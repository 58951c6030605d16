"""Connection: uvicorn's HTTP/1.1 with deadlines for clients that send or read slowly."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import h11
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from ollapy.settings import Settings

logger = logging.getLogger(__name__)

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)


class Connection(H11Protocol):
    """One client's connection. What is too slow, or one too many, is closed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        app = cast(Starlette, self.config.app)
        self._settings: Settings = app.state.settings
        self._header_deadline: asyncio.TimerHandle | None = None
        self._read_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._settings.max_connections:
            transport.write(_FULL)
            transport.close()
        else:
            self._await_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop(self._header_deadline)
            self._header_deadline = None
        elif self._header_deadline is None:
            self._await_headers()

    def pause_writing(self) -> None:
        """The client does not take what it has asked for."""
        super().pause_writing()
        self._await_reader(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop(self._read_deadline)

    def _unsupported_upgrade_warning(self) -> None:
        """None: the answer to a request that asks for more than HTTP/1.1 is one in HTTP/1.1."""

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop(self._header_deadline)
        self._stop(self._read_deadline)

    def _await_headers(self) -> None:
        """Those of the next request, from its first byte or the connection's beginning."""
        self._header_deadline = self.loop.call_later(
            self._settings.header_timeout, self._give_up, "sent no request"
        )

    def _await_reader(self, before: int) -> None:
        def look() -> None:
            left = self.transport.get_write_buffer_size()
            if left < before:
                self._await_reader(left)
            else:
                self._give_up("did not read its answer")

        self._read_deadline = self.loop.call_later(self._settings.reader_timeout, look)

    def _give_up(self, why: str) -> None:
        logger.info("connection closed, its client %s in time", why)
        self.transport.abort()

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
