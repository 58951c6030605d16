"""HTTP as bytes: what no client library would send, and exactly what comes back."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.support.daemon import Daemon


@contextmanager
def connected(daemon: Daemon, *, seconds: float = 10.0) -> Iterator[socket.socket]:
    """A connection to the daemon; reads fail after so many seconds."""
    host, _, port = daemon.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        yield connection


def exchange(daemon: Daemon, request: bytes) -> bytes:
    """All that comes back until the daemon closes the connection."""
    with connected(daemon) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # it has seen enough
            connection.sendall(request)
        return until_closed(connection)


def until_closed(connection: socket.socket) -> bytes:
    """The rest of what comes."""
    found = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            found += piece
    return found


def status(answer: bytes) -> int:
    """The status in an answer's first line; 0 where there is no answer."""
    return int(answer.split(b" ", 2)[1]) if answer else 0
