"""A crowd that comes and goes as it likes, and a daemon that is afterwards as it was before."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_endless
from tests.support.waiting import eventually

_AT_ONCE = 40
_GROWTH = 64 << 20  # bytes that memory may grow by, in the daemon or a runner
_CHAT = [{"role": "user", "content": "Write a story."}]
# path, body, whether it ends by itself
_ASKS: list[tuple[str, dict[str, Any], bool]] = [
    ("/api/generate", {"model": "endless", "prompt": "go", "options": {"num_predict": 10**6}}, False),
    ("/api/generate", {"model": "endless", "prompt": "go " * 3000, "options": {"num_ctx": 16384, "num_predict": 10**6}}, False),
    ("/api/generate", {"model": "endless", "prompt": "go", "stream": False, "options": {"num_predict": 10**6}}, False),
    ("/api/chat", {"model": "tiny", "messages": _CHAT, "options": {"num_predict": 40}}, True),
    ("/v1/chat/completions", {"model": "tiny", "messages": _CHAT, "stream": True, "max_tokens": 40}, True),
    ("/v1/messages", {"model": "tiny", "messages": _CHAT, "stream": True, "max_tokens": 40}, True),
    ("/api/embed", {"model": "tiny", "input": ["one", "two " * 100]}, True),
    ("/api/tokenize", {"model": "tiny", "content": "one two"}, True),
    ("/api/generate", {"model": "nope", "prompt": "x"}, True),
]  # fmt: skip


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with both models loaded, for good."""
    add_endless(tmp_path / "models")
    with running_daemon(tmp_path, KEEP_ALIVE="-1") as daemon:
        daemon.generate("go", model="endless", options={"num_predict": 1})
        daemon.generate("Hi")
        daemon.post("/api/embed", model="tiny", input="x")
        yield daemon


class Crowd:
    """Clients that ask for anything, and stay to the end, for some bytes, or not at all."""

    def __init__(self, daemon: Daemon, seed: int) -> None:
        host, _, port = daemon.address.partition(":")
        self._address = host, int(port)
        self._random = random.Random(seed)
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def come(self, count: int) -> None:
        """So many requests, a few at once."""
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self._ask())

    async def _ask(self) -> None:
        path, body, ends = self._random.choice(_ASKS)
        stays = ends and self._random.random() < 0.5
        patience = self._random.choice([0, 1, 200, 3_000])
        async with self._places:
            reader, writer = await asyncio.open_connection(*self._address)
            content = json.dumps(body).encode()
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
            writer.write(head.encode() + content)
            await writer.drain()
            if stays:
                _check(await reader.read(-1))
            elif patience:
                await _up_to(reader, patience)
            self._leave(writer)

    def _leave(self, writer: asyncio.StreamWriter) -> None:
        if self._random.random() < 0.3:  # RST in place of FIN
            sock = writer.get_extra_info("socket")
            sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        writer.close()


async def _up_to(reader: asyncio.StreamReader, count: int) -> None:
    """So many bytes; a whole answer has no more to come until all are there."""
    try:
        async with asyncio.timeout(0.3):
            await reader.read(count)
    except TimeoutError:
        pass


def _check(answer: bytes) -> None:
    """Whoever stays gets an answer with an end."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ", 2)[1] in (b"200", b"404", b"503"), answer[:200]
    if b"chunked" in head:
        assert body.endswith(b"0\r\n\r\n"), body[-200:]
        ends = (b'"done":true', b"[DONE]", b"message_stop")
        assert any(end in body for end in ends), body[-200:]


class Footprint:
    """What a daemon holds while nobody asks it."""

    def __init__(self, daemon: Daemon) -> None:
        process = psutil.Process(daemon.process.pid)
        self.fds = process.num_fds()
        self.threads = process.num_threads()
        self.connections = len(process.net_connections())
        self.memory = [p.memory_info().rss for p in (process, *daemon.runners)]


def is_idle(daemon: Daemon) -> bool:
    """Whether no request is under way, nobody waits, and no sequence runs."""
    entries = daemon.http.get("/api/requests").json()["requests"]
    engines = daemon.http.get("/api/stats").json().values()
    return not any(entry["outcome"] == "running" for entry in entries) and all(
        engine["running"] == engine["waiting"] == engine["pinned_cells"] == 0
        for engine in engines
    )


def total_requests(daemon: Daemon) -> float:
    """Requests to models that have come to any end."""
    lines = daemon.http.get("/metrics").text.splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith("ollapy_requests_total{")
    )


def soak(daemon: Daemon, count: int) -> None:
    """A crowd, and a look at what it leaves behind."""
    asyncio.run(Crowd(daemon, seed=0).come(_AT_ONCE))  # to have all threads and buffers
    eventually(lambda: is_idle(daemon), "work goes on for nobody", within=30.0)
    before, served = Footprint(daemon), total_requests(daemon)
    asyncio.run(Crowd(daemon, seed=1).come(count))
    eventually(lambda: is_idle(daemon), "work goes on for nobody", within=30.0)
    eventually(
        lambda: Footprint(daemon).connections <= before.connections,
        "connections were left",
    )
    after = Footprint(daemon)

    assert after.fds <= before.fds
    assert after.threads <= before.threads + 8  # its pool grows as it needs them
    for old, new in zip(before.memory, after.memory, strict=True):
        assert new - old < _GROWTH
    # one who leaves before the body has been read has asked nothing
    assert served + 0.5 * count <= total_requests(daemon) <= served + count
    assert "Traceback" not in daemon.log.read_text()
    assert "Tokyo" in daemon.generate("What is the capital of Japan?")["response"]


def test_a_small_crowd_leaves_nothing_behind(own: Daemon) -> None:
    soak(own, 60)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_large_crowd_leaves_nothing_behind(own: Daemon) -> None:
    soak(own, 1000)
