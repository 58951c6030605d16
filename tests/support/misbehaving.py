"""A server that does what it is told, above all wrong things, and keeps count."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

_RANGE = re.compile(rb"[Rr]ange: bytes=(\d+)-(\d+)")


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    head: bytes
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """A header's value."""
        found = re.search(
            rf"^{name}: (.*)\r$", self.head.decode("latin-1"), re.M | re.I
        )
        return found[1] if found else None

    @property
    def span(self) -> tuple[int, int] | None:
        """The range that was asked for, the end left out."""
        found = _RANGE.search(self.head)
        return (int(found[1]), int(found[2]) + 1) if found else None


class Reply:
    """Writes an answer, or part of one."""

    def __init__(self, connection: socket.socket, server: Server) -> None:
        self._connection = connection
        self.server = server

    def head(self, status: str, **headers: object) -> None:
        """The status line and headers; `_` in a name is a hyphen."""
        lines = [f"HTTP/1.1 {status}", "Connection: close"]
        lines += [
            f"{name.replace('_', '-')}: {value}" for name, value in headers.items()
        ]
        self.raw("\r\n".join(lines).encode() + b"\r\n\r\n")

    def raw(self, data: bytes) -> None:
        """These bytes."""
        self._connection.sendall(data)

    def body(self, data: bytes) -> None:
        """Bytes of a blob, which are counted."""
        for start in range(0, len(data), 1 << 16):
            piece = data[start : start + (1 << 16)]
            self._connection.sendall(piece)
            self.server.count(len(piece))

    def whole(self, status: str, data: bytes, **headers: object) -> None:
        """An answer with its length."""
        self.head(status, Content_Length=len(data), **headers)
        self.raw(data)

    def ranged(self, asked: Asked, data: bytes) -> None:
        """As a good server would."""
        if asked.span is None:
            self.head("200 OK", Content_Length=len(data))
            self.body(data)
            return
        start, end = asked.span
        self.head(
            "206 Partial Content",
            Content_Length=end - start,
            Content_Range=f"bytes {start}-{end - 1}/{len(data)}",
        )
        self.body(data[start:end])

    @property
    def has_left(self) -> bool:
        """Whether the client has, as is seen within a moment."""
        before = self._connection.gettimeout()
        self._connection.settimeout(0.05)
        try:
            return not self._connection.recv(1)
        except TimeoutError:
            return False
        finally:
            self._connection.settimeout(before)

    def stall(self) -> None:
        """Nothing more until the test is over, or the client has had enough."""
        while not (self.server.over.is_set() or self.has_left):
            pass


Behaviour = Callable[[Asked, Reply], None]


@dataclass
class Server:
    """`behaviour` answers each request in a thread of its own."""

    behaviour: Behaviour
    asked: list[Asked] = field(default_factory=list)
    served: int = 0
    over: Event = field(default_factory=Event)
    port: int = 0
    threads: list[Thread] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def count(self, number: int) -> None:
        """Bytes of blobs that went out."""
        with self._lock:
            self.served += number

    def settle(self) -> None:
        """Wait until it has done with everybody who has gone: what they cost has been counted."""
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.shutdown(socket.SHUT_WR)
            last.recv(1)  # whoever came before has a thread by now
        for thread in self.threads.copy():
            thread.join(10)

    def url(self, path: str = "/blob", host: str = "127.0.0.1") -> str:
        """An address on it."""
        return f"http://{host}:{self.port}{path}"

    def handle(self, connection: socket.socket) -> None:
        """Read one request and answer it."""
        with connection, suppress(OSError):
            asked = _read(connection)
            with self._lock:
                self.asked.append(asked)
            self.behaviour(asked, Reply(connection, self))


def _read(connection: socket.socket) -> Asked:
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(65536)
        if not data:
            raise ConnectionError
        head += data
    head, _, body = head.partition(b"\r\n\r\n")
    method, path, _version = head.split(b"\r\n", 1)[0].decode().split(" ")
    asked = Asked(method, path, head + b"\r\n", body)
    length = int(asked.header("content-length") or 0)
    while len(asked.body) < length:
        asked.body += connection.recv(65536)
    return asked


@contextmanager
def misbehaving(behaviour: Behaviour, host: str = "127.0.0.1") -> Iterator[Server]:
    """A server with that behaviour, gone at the end with all its threads."""
    server = Server(behaviour)
    with served_by(server.handle, host, server.threads) as server.port:
        try:
            yield server
        finally:
            server.over.set()


@contextmanager
def served_by(
    handle: Callable[[socket.socket], None],
    host: str = "127.0.0.1",
    threads: list[Thread] | None = None,
) -> Iterator[int]:
    """A port whose connections are each handled in a thread of its own; at the end all of them have ended."""
    threads = [] if threads is None else threads
    listener = socket.create_server((host, 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                thread = Thread(target=handle, args=(connection,))
                threads.append(thread)
                thread.start()

    accepting = Thread(target=accept)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join(10)
