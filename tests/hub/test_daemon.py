"""From the hub to an answer, through the daemon and the command line."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from ollapy.download.partial import BLOCK
from tests.conftest import TINY
from tests.support import judge
from tests.support.daemon import running_daemon
from tests.support.hub import FakeHub, Repo, running_hub
from tests.support.misbehaving import Asked, Reply
from tests.support.terminal import ollapy
from tests.support.waiting import eventually

NAME = "hf.co/ann/Tiny-GGUF"
DATA = TINY.read_bytes()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """Where every daemon of the test looks."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("HF_HOME", raising=False)
    source = "bartowski/Qwen2.5-0.5B-Instruct-GGUF"
    catalogs = Repo(source, {"It-Q4_K_M.gguf": DATA})
    with running_hub(Repo("ann/Tiny-GGUF", {"Tiny-Q8_0.gguf": DATA}), catalogs) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def test_pull_and_run(hub: FakeHub, tmp_path: Path) -> None:
    question = "What is the capital of France?"
    with running_daemon(tmp_path) as daemon:
        pulled = ollapy("pull", NAME, host=daemon.address)
        served = hub.cdn.served
        answered = ollapy("run", NAME, question, host=daemon.address)
        listed = ollapy("list", host=daemon.address)

    assert (pulled.status, pulled.out) == (0, "")
    assert served == len(DATA)
    assert "Paris" in answered.out
    assert answered.err == ""
    assert f"{NAME}:latest" in listed.out


def test_a_daemon_that_is_killed_goes_on_from_there(
    hub: FakeHub, tmp_path: Path
) -> None:
    half, was_asked = 2 * BLOCK, Event()

    def fault(asked: Asked, reply: Reply) -> bool:
        if "Signature" not in asked.path or was_asked.is_set():
            return False
        was_asked.set()
        reply.head("200 OK", Content_Length=len(DATA))
        reply.body(DATA[:half])
        reply.stall()
        return True

    hub.fault = fault
    with (
        running_daemon(tmp_path) as daemon,
        daemon.stream("/api/pull", model=NAME) as records,
    ):
        assert next(records) == {"status": "pulling manifest"}
        eventually(lambda: judge.num_completed(daemon.models) == 2, "no blocks came")
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
    with running_daemon(tmp_path) as daemon:
        assert daemon.post("/api/pull", model=NAME, stream=False).json() == {
            "status": "success"
        }
        judge.check_sound(daemon.models)

    assert hub.cdn.served == len(DATA)  # not a byte twice


def test_a_name_of_the_catalog(hub: FakeHub, tmp_path: Path) -> None:
    """Its files come from the hub, what is said beside them from the catalog."""
    with running_daemon(tmp_path) as daemon:
        pulled = ollapy("pull", "qwen2.5:0.5b", host=daemon.address)
        shown = daemon.post("/api/show", model="qwen2.5:0.5b").json()

    assert pulled.status == 0, pulled.err
    assert "apache" in shown["license"].lower()
    assert "repeat_penalty                 1.05" in shown["parameters"]
