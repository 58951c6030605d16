"""A client that costs little: one thread, plain sockets, bytes looked at once while they stream."""

from __future__ import annotations

import io
import json
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any

Record = dict[str, Any]
_END_OF_RECORD = (
    b"}\n"  # newlines within a record are escaped, and HTTP's own follow a \r
)
_TIMEOUT = 120.0


@dataclass(slots=True, eq=False)
class Stream:
    """One streamed answer. Instants are `time.perf_counter()`."""

    sock: socket.socket
    sent_at: float
    first_at: float = 0.0
    ended_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    @property
    def seconds_to_first(self) -> float:
        """From the request to the first record."""
        return self.first_at - self.sent_at

    @property
    def num_records(self) -> int:
        """How many records came."""
        return self.received.count(_END_OF_RECORD)

    @property
    def records(self) -> list[Record]:
        """All of the answer; RuntimeError where it is not a whole one."""
        response = HTTPResponse(_Recorded(self.received))  # type: ignore[arg-type]  # it only calls makefile
        response.begin()
        records = [json.loads(line) for line in response.read().splitlines()]
        if response.status != 200 or not records[-1].get("done"):
            raise RuntimeError(f"the daemon answered {response.status}: {records[-1:]}")
        return records

    @property
    def text(self) -> str:
        """What the model said."""
        return "".join(record["response"] for record in self.records)

    @property
    def num_tokens(self) -> int:
        """How many tokens the model generated."""
        return int(self.records[-1]["eval_count"])

    def read(self) -> bool:
        """Take what has arrived; false at the end."""
        data = self.sock.recv(1 << 16)
        self.received += data
        if not self.first_at and _END_OF_RECORD in self.received:
            self.first_at = time.perf_counter()
        if not data:
            self.ended_at = time.perf_counter()
        return bool(data)


class _Recorded:
    """Bytes in the place of the socket that http.client wants to read from."""

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = bytes(data)

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def stream_all(port: int, body: Record, count: int = 1) -> list[Stream]:
    """The same question of `/api/generate` asked `count` times at once, each to its end."""
    request = _request(body)
    with selectors.DefaultSelector() as selector:
        streams = [_open(port, request) for _ in range(count)]
        for stream in streams:
            selector.register(stream.sock, selectors.EVENT_READ, stream)
        while selector.get_map():
            ready = selector.select(_TIMEOUT)
            if not ready:
                raise TimeoutError(f"the daemon was silent for {_TIMEOUT:g} s")
            for key, _ in ready:
                if not key.data.read():
                    selector.unregister(key.fileobj)
                    key.data.sock.close()
    return streams


def _request(body: Record) -> bytes:
    data = json.dumps(body).encode()
    head = (
        "POST /api/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def arrivals(port: int, body: Record, is_over: threading.Event) -> Iterator[float]:
    """The instants at which pieces of one answer come, until its end or that of the matter."""
    stream = _open(port, _request(body))
    with stream.sock:
        while stream.read() and not is_over.is_set():
            yield time.perf_counter()


def _open(port: int, request: bytes) -> Stream:
    sock = socket.create_connection(("127.0.0.1", port), _TIMEOUT)
    stream = Stream(sock, time.perf_counter())
    sock.sendall(request)
    return stream


def wall_seconds(streams: list[Stream]) -> float:
    """From the first request to the last byte."""
    return max(s.ended_at for s in streams) - min(s.sent_at for s in streams)
