"""Two daemons on one store, which know of each other only by what is on the disk."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from ollapy.download.partial import BLOCK
from tests.support import judge
from tests.support.daemon import Daemon, running_daemon
from tests.support.misbehaving import Asked, Reply, Server, misbehaving
from tests.support.offer import name_on, offer
from tests.support.raw_gguf import weights

WEIGHTS = weights(3 * BLOCK + 99, seed=1)
MODEL = offer(model=WEIGHTS, template=b"{{ .Prompt }}")
SUCCESS = {"status": "success"}


class Gate:
    """A registry whose first answer with the weights stops after two blocks and a bit, until it is opened."""

    def __init__(self) -> None:
        self.is_open = Event()

    def answer(self, asked: Asked, reply: Reply) -> None:
        if asked.span or not asked.path.endswith(self._digest):
            MODEL.answer(asked, reply)
            return
        reply.head("200 OK", Content_Length=len(WEIGHTS))
        reply.body(WEIGHTS[: 2 * BLOCK + 5])
        while not self.is_open.wait(0.01):
            if reply.has_left:
                return
        reply.body(WEIGHTS[2 * BLOCK + 5 :])

    @property
    def _digest(self) -> str:
        return str(MODEL.layer("model")["digest"])


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def server(gate: Gate) -> Iterator[Server]:
    with misbehaving(gate.answer) as server:
        try:
            yield server
        finally:
            gate.is_open.set()


@pytest.fixture
def name(server: Server) -> str:
    return name_on(server).full


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Daemon]:
    with running_daemon(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def other(tmp_path: Path, one: Daemon) -> Iterator[Daemon]:
    folder = tmp_path / "other"
    folder.mkdir()
    with running_daemon(folder, MODELS=str(one.models)) as daemon:
        yield daemon


def two_blocks(records: Iterator[dict[str, Any]]) -> None:
    """Read until that much has come."""
    assert any(record.get("completed", 0) >= 2 * BLOCK for record in records)


def check_whole(daemon: Daemon, name: str) -> None:
    judge.check_sound(daemon.models)
    assert daemon.post("/api/verify", stream=False).json() == SUCCESS
    assert daemon.post("/api/show", model=name).status_code == 200


def test_one_download_serves_both(
    one: Daemon, other: Daemon, gate: Gate, server: Server, name: str
) -> None:
    with (
        one.stream("/api/pull", model=name) as first,
        other.stream("/api/pull", model=name) as second,
    ):
        two_blocks(first)
        two_blocks(second)
        gate.is_open.set()
        assert [list(records)[-1] for records in (first, second)] == [SUCCESS] * 2

    server.settle()
    assert server.served == MODEL.size
    check_whole(one, name)
    check_whole(other, name)


def test_one_goes_on_where_the_other_was_killed(
    one: Daemon, other: Daemon, server: Server, name: str
) -> None:
    with one.stream("/api/pull", model=name) as first:
        two_blocks(first)
        with other.stream("/api/pull", model=name) as second:
            two_blocks(second)
            one.process.send_signal(signal.SIGKILL)
            assert list(second)[-1] == SUCCESS

    server.settle()
    assert [a.span for a in server.asked if a.span] == [(2 * BLOCK, len(WEIGHTS))]
    assert server.served == MODEL.size + 5  # of the block that was under way
    check_whole(other, name)


def test_one_removes_and_prunes_while_the_other_pulls(
    one: Daemon, other: Daemon, gate: Gate, name: str
) -> None:
    """What the pull found here stays, and what it has brought so far."""
    sharing = offer(model=weights(seed=2), template=b"{{ .Prompt }}")
    with misbehaving(sharing.answer) as elsewhere:
        old = name_on(elsewhere).full
        assert one.post("/api/pull", model=old, stream=False).json() == SUCCESS
    with one.stream("/api/pull", model=name) as records:
        two_blocks(records)
        other.delete(old)
        assert other.post("/api/prune", all=True).json()["removed"] == []
        gate.is_open.set()
        assert list(records)[-1] == SUCCESS

    check_whole(other, name)
    assert other.post("/api/prune", all=True).json()["removed"] == []
    judge.check_tidy(one.models)
