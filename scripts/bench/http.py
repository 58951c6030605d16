"""What the daemon costs beside its web server, and what it adds to a token on its way to the client."""

from __future__ import annotations

import json
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import psutil

from .host import Host, free_port
from .report import Row

_CONNECTIONS = 8
_NUM_REQUESTS = 3000
_COUNTS = (16, 64, 256)
_NUM_TOKENS = 500
_SETTLED = 50  # arrivals of each stream, after which all questions have been worked off
_TOKEN = re.compile(rb"(\d{8,}) ")  # a record has several where the server was behind
_GET = b"GET /api/version HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def version(host: Host, rounds: int) -> Iterator[Row]:
    """Requests a second of `/api/version` by a bare Starlette app against ollapy's, kept connections."""
    with host.daemon(), _bare(host) as (port, _):
        rates = [
            (_requests_per_second(port), _requests_per_second(host.port))
            for _ in range(rounds + 1)
        ][1:]
    bare, own = (median(column) for column in zip(*rates, strict=True))
    detail = f"{own:.0f} against {bare:.0f} requests/s, ollapy {own / bare:.2f} of it"
    yield Row("/api/version, bare Starlette against ollapy", bare / own, "x", 2, detail)


@contextmanager
def _bare(host: Host) -> Iterator[tuple[int, psutil.Process]]:
    port = free_port()
    command = (sys.executable, "-m", "scripts.bench.bare", str(port))
    process = subprocess.Popen(command)
    try:
        host.until_open(port)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _requests_per_second(port: int) -> float:
    started = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(_CONNECTIONS):
            sock = socket.create_connection(("127.0.0.1", port))
            selector.register(sock, selectors.EVENT_READ)
            sock.sendall(_GET)
        num_answers = 0
        while num_answers < _NUM_REQUESTS:
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                # bare uvicorn sends head and body apart
                if key.fileobj.recv(1 << 16).endswith(b"}"):
                    num_answers += 1
                    key.fileobj.sendall(_GET)
        for key in list(selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # all are sockets
    return num_answers / (time.perf_counter() - started)


@dataclass(slots=True, eq=False)
class _Arrivals:
    """One stream, and how much of it was there when, in nanoseconds."""

    received: bytearray = field(default_factory=bytearray)
    times: list[tuple[int, int]] = field(default_factory=list)

    def take(self, data: bytes) -> None:
        self.received += data
        self.times.append((len(self.received), time.perf_counter_ns()))

    def tokens(self) -> Iterator[tuple[int, int]]:
        """When each token was made, and when it was here."""
        times = iter(self.times)
        size, at = next(times)
        for match in _TOKEN.finditer(self.received):
            while size < match.end():
                size, at = next(times)
            yield int(match[1]), at


@dataclass(slots=True)
class _Steady:
    """The time in which all streams ran: in seconds, and the server's CPU in it and its waiting for a core."""

    began: float = 0.0
    ended: float = 0.0
    cpu: float = 0.0
    waited: float = 0.0

    def begin(self, server: psutil.Process) -> None:
        """From now on."""
        self.began, self.cpu, self.waited = (
            time.perf_counter(),
            -_cpu(server),
            -_waited(server),
        )

    def end(self, server: psutil.Process) -> None:
        """Up to now."""
        self.ended = time.perf_counter()
        self.cpu += _cpu(server)
        self.waited += _waited(server)


@dataclass(frozen=True, slots=True)
class _Pace:
    """What a server did of the tokens: cores, tokens a second, and milliseconds of a token's way.

    `waited` is the part of the time in which it had something to do and no core to do it on.
    """

    cores: float
    rate: float
    typical: float
    worst: float  # of 99 in 100
    waited: float

    def __str__(self) -> str:
        cost = self.cores / self.rate * 1e6
        way = f"median {self.typical:.2f} ms, 99 of 100 within {self.worst:.2f} ms"
        return (
            f"{cost:.0f} µs of CPU, {way}, {self.waited:.0%} of the time without a core"
        )


def tokens(host: Host, rounds: int) -> Iterator[Row]:
    """A runner that makes 78 tokens a second for each stream, behind ollapy and behind bare Starlette."""
    with (
        host.daemon("-m", "scripts.bench.paced_daemon", "serve") as daemon,
        _bare(host) as (port, bare),
    ):
        for warming in ((host.port, daemon), (port, bare)):
            _stream(*warming, _COUNTS[0])
        for count in _COUNTS:
            runs = [
                (_stream(host.port, daemon, count), _stream(port, bare, count))
                for _ in range(rounds)
            ]
            own, base = (
                _Pace(*(median(getattr(p, f) for p in paces) for f in _Pace.__slots__))
                for paces in zip(*runs, strict=True)
            )
            name = f"daemon CPU, {count} paced streams"
            yield Row(name, own.cores, "cores", 1, f"{own.rate:.0f} tokens/s: {own}")
            name = f"added to a token's way, 99 of 100, {count} paced streams"
            yield Row(name, own.worst - base.worst, "ms", 2, f"bare: {base}")


def _stream(port: int, server: psutil.Process, count: int) -> _Pace:
    streams, steady = _receive(port, server, count)
    arrived = [
        (at - made) / 1e6
        for stream in streams
        for made, at in stream.tokens()
        if steady.began <= made / 1e9 <= steady.ended
    ]
    seconds = steady.ended - steady.began
    worst = quantiles(arrived, n=100)[98]
    return _Pace(
        steady.cpu / seconds,
        len(arrived) / seconds,
        median(arrived),
        worst,
        steady.waited / seconds,
    )


def _receive(
    port: int, server: psutil.Process, count: int
) -> tuple[list[_Arrivals], _Steady]:
    streams, steady = [_Arrivals() for _ in range(count)], _Steady()
    begun = set[_Arrivals]()
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(_asked(port), selectors.EVENT_READ, stream)
        while selector.get_map():
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(1 << 16)
                key.data.take(data)
                if not steady.began:
                    if len(key.data.times) == _SETTLED:
                        begun.add(key.data)
                    if len(begun) == count:
                        steady.begin(server)
                if b'"done":true' in data and not steady.ended:
                    steady.end(server)
                if not data:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
    return streams, steady


def _asked(port: int) -> socket.socket:
    options = {"num_predict": _NUM_TOKENS}
    asked = {"model": "tiny", "prompt": "Hi", "raw": True, "options": options}
    data = json.dumps(asked).encode()
    head = f"POST /api/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n"
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(head.encode() + data)
    return sock


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _waited(process: psutil.Process) -> float:
    """Seconds for which its main thread was ready and had no core; 0 where the system does not say."""
    told = Path(f"/proc/{process.pid}/schedstat")
    return int(told.read_text().split()[1]) / 1e9 if told.exists() else 0.0
