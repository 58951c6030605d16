"""Wire: one connection to a daemon, one request at a time.

h11 over a socket: a library that brings pools, proxies and an event loop takes longer to import than a daemon to answer.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable, Iterator

import h11

from ollapy.settings import Address

_MAX_READ = 65536
Headers = list[tuple[bytes, bytes]]


class Wire:
    """OSError or h11.ProtocolError from every method mean that it is of no use any more.

    `seconds` are the longest that the other side may let one wait for its part of anything, None is for ever.
    """

    def __init__(self, address: Address, *, seconds: float | None) -> None:
        self._http = h11.Connection(h11.CLIENT)
        host = address.target.encode()  # a str would have the tables of IDNA imported
        self._socket = socket.create_connection(
            (host, address.port),  # type: ignore[arg-type]  # bytes are fine
            timeout=seconds,
        )
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.scheme == "https":
            self._socket = _secured(self._socket, address.target)

    def ask(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: Iterable[bytes],
        *,
        seconds: float | None,
    ) -> h11.Response:
        """Send a request; the head of the answer."""
        self._socket.settimeout(seconds)
        self._send(h11.Request(method=method, target=target, headers=headers))
        try:
            for chunk in body:
                self._send(h11.Data(chunk))
            self._send(h11.EndOfMessage())
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has refused what it did not read, and said why
        while True:
            event = self._next()
            if isinstance(event, h11.Response):
                return event

    def answer(self) -> Iterator[bytes]:
        """The answer's body, in pieces as they come."""
        while isinstance(event := self._next(), h11.Data):
            yield bytes(event.data)

    def is_free(self) -> bool:
        """Whether another request can be made: the last is done, and the other side has not gone."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        is_idle = self._http.our_state is self._http.their_state is h11.IDLE
        return is_idle and not select.select([self._socket], [], [], 0)[0]

    def close(self) -> None:
        """Let go of it, which ends what the daemon still does for it."""
        self._socket.close()

    def _send(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            self._socket.sendall(data)

    def _next(self) -> h11.Event:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(self._socket.recv(_MAX_READ))
        if not isinstance(event, h11.Event):
            raise h11.RemoteProtocolError("the connection has been closed")
        return event


def _secured(plain: socket.socket, host: str) -> socket.socket:
    import ssl

    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context.wrap_socket(plain, server_hostname=host)
