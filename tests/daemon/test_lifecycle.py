"""Beginnings and ends: clients that leave at any moment, signals that come twice, and answers that are always there."""

from __future__ import annotations

import json
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.daemon import Daemon, is_alive, running_daemon
from tests.support.models import add_endless
from tests.support.raw_http import connected
from tests.support.waiting import eventually

ENDLESS = {"model": "endless", "prompt": "go", "options": {"num_predict": 10**6}}
PLACES = 64


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with the model `endless` loaded, which every test leaves idle."""
    with ready(tmp_path_factory.mktemp("lifecycle")) as daemon:
        yield daemon


@pytest.fixture
def ending(tmp_path: Path) -> Iterator[Daemon]:
    """Another one, which a test ends."""
    with ready(tmp_path) as daemon:
        yield daemon


@contextmanager
def ready(folder: Path) -> Iterator[Daemon]:
    """A daemon with the model `endless` loaded."""
    add_endless(folder / "models")
    with running_daemon(folder) as daemon:
        daemon.generate("go", model="endless", options={"num_predict": 1})
        yield daemon


def ask(connection: socket.socket, **body: Any) -> None:
    """Send a request to generate, and read nothing."""
    content = json.dumps({**ENDLESS, **body}).encode()
    head = (
        b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    )
    connection.sendall(head % len(content) + content)


def entries(daemon: Daemon) -> list[dict[str, Any]]:
    """The requests under way, and then those that have ended."""
    found: list[dict[str, Any]] = daemon.http.get("/api/requests").json()["requests"]
    return found


def num_running(daemon: Daemon) -> int:
    """The requests under way."""
    return sum(entry["outcome"] == "running" for entry in entries(daemon))


def newest(daemon: Daemon) -> dict[str, Any]:
    """The request that has ended last."""
    return entries(daemon)[num_running(daemon)]


def engine(daemon: Daemon) -> dict[str, float]:
    """The counters of the model `endless`."""
    counters: dict[str, float] = daemon.http.get("/api/stats").json()["endless:latest"]
    return counters


def is_free(daemon: Daemon) -> bool:
    """Whether nobody is asked, waits, or holds a place."""
    counters = engine(daemon)
    return not num_running(daemon) and counters["running"] == counters["waiting"] == 0


def reset(connection: socket.socket) -> None:
    """Leave without a word: RST in place of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_client_that_leaves_in_any_way_frees_its_place(
    own: Daemon, how: str, stream: bool
) -> None:
    """F53"""
    with connected(own) as connection:
        ask(connection, stream=stream)
        eventually(lambda: engine(own)["running"] == 1, "it did not begin")
        if how == "half-close":
            connection.shutdown(socket.SHUT_WR)
        elif how == "reset":
            reset(connection)
        else:
            connection.close()
        eventually(lambda: is_free(own), "the place was not freed")

    assert newest(own)["outcome"] == "cancelled"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_client_that_leaves_while_its_prompt_is_read(
    own: Daemon, stream: bool
) -> None:
    """F53: the prompt is not read to its end."""
    with connected(own) as connection:
        ask(
            connection, prompt="go " * 20_000, stream=stream, options={"num_ctx": 65536}
        )
        eventually(lambda: engine(own)["running"] == 1, "it did not begin")
    eventually(lambda: is_free(own), "the place was not freed")

    entry = newest(own)
    assert entry["outcome"] == "cancelled"
    assert "first_token_duration" not in entry


def test_a_client_that_leaves_the_queue_lets_others_move_up(own: Daemon) -> None:
    """F53: all places are taken, one waits behind them and goes."""
    with ExitStack() as stack:
        taken = [stack.enter_context(connected(own)) for _ in range(PLACES)]
        for connection in taken:
            ask(connection)
        eventually(lambda: engine(own)["running"] == PLACES, "not all run", within=30.0)
        leaving, staying = (stack.enter_context(connected(own)) for _ in range(2))
        ask(leaving)
        eventually(lambda: engine(own)["waiting"] == 1, "it does not wait")
        ask(staying, options={"num_predict": 1}, stream=False)
        eventually(lambda: engine(own)["waiting"] == 2, "it does not wait")
        leaving.close()
        eventually(lambda: engine(own)["waiting"] == 1, "it waits on")
        taken[0].close()
        answer = staying.recv(65536)

    assert answer.startswith(b"HTTP/1.1 200")
    eventually(lambda: is_free(own), "places were not freed")
    assert own.generate("go", model="endless", options={"num_predict": 2})["done"]


def test_a_client_that_leaves_a_load_that_others_wait_for(own: Daemon) -> None:
    """F53: the load goes on for them."""
    own.generate("Hi", keep_alive=0)
    eventually(lambda: len(own.runners) == 1, "the model stayed")
    with connected(own) as leaving, connected(own) as staying:
        ask(leaving, model="tiny")
        ask(staying, model="tiny", options={"num_predict": 1}, stream=False)
        eventually(lambda: num_running(own) == 2, "they did not begin")
        leaving.close()
        answer = staying.recv(65536)

    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", ["/api/generate", "/v1/chat/completions"])
def test_every_stream_has_its_last_record_when_the_daemon_ends(
    ending: Daemon, path: str
) -> None:
    """F52: in the shape of its API."""
    body = {**ENDLESS, "stream": True, "messages": [{"role": "user", "content": "go"}]}
    if path == "/v1/chat/completions":
        body["max_tokens"] = 10**6
    with ending.http.stream("POST", path, json=body) as response:
        lines = response.iter_lines()
        next(lines)
        ending.process.send_signal(signal.SIGTERM)
        last = [line for line in lines if line][-1]

    error = json.loads(last.removeprefix("data: "))["error"]
    assert "ollapy is shutting down" in (
        error if isinstance(error, str) else error["message"]
    )
    assert ending.process.wait(10) == 0


def test_a_second_signal_ends_it_at_once(ending: Daemon) -> None:
    """F52: whoever is still answered."""
    runners = ending.runners
    with connected(ending) as connection:
        ask(connection)
        eventually(lambda: engine(ending)["running"] == 1, "it did not begin")
        ending.process.send_signal(signal.SIGTERM)
        eventually(
            lambda: "shutting down" in ending.log.read_text(), "it was not understood"
        )
        ending.process.send_signal(signal.SIGTERM)
        # sooner than answers would be ended
        eventually(lambda: ending.process.poll() is not None, "it went on", within=2.5)
    assert ending.process.returncode == 0
    eventually(lambda: not any(is_alive(r) for r in runners), "a runner lives")


def test_the_version_is_there_whatever_is_done(own: Daemon) -> None:
    """I11: while all places generate, a long prompt is read and a model is loaded."""
    with ExitStack() as stack:
        for _ in range(16):
            ask(stack.enter_context(connected(own)))
        ask(
            stack.enter_context(connected(own)),
            prompt="go " * 15_000,
            options={"num_ctx": 65536},
        )
        ask(stack.enter_context(connected(own)), model="tiny")
        eventually(lambda: engine(own)["running"] > 10, "they did not begin")
        for _ in range(20):
            assert own.http.get("/api/version", timeout=2.0).status_code == 200


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_NOFILE"), reason="needs Linux")
def test_there_is_room_for_every_connection(own: Daemon) -> None:
    soft, hard = psutil.Process(own.process.pid).rlimit(psutil.RLIMIT_NOFILE)

    assert soft == hard or soft >= 8192
